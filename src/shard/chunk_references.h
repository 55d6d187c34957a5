#pragma once

#include <optional>
#include <vector>

#include "base/chunk_reference.h"
#include "base/ids.h"
#include "base/task.h"
#include "shard/key.h"

namespace kiseki::shard {

namespace detail {
class Routes;
}

/// What garbage collection asks of the shards (rule 6.6), one by one. An error tells nothing.
class ChunkReferences {
 public:
  explicit ChunkReferences(const detail::Routes& routes) : routes_(routes) {}

  std::vector<ShardId> shards() const;

  /// From the return on these slots of the shard refuse transactions whose chunks were put before `epoch`.
  Task<Result<SlotRange>> raise(ShardId shard, GcEpoch epoch) const;

  /// What one shard says of some chunks, at one moment.
  struct Judgement {
    SlotRange slots;            ///< That the answer speaks for.
    GcEpoch epoch;              ///< The shard's: it judges this round alone.
    bool is_known = false;      ///< False: it was built in this round and does not know what went.
    std::vector<bool> counted;  ///< As asked: there is a reference, or there was one in this round.
  };
  Task<Result<Judgement>> judge(ShardId shard, std::vector<ChunkName> chunks) const;

  /// Chunks that lost a reference in the shard before `below`, from `from` on.
  struct Lost {
    std::vector<ChunkName> chunks;
    std::optional<ChunkName> next;
  };
  Task<Result<Lost>> lost(ShardId shard, ChunkName from, GcEpoch below) const;
  /// No round needs to know any more what these lost before `below`.
  Task<Result<>> forget(ShardId shard, std::vector<ChunkName> chunks, GcEpoch below) const;

 private:
  const detail::Routes& routes_;
};

}  // namespace kiseki::shard
