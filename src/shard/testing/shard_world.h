#pragma once

#include <map>
#include <memory>
#include <set>
#include <vector>

#include "base/rng.h"
#include "shard/client/registry.h"
#include "shard/client/session.h"
#include "shard/client/session_client.h"
#include "shard/node/local_replica.h"
#include "shard/node/shard.h"
#include "shard/node/sweeper.h"
#include "shard/rows/node_row.h"
#include "shard/testing/test_rows.h"
#include "sim/crashable_kv.h"
#include "sim/simulated_clock.h"

// Shards without consensus, for tests: each has a log that never lies, and everything runs on virtual time.

namespace kiseki::shard::detail {

/// The log of one shard: what survives a crash.
struct TinyLog {
  std::vector<std::string> entries;  // the first has index 2
  bool has_failed = false;           // an entry could not be applied
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

/// A violation of the protocol, planted between users and shards: tests must notice each.
enum class Lie : std::uint8_t {
  none,
  forget_undecided,  ///< Readers are not told of transactions that change what they read.
  call_pending_aborted,
  call_pending_committed,
  pretend_prepared,  ///< A prepare is answered and never made.
  swallow_resolve,   ///< A resolve is answered and never made.
  swallow_fence,
  refuse_again,  ///< What is foreseen on a repetition is taken for the outcome.
};

/// What the way between users and shards does to messages.
struct Weather {
  SeededRng rng{0};
  std::uint64_t duplicates = 0;    ///< Of a hundred proposals arrive once more, later.
  std::uint64_t lost_answers = 0;  ///< Of a hundred proposals.
  /// The next proposal arrives so late, and its user learns nothing.
  std::optional<Duration> delay_next{};
  Lie lie = Lie::none;
};

/// A shard as one mortal user sees it.
class MortalPort : public ShardPort {
 public:
  MortalPort(ShardPort& shard, Lifeline& life, Weather& weather, Scope& late, Clock& clock)
      : shard_(shard), life_(life), weather_(weather), late_(late), clock_(clock) {}
  Task<Result<Reply>> call(Request request, Duration limit) override;

 private:
  Task<Result<Reply>> pass(Task<Result<Reply>> call);
  Task<> deliver_late(std::shared_ptr<const Proposal> proposal, Duration delay);
  Task<Result<Reply>> propose(ProposeRequest request);
  void tell(TransactionStatus& status) const;

  ShardPort& shard_;
  Lifeline& life_;
  Weather& weather_;
  Scope& late_;
  Clock& clock_;
  std::set<TransactionId> repeated_;  // a copy may still be on its way
};

/// A session with a life of its own.
struct MortalSession {
  Lifeline life;
  std::map<ShardId, std::unique_ptr<MortalPort>> ports;
  std::unique_ptr<Routes> routes;
  std::unique_ptr<Session> session;
};

/// The whole removal of a replica at once.
Result<> remove_replica(kv::KvStore& store, ShardId shard);

class ShardWorld {
 public:
  explicit ShardWorld(std::uint32_t data_shards);
  ~ShardWorld();

  Weather& weather() noexcept { return weather_; }
  sim::SimulatedLoop& loop() noexcept { return loop_; }
  sim::SimulatedClock& clock() noexcept { return clock_; }
  /// As after a look at the clocks of others, which agree.
  void set_wall_offset(Duration offset);
  sim::CrashableKv& store() noexcept { return *store_; }
  const Routes& routes() const noexcept { return *routes_; }
  Shard& shard(std::size_t id) { return *shards_.at(ShardId(static_cast<std::uint32_t>(id)))->shard; }
  std::size_t shard_count() const noexcept { return shards_.size(); }

  /// A new session of `process`; earlier ones of it are fenced.
  MortalSession& connect(std::uint64_t process);
  void sweep();
  /// What the sweeper does before.
  void expire();
  /// The node dies: every session with it. Unflushed writes of the store are lost, logs stay.
  void crash(std::uint64_t seed);

  /// Proposes a split at `first`; the child appears when it is applied.
  Answer split(ShardId shard, Slot first);
  /// Moves the node to its other store, which holds an older state or none: every shard by a snapshot. By
  /// seed the other store crashes on the way.
  void change_store(SeededRng& rng);

  /// The leaf of a container whose rows lie in the data shard.
  LeafAddress leaf_in(std::size_t shard, std::uint64_t nth = 0) const;
  /// A shard could not apply an entry, and has stopped.
  bool has_failed() const;
  /// Nothing is prepared and no intent stands anywhere.
  bool is_clean();

 private:
  struct OneShard {
    std::unique_ptr<Shard> shard;
    std::unique_ptr<TinyJournal> journal;
  };
  void start();
  void end();
  void open(ShardId id);
  /// Opens the children of splits, and gives everybody the routes of now.
  void follow();
  void take_routes(MortalSession& session);
  void ingest(ShardId id, sim::CrashableKv& target, SeededRng& rng);

  sim::SimulatedLoop loop_;
  sim::SimulatedClock clock_{loop_};
  StampClock stamps_;
  Weather weather_;
  std::unique_ptr<Scope> late_;  // messages on their way twice
  std::unique_ptr<sim::CrashableKv> store_ = std::make_unique<sim::CrashableKv>(family_count);
  std::unique_ptr<sim::CrashableKv> other_store_ = std::make_unique<sim::CrashableKv>(family_count);
  BlockingPool pool_{0};
  std::map<ShardId, TinyLog> logs_;
  std::map<ShardId, std::unique_ptr<OneShard>> shards_;
  std::uint32_t next_child_;
  std::shared_ptr<bool> alive_;  // shared with a posted turn of the loop
  std::unique_ptr<Routes> routes_;
  std::unique_ptr<Sweeper> sweeper_;
  std::vector<std::unique_ptr<MortalSession>> sessions_;
};

}  // namespace kiseki::shard::detail
