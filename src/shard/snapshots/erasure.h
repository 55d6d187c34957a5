#pragma once

#include "base/core.h"
#include "shard/rows/state_rows.h"

namespace kiseki::shard::detail {

/// All rows under some slots.
kv::Range rows_in(SlotRange slots);

/// Takes away every row under these slots, a bounded number a step.
class Erasure {
 public:
  static constexpr std::size_t step_rows_max = 1024;

  Erasure(kv::KvStore& store, SlotRange slots) : store_(store), slots_(slots) {}
  /// False when nothing is left.
  Result<bool> step();

 private:
  kv::KvStore& store_;
  SlotRange slots_;
  std::string from_;        // where the next step goes on
  std::size_t family_ = 0;  // of those that are erased in turn
};

/// Steps of a long work, one after the other.
template <class Steps>
Result<> carry_out(Steps& steps) {
  for (;;) {
    const auto more = steps.step();
    if (!more) return fail(more.error());
    if (!*more) return {};
  }
}

/// The same on the pool: the core is free meanwhile and between the steps.
template <class Steps>
Task<Result<>> carry_out_beside(BlockingPool& pool, Steps& steps) {
  const Executor home = co_await asio::this_coro::executor;
  for (;;) {
    const auto more = co_await pool.run([&steps] { return steps.step(); });
    if (!more) co_return fail(more.error());
    if (!*more) co_return Result<>{};
    co_await asio::post(asio::bind_executor(home, use_task));
  }
}

}  // namespace kiseki::shard::detail
