#include "fs/tree/index_tree.h"

#include <gtest/gtest.h>

#include "base/rng.h"

namespace kiseki::fs::detail {
namespace {

/// A tree whose every page is loaded.
struct Loaded {
  explicit Loaded(Bytes page_max) : tree(page_max) { tree.load(IndexTree::root, {}, {}); }

  void insert(std::string separator, std::uint32_t leaf) {
    tree.insert(std::move(separator), LeafId(leaf), [this] { return ++numbers; });
  }
  std::optional<std::uint32_t> floor(std::string_view key) const {
    const auto found = tree.floor(key);
    EXPECT_FALSE(found.missing);
    return found.leaf ? std::optional(found.leaf->value()) : std::nullopt;
  }
  std::size_t live() const {
    std::size_t count = 0;
    for (const auto& [number, node] : tree.nodes()) count += node.erased ? 0 : 1;
    return count;
  }

  IndexTree tree;
  std::uint64_t numbers = 0;
};

TEST(IndexTree, an_empty_one_knows_nothing) {
  const Loaded index(1024);
  EXPECT_FALSE(index.floor("x"));
}

TEST(IndexTree, asks_for_the_pages_it_lacks) {
  IndexTree tree(1024);
  EXPECT_EQ(tree.floor("x").missing, IndexTree::root);
  IndexPage root{.height = 1, .children = {{"", 7}, {"m", 9}}};
  tree.load(IndexTree::root, root, Stamp(5));
  EXPECT_EQ(tree.floor("a").missing, 7U);
  EXPECT_EQ(tree.missing_for("z"), 9U);
  tree.load(9, {.height = 0, .children = {{"n", 3}}}, Stamp(5));
  EXPECT_EQ(tree.floor("z").leaf, LeafId(3));
  // Nothing so low in that page: the answer is in the one before.
  EXPECT_EQ(tree.floor("m").missing, 7U);
  EXPECT_EQ(tree.below("n").missing, 7U);
}

TEST(IndexTree, answers_as_a_sorted_map_does_and_keeps_pages_small) {
  SeededRng rng(11);
  constexpr Bytes page_max = 200;
  Loaded index(page_max);
  std::map<std::string, std::uint32_t, std::less<>> model;
  for (int step = 0; step < 4000; ++step) {
    const std::string separator = std::to_string(rng.below(600));
    if (rng.below(3) > 0) {
      const auto leaf = static_cast<std::uint32_t>(1 + rng.below(1000));
      model[separator] = leaf;
      index.insert(separator, leaf);
    } else if (const auto found = model.find(separator); found != model.end()) {
      index.tree.erase(separator, LeafId(found->second));
      model.erase(found);
    }
    const std::string key = std::to_string(rng.below(700));
    const auto after = model.upper_bound(key);
    const auto expected = after == model.begin() ? std::nullopt : std::optional(std::prev(after)->second);
    ASSERT_EQ(index.floor(key), expected) << step;
  }
  for (const auto& [number, node] : index.tree.nodes()) {
    if (!node.erased) EXPECT_LE(node.page.encoded_size(), page_max + 32);
  }
  EXPECT_GE(index.tree.nodes().at(IndexTree::root).page.height, 2);
  while (!model.empty()) {
    index.tree.erase(model.begin()->first, LeafId(model.begin()->second));
    model.erase(model.begin());
  }
  EXPECT_EQ(index.live(), 1U);
  EXPECT_FALSE(index.floor("9"));
}

TEST(IndexTree, erases_only_what_leads_to_that_leaf) {
  Loaded index(1024);
  index.insert("m", 3);
  index.tree.erase("m", LeafId(4));
  EXPECT_EQ(index.floor("z"), 3U);
}

TEST(IndexPage, comes_back_from_its_bytes_and_refuses_others) {
  const IndexPage page{.height = 3, .children = {{"", 1}, {"q", 1ull << 60}}};
  const auto bytes = page.encode();
  EXPECT_EQ(bytes.size(), page.encoded_size());
  const auto back = IndexPage::decode(as_view(bytes));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->height, 3);
  EXPECT_EQ(back->children, page.children);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(IndexPage::decode(as_view(bytes).first(size)));
  }
  EXPECT_EQ(IndexPage::decode(as_view("\2")).error().code(), Errc::wrong_format);
}

}  // namespace
}  // namespace kiseki::fs::detail
