#include "base/memory_budget.h"

#include <gtest/gtest.h>

#include "base/core.h"
#include "base/scope.h"
#include "sim/simulated_clock.h"

namespace kiseki {
namespace {

using enum MemoryUse;
constexpr Duration limit = std::chrono::seconds(30);

struct Budget : ::testing::Test {
  sim::SimulatedLoop loop;
  sim::SimulatedClock clock{loop};
  MemoryBudget budget{96_KiB};  // 12 each, and 60
  Scope scope{loop.executor()};
  std::string order;

  MemoryBudget::Permit take(MemoryUse use, Bytes amount) {
    auto permit = loop.get(budget.acquire_within(clock, limit, use, amount));
    EXPECT_TRUE(permit);
    return permit ? std::move(*permit) : MemoryBudget::Permit();
  }
  Task<> hold(char name, MemoryUse use, Bytes amount, Duration time, Duration patience) {
    auto permit = co_await budget.acquire_within(clock, patience, use, amount);
    order += permit ? name : '-';
    if (permit) co_await clock.sleep(time);
  }
  void start(char name, MemoryUse use, Bytes amount, Duration patience = limit) {
    scope.spawn(hold(name, use, amount, std::chrono::seconds(1), patience));
    loop.run_for(std::chrono::milliseconds(1));
  }
  void TearDown() override { loop.get(scope.stop()); }
};

TEST_F(Budget, a_use_never_waits_for_another) {
  const auto transfers = take(transfer, 60_KiB);
  const auto documents = take(document, 12_KiB);
  EXPECT_TRUE(budget.try_acquire(prompt, 12_KiB));
  EXPECT_FALSE(budget.try_acquire(transfer, 1));
}

TEST_F(Budget, is_granted_in_order_of_arrival_to_those_who_fit) {
  auto held = take(transfer, 50_KiB);
  start('a', transfer, 20_KiB);
  start('b', transfer, 1_KiB);  // would fit, and waits its turn
  start('c', transfer, 60_KiB);
  EXPECT_EQ(order, "");
  EXPECT_TRUE(budget.has_waiters(transfer));
  held.release();
  loop.run_for(std::chrono::milliseconds(1));
  EXPECT_EQ(order, "ab");
  loop.run_for(std::chrono::seconds(3));
  EXPECT_EQ(order, "abc");
}

TEST_F(Budget, who_gives_up_lets_the_next_one_pass) {
  const auto held = take(transfer, 50_KiB);
  start('a', transfer, 20_KiB, std::chrono::seconds(2));
  start('b', transfer, 10_KiB);
  loop.run_for(std::chrono::seconds(3));
  EXPECT_EQ(order, "-b");
}

TEST_F(Budget, more_than_the_whole_is_granted_alone) {
  const auto all = take(transfer, 1_MiB);
  EXPECT_EQ(all.amount(), 60_KiB);
  EXPECT_EQ(budget.available(transfer), 0U);
}

TEST_F(Budget, a_holder_grows_only_when_nobody_has_to_wait_for_it) {
  auto one = take(transfer, 10_KiB);
  EXPECT_TRUE(one.grow(40_KiB));
  EXPECT_FALSE(one.grow(20_KiB));
  EXPECT_EQ(one.amount(), 50_KiB);
  start('a', transfer, 20_KiB);
  EXPECT_FALSE(one.grow(1_KiB));
  one.shrink(5_KiB);
  EXPECT_EQ(budget.available(transfer), 35_KiB);
  loop.run_for(std::chrono::seconds(2));
  EXPECT_EQ(order, "a");
}

TEST(BudgetOfCores, one_core_waits_for_what_another_holds) {
  MemoryBudget budget(96_KiB);
  Core first, second;
  first.start();
  second.start();
  std::atomic<int> done = 0;
  const auto work = [&](Core& core) {
    asio::co_spawn(
        core.executor(),
        [](MemoryBudget& shared, Clock& clock) -> Task<> {
          for (int i = 0; i < 2000; ++i) {
            auto permit = co_await shared.acquire_within(clock, limit, transfer, 40_KiB);
            KISEKI_ASSERT(permit);
            co_await asio::post(co_await asio::this_coro::executor, use_task);
          }
        }(budget, core.clock()),
        [&done](const std::exception_ptr&) { ++done; });
  };
  for (int i = 0; i < 3; ++i) {
    work(first);
    work(second);
  }
  first.join();
  second.join();
  EXPECT_EQ(done, 6);
  EXPECT_EQ(budget.available(transfer), 60_KiB);
}

}  // namespace
}  // namespace kiseki
