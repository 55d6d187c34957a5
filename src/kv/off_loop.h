#pragma once

#include <type_traits>

#include "base/core.h"
#include "kv/kv_store.h"

namespace kiseki::kv {

/// Calls `call(Blocking::refused)` here, which answers from memory nearly always, and where that would block
/// `call(Blocking::allowed)` on the pool. `call` returns a `Result` and may run twice; what it refers to, a
/// snapshot too, outlives this call and is touched by nobody else meanwhile.
template <class F>
Task<std::invoke_result_t<F, Blocking>> off_loop(BlockingPool& pool, F call) {
  auto result = call(Blocking::refused);
  if (result || result.error().code() != Errc::would_block) co_return result;
  co_return co_await pool.run([&call] { return call(Blocking::allowed); });
}

}  // namespace kiseki::kv
