#include "sim/linearizable.h"

#include <gtest/gtest.h>

#include "base/rng.h"

namespace kiseki::sim {
namespace {

using Type = Call::Type;

BootTime at(int time) { return BootTime(Duration(time)); }
Call answered(Type type, std::uint64_t value, int from, int to, std::uint64_t expected = 0) {
  return {
      .type = type, .key = "k", .value = value, .expected = expected, .called = at(from), .returned = at(to)};
}

TEST(Linearizable, accepts_what_one_order_explains) {
  EXPECT_EQ(linearizability_violation({answered(Type::write, 1, 0, 10), answered(Type::read, 0, 1, 2),
                                       answered(Type::read, 1, 3, 4), answered(Type::read, 1, 11, 12)}),
            "");
  EXPECT_EQ(linearizability_violation({answered(Type::swap, 2, 0, 10, 1), answered(Type::write, 1, 5, 9),
                                       answered(Type::swap_refused, 0, 11, 12, 1)}),
            "");
}

TEST(Linearizable, finds_a_stale_read) {
  EXPECT_NE(linearizability_violation({answered(Type::write, 1, 0, 1), answered(Type::read, 0, 2, 3)}), "");
  EXPECT_NE(linearizability_violation({answered(Type::write, 1, 0, 10), answered(Type::read, 1, 1, 2),
                                       answered(Type::read, 0, 3, 4)}),
            "");
}

TEST(Linearizable, finds_a_lost_write) {
  EXPECT_NE(linearizability_violation({answered(Type::write, 1, 0, 1), answered(Type::write, 2, 2, 3),
                                       answered(Type::read, 1, 4, 5)}),
            "");
  EXPECT_NE(linearizability_violation({answered(Type::swap, 1, 0, 1), answered(Type::swap, 2, 0, 1)}), "");
}

TEST(Linearizable, a_call_without_answer_may_happen_late_or_never) {
  Call write = answered(Type::write, 1, 0, 0);
  write.returned.reset();
  EXPECT_EQ(linearizability_violation({write, answered(Type::read, 0, 1, 2)}), "");
  EXPECT_EQ(
      linearizability_violation({write, answered(Type::read, 0, 1, 2), answered(Type::read, 1, 50, 51)}), "");
  EXPECT_NE(
      linearizability_violation({write, answered(Type::read, 1, 1, 2), answered(Type::read, 0, 50, 51)}), "");
}

TEST(Linearizable, says_when_it_gives_up) {
  std::vector<Call> calls;
  for (int i = 1; i <= 30; ++i) calls.push_back(answered(Type::write, static_cast<std::uint64_t>(i), 0, 100));
  calls.push_back(answered(Type::read, 99, 101, 102));
  EXPECT_TRUE(linearizability_violation(calls, 1000).starts_with("undecided"));
}

TEST(Linearizable, calls_without_an_end_that_nobody_saw_cost_nothing) {
  std::vector<Call> calls;
  for (int i = 1; i <= 200; ++i) {
    calls.push_back(answered(i % 2 == 0 ? Type::write : Type::swap, static_cast<std::uint64_t>(i), i, i,
                             static_cast<std::uint64_t>(i - 1)));
    calls.back().returned.reset();
  }
  calls.push_back(answered(Type::write, 500, 300, 310));
  calls.push_back(answered(Type::read, 500, 320, 330));
  EXPECT_EQ(linearizability_violation(calls, 1000), "");
  calls.push_back(answered(Type::read, 0, 340, 350));
  EXPECT_NE(linearizability_violation(calls, 1000), "");
}

TEST(Linearizable, a_swap_refused_for_a_call_without_an_end_is_explained) {
  Call write = answered(Type::write, 7, 5, 0);
  write.returned.reset();
  EXPECT_EQ(linearizability_violation({write, answered(Type::swap_refused, 1, 10, 20, 0)}), "");
  EXPECT_NE(linearizability_violation({answered(Type::swap_refused, 1, 10, 20, 0)}), "");
}

/// Calls of several clients on a register that is right, with their order known by construction.
std::vector<Call> true_history(SeededRng& rng, int calls) {
  std::vector<Call> history;
  std::uint64_t held = 0;
  for (int i = 1; i <= calls; ++i) {
    const int moment = i * 10;
    Call call{.key = "k",
              .called = at(moment - static_cast<int>(rng.below(40))),
              .returned = at(moment + static_cast<int>(rng.below(40)))};
    if (rng.below(2) == 0) {
      call.type = Type::write;
      held = call.value = static_cast<std::uint64_t>(i);
      if (rng.below(8) == 0) call.returned.reset();
    } else {
      call.value = held;
    }
    history.push_back(call);
  }
  return history;
}

TEST(Linearizable, tells_true_histories_from_altered_ones) {
  SeededRng rng(1);
  int found = 0;
  for (int round = 0; round < 50; ++round) {
    auto history = true_history(rng, 60);
    EXPECT_EQ(linearizability_violation(history), "");
    for (Call& call : history) {
      if (call.type == Type::read && call.called > at(300)) call.value = 1'000'000;
    }
    found += linearizability_violation(history).empty() ? 0 : 1;
  }
  EXPECT_EQ(found, 50);
}

}  // namespace
}  // namespace kiseki::sim
