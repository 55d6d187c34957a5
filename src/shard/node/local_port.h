#pragma once

#include "base/crossing.h"
#include "shard/node/shard.h"

namespace kiseki::shard::detail {

/// A shard of this node, called from any of its cores.
class LocalPort final : public ShardPort {
 public:
  /// The shard outlives every call.
  LocalPort(Shard& shard, Executor home) : shard_(shard), home_(home) {}

  Task<Result<Reply>> call(Request request, Duration limit) override {
    return on(home_, shard_.call(std::move(request), limit));
  }

 private:
  Shard& shard_;
  Executor home_;
};

}  // namespace kiseki::shard::detail
