#pragma once

#include <functional>
#include <memory>

#include "base/core.h"
#include "shard/machine/machine.h"
#include "shard/snapshots/snapshot_stream.h"

namespace kiseki::shard::detail {

/// Whole states of one shard: given out, taken in, put in place of the present one.
///
/// A staged snapshot stands in rows of the state family and shows nowhere. Installing marks it first; from
/// then on until its last write, which takes the mark away, the rows of the shard are neither the old state
/// nor the new one, and `finish` at the next start goes on.
class ShardSnapshots final : public raft::Snapshots {
 public:
  /// Told after an installation; the state in memory is made anew.
  using Installed = std::function<Result<>(std::unique_ptr<Machine>)>;
  /// All of it outlives this. `machine` gives the present one.
  ShardSnapshots(ShardId shard, kv::KvStore& store, BlockingPool& pool,
                 std::function<const Machine&()> machine, Installed installed)
      : shard_(shard),
        store_(store),
        pool_(pool),
        machine_(std::move(machine)),
        installed_(std::move(installed)) {}

  Result<std::unique_ptr<raft::SnapshotSource>> take() override;
  Task<Result<>> stage(raft::SnapshotSource& source) override;
  Task<Result<>> install(raft::Index index) override;

  /// At a start, before the shard is opened: carries out an installation that a crash interrupted, and drops
  /// what was staged by halves or is older than the state.
  static Result<> finish(kv::KvStore& store, ShardId shard);

 private:
  Task<Result<>> flush();
  Task<Result<>> write(const kv::Batch& batch);

  ShardId shard_;
  kv::KvStore& store_;
  BlockingPool& pool_;
  std::function<const Machine&()> machine_;
  Installed installed_;
};

}  // namespace kiseki::shard::detail
