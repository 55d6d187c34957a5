#include <gtest/gtest.h>

#include "shard/testing/transactions_simulation.h"

namespace kiseki::shard::detail {
namespace {

TEST(Simulation, transactions_are_whole_happen_once_and_in_one_order) {
  const auto found = sim::find_violation(TransactionsSimulation(), sim::Seeds::from_environment(3'900));
  EXPECT_FALSE(found) << found->to_string();
}

}  // namespace
}  // namespace kiseki::shard::detail
