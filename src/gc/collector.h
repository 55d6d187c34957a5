#pragma once

#include <memory>
#include <vector>

#include "base/scope.h"
#include "chunk/device.h"
#include "shard/chunk_references.h"
#include "shard/client.h"

namespace kiseki::gc {

namespace detail {
struct CollectionRow;
}

/// Gives the space of chunks that nothing refers to back to the devices, in rounds (PROTOCOLS 6.5, 6.6).
///
/// A round raises the epoch, lets every device and then every shard learn it, and only then asks the shards
/// about chunks that were put before; what none of them counts, the devices delete unless it was put again.
/// A round that stops anywhere has done no harm, and the next one does what is left. Two collectors at once
/// hinder each other and harm nothing. Belongs to one core.
class Collector {
 public:
  struct Options {
    Duration interval = std::chrono::seconds(60);
    std::uint64_t rounds_whole = 60;  ///< Every so many rounds ask about all chunks, not only new ones.
    Duration alarm_after = std::chrono::minutes(10);  ///< When no round has ended for so long.
  };
  struct Status {
    GcEpoch epoch;
    std::uint64_t rounds = 0;      ///< Completed by this process.
    std::uint64_t candidates = 0;  ///< Chunks asked about by the last round.
    std::uint64_t freed_chunks = 0;
    Bytes freed = 0;          ///< By this process.
    Bytes pending = 0;        ///< Found without references in the round under way, and not yet deleted.
    std::string stalled;      ///< Why the last round did not end; empty: it did.
    bool is_overdue = false;  ///< No round has ended for `alarm_after`: something that must answer does not.
  };

  /// `client`: of this core. All outlive it.
  Collector(Options options, Clock& clock, shard::Client& client, shard::ChunkReferences references,
            std::vector<chunk::Device*> devices);
  ~Collector();

  /// Devices learn the epoch: before they take puts, after every start.
  Task<Result<>> start();
  /// Rounds until `scope` stops.
  Task<> run(Scope& scope);
  /// One round. Errors are retriable: `conflict` when another collector is at work.
  Task<Result<>> round();
  const Status& status() const noexcept { return status_; }

 private:
  /// Beside the rounds, as one may never come back.
  Task<> watch(Scope& scope);
  void look_at_age();
  Task<Result<detail::CollectionRow>> read() const;
  Task<Result<>> write(detail::CollectionRow& row) const;
  Task<Result<>> teach_devices(GcEpoch epoch) const;
  Task<Result<>> raise_shards(GcEpoch epoch) const;
  /// A fragment that may go, and where it is.
  struct Candidate {
    std::size_t device = 0;  ///< Its place in `devices_`.
    chunk::AgedFragment fragment;
  };
  Task<Result<>> collect(chunk::EpochRange last_puts);
  Task<Result<>> collect_aged(chunk::EpochRange last_puts);
  Task<Result<>> collect_lost(ShardId shard, GcEpoch below);
  Task<Result<>> judge(std::vector<Candidate> candidates, GcEpoch below);
  Task<Result<>> erase(chunk::Device& device, std::vector<chunk::AgedFragment> fragments, GcEpoch below);
  Task<Result<std::vector<bool>>> counted(std::vector<ChunkName> chunks, GcEpoch round);
  void add_pending(Bytes found, Bytes erased);

  Options options_;
  Clock& clock_;
  shard::Client& client_;
  shard::ChunkReferences references_;
  std::vector<chunk::Device*> devices_;
  Status status_;
  std::uint64_t rounds_ = 0;
  BootTime ended_;                // the last round, or the start
  const Scope* scope_ = nullptr;  // of `run`
};

}  // namespace kiseki::gc
