#include "fs/names/names.h"

#include <gtest/gtest.h>

#include "fs/namespaces.h"

namespace kiseki::fs::detail {
namespace {

TEST(Names, keys_are_paths_of_raw_components) {
  const auto check = [](std::string_view key, std::vector<std::string> directories, std::string_view name) {
    const Path path = split_key(key);
    EXPECT_EQ(path.directories, directories) << key;
    EXPECT_EQ(path.name, name) << key;
  };
  check("a", {}, "a");
  check("a/", {"a"}, "");
  check("/", {""}, "");
  check("//x", {"", ""}, "x");
  check("a/b/c", {"a", "b"}, "c");
}

TEST(Names, sort_keys_give_the_byte_order_of_whole_keys) {
  EXPECT_LT(sort_key("a-b", NameType::object), sort_key("a.b", NameType::object));
  EXPECT_LT(sort_key("a.b", NameType::object), sort_key("a", NameType::directory));
  EXPECT_LT(sort_key("a", NameType::directory), sort_key("a0", NameType::object));
  EXPECT_LT(sort_key("a", NameType::object), sort_key("a", NameType::directory));
}

TEST(Names, tokens_tell_names_types_and_directories_apart) {
  SeededRng rng(1);
  const auto one = crypto::Key256::random(rng), other = crypto::Key256::random(rng);
  const auto token = token_of(one, "name", NameType::object);
  EXPECT_EQ(token, token_of(one, "name", NameType::object));
  EXPECT_NE(token, token_of(one, "name", NameType::directory));
  EXPECT_NE(token, token_of(one, "nam", NameType::object));
  EXPECT_NE(token, token_of(other, "name", NameType::object));
}

TEST(Names, separators_are_short_and_between) {
  EXPECT_EQ(separator("abc", "abd"), "abd");
  EXPECT_EQ(separator("ab", "abc"), "abc");
  EXPECT_EQ(separator("apple", "orange"), "o");
  EXPECT_EQ(separator("a", "a/"), "a/");
  EXPECT_EQ(separator("", "x"), "x");
}

TEST(Names, of_namespaces_are_those_of_s3) {
  for (const auto* good : {"abc", "a-b.c", "123", "a1.b2"}) EXPECT_TRUE(check_namespace_name(good)) << good;
  for (const auto* bad :
       {"ab", "Abc", "a_b", "-ab", "ab-", "a..b", "192.168.1.1", "", "a/b", "xn--a", "b--x-s3"}) {
    EXPECT_FALSE(check_namespace_name(bad)) << bad;
  }
  EXPECT_FALSE(check_namespace_name(std::string(64, 'a')));
}

TEST(Names, are_ordered_as_their_sort_keys) {
  SeededRng rng(5);
  const auto any = [&rng] {
    std::string name;
    for (auto left = rng.below(4); left > 0; --left) name += "\0-.0a\xff"[rng.below(6)];
    return name;
  };
  for (int i = 0; i < 20'000; ++i) {
    const std::string a = any(), b = any();
    const auto type_of_a = rng.below(2) == 0 ? NameType::object : NameType::directory;
    const auto type_of_b = rng.below(2) == 0 ? NameType::object : NameType::directory;
    EXPECT_EQ(sorts_before(a, type_of_a, b, type_of_b), sort_key(a, type_of_a) < sort_key(b, type_of_b));
  }
}

}  // namespace
}  // namespace kiseki::fs::detail
