#pragma once

#include "base/task.h"
#include "shard/requests.h"

namespace kiseki::shard {

/// A shard as clients reach it, wherever it is.
class ShardPort {
 public:
  virtual ~ShardPort() = default;
  /// The reply is of the type that the request names. An error leaves the outcome of a proposal unknown, but
  /// for `no_space` and `cancelled` of a first attempt, `not_leader`, and `invalid_argument` and `too_large`:
  /// what no client sends. A read of slots that lie elsewhere is `stale`.
  /// Ends within `limit`, or a moment later.
  virtual Task<Result<Reply>> call(Request request, Duration limit) = 0;

  template <class Asked>
  Task<Result<typename Asked::Reply>> ask(Asked request, Duration limit = call_limit) {
    auto reply = co_await call(std::move(request), limit);
    if (!reply) co_return fail(std::move(reply).error());
    co_return std::get<typename Asked::Reply>(*std::move(reply));
  }
};

}  // namespace kiseki::shard
