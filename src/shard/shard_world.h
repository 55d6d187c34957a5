#pragma once

#include <deque>
#include <memory>
#include <vector>

#include "base/rng.h"
#include "shard/detail/node_row.h"
#include "shard/detail/registry.h"
#include "shard/detail/session.h"
#include "shard/detail/shard.h"
#include "shard/detail/sweeper.h"
#include "sim/crashable_kv.h"
#include "sim/simulated_clock.h"

// Shards without consensus, for tests: each has a log that never lies, and everything runs on virtual time.

namespace kiseki::shard::detail {

/// The log of one shard: what survives a crash.
struct TinyLog {
  std::vector<std::string> entries;  // the first has index 2
};

/// Proposes into a TinyLog; what is proposed in one turn of the loop is applied together in a later one.
class TinyJournal final : public Journal {
 public:
  TinyJournal(TinyLog& log, Shard& shard, Executor executor);
  ~TinyJournal() override { *alive_ = false; }
  Result<raft::Replica::Position> propose(std::string payload) override;
  Task<Result<>> read_barrier() override { co_return Result<>{}; }
  bool reads_locally() const override { return true; }
  /// Applies what the log has and the shard has not.
  void replay();

 private:
  TinyLog& log_;
  Shard& shard_;
  Executor executor_;
  bool posted_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // shared with a posted turn of the loop
};

/// What one user's calls have left: after so many messages the user is dead. A message is lost before it
/// arrives, or its answer is.
struct Lifeline {
  std::int64_t messages = std::numeric_limits<std::int64_t>::max();
  bool last_arrives = false;

  bool is_dead() const noexcept { return messages <= 0; }
};

/// A shard as one mortal user sees it.
class MortalPort final : public ShardPort {
 public:
  MortalPort(ShardPort& shard, Lifeline& life, Executor executor)
      : shard_(shard), life_(life), executor_(executor) {}
  Task<Result<Answer>> propose(Proposal proposal, Attempt attempt) override;
  Task<Result<PartReply>> read(PartRequest request) override;
  Task<Result<Status>> status(TransactionId id) override;
  Task<Result<bool>> released(TransactionId id, Duration limit) override;
  Task<Result<std::vector<Standing>>> standing() override;
  Task<Result<std::vector<Row>>> scan(Kind kind, Stamp after, std::uint32_t rows_max) override;
  Task<Result<std::vector<Row>>> pending(GoneSessions gone, std::uint32_t rows_max) override;

 private:
  template <class T>
  Task<Result<T>> pass(Task<Result<T>> call);

  ShardPort& shard_;
  Lifeline& life_;
  Executor executor_;
};

/// A session with a life of its own.
struct MortalSession {
  Lifeline life;
  std::vector<std::unique_ptr<MortalPort>> ports;
  std::unique_ptr<Routes> routes;
  std::unique_ptr<Session> session;
};

class ShardWorld {
 public:
  explicit ShardWorld(std::uint32_t data_shards);
  ~ShardWorld();

  sim::SimulatedLoop& loop() noexcept { return loop_; }
  Clock& clock() noexcept { return clock_; }
  sim::CrashableKv& store() noexcept { return store_; }
  const Routes& routes() const noexcept { return *routes_; }
  Shard& shard(std::size_t place) { return *shards_[place]; }

  /// A new session of `process`; earlier ones of it are fenced.
  MortalSession& connect(std::uint64_t process);
  void sweep();
  /// The node dies: every session with it. Unflushed writes of the store are lost, logs stay.
  void crash(std::uint64_t seed);

  /// The leaf of a container whose rows lie in the data shard.
  LeafAddress leaf_in(std::size_t shard, std::uint64_t nth = 0) const;
  /// Nothing is prepared and no intent stands anywhere.
  bool is_clean();

 private:
  void start();
  void end();

  sim::SimulatedLoop loop_;
  sim::SimulatedClock clock_{loop_};
  sim::CrashableKv store_{family_count};
  std::vector<TinyLog> logs_;
  std::vector<std::unique_ptr<Shard>> shards_;
  std::vector<std::unique_ptr<TinyJournal>> journals_;
  std::unique_ptr<Routes> routes_;
  std::vector<std::unique_ptr<MortalSession>> sessions_;
};

inline constexpr NamespaceId test_space{9};

/// A transaction of the tests' namespace.
Transaction transaction_of_test();
Record record_of_test(std::string value);
std::string value_of(const Record& record);

}  // namespace kiseki::shard::detail
