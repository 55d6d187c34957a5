#include "fs/tree/tree_core.h"

#include <gtest/gtest.h>

namespace kiseki::fs::detail {
namespace {

crypto::Key256 some_key() { return crypto::Key256::copy_of(as_view(std::string(32, 'k'))).value(); }

std::string long_fence(std::size_t number) { return std::string(1000, 'x') + std::to_string(number); }

TEST(DirectoryState, remembers_within_a_bound_of_bytes_that_all_share) {
  const auto memory = std::make_shared<HintMemory>();
  DirectoryState idle(some_key(), memory);
  idle.learn("m", LeafId(7));
  {
    DirectoryState large(some_key(), memory);
    for (std::uint32_t i = 1; i <= 3 * HintMemory::max / 1000; ++i) {
      large.learn(long_fence(i), LeafId(i));
      large.allow(LeafId(i), {.creates = 1});
      ASSERT_LE(memory->now, HintMemory::max);
    }
    EXPECT_EQ(idle.route("n"), LeafId(7));
  }
  EXPECT_LT(memory->now, 200u);
  EXPECT_EQ(idle.forget(LeafId(7)), std::vector<std::string>{"m"});
  EXPECT_EQ(memory->now, 0u);
}

TEST(DirectoryState, counts_what_is_learnt_again_once) {
  const auto memory = std::make_shared<HintMemory>();
  DirectoryState state(some_key(), memory);
  state.learn("m", LeafId(7));
  const Bytes once = memory->now;
  state.learn("m", LeafId(8));
  EXPECT_EQ(memory->now, once);
  EXPECT_EQ(state.route("m"), LeafId(8));
}

}  // namespace
}  // namespace kiseki::fs::detail
