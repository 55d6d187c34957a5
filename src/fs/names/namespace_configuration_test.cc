#include <gtest/gtest.h>

#include "base/codec.h"
#include "base/rng.h"
#include "fs/configuration.h"

namespace kiseki::fs {
namespace {

Configuration example() {
  return {.region = "eu-north-1", .tags = {{"team", "storage"}, {"empty", ""}}, .later = {}};
}

std::string with_section(std::string bytes, std::uint8_t type, std::string_view section) {
  Encoder(bytes).integer(type).sized(as_view(section));
  return bytes;
}

Errc refusal_of(const std::string& bytes) {
  const auto decoded = Configuration::decode(as_view(bytes));
  return decoded ? Errc{} : decoded.error().code();
}

TEST(NamespaceConfiguration, comes_back_as_it_was) {
  for (const Configuration& one : {Configuration{}, example()}) {
    const auto back = Configuration::decode(as_view(one.encode()));
    ASSERT_TRUE(back);
    EXPECT_EQ(*back, one);
  }
}

TEST(NamespaceConfiguration, keeps_what_a_later_version_says_may_be_ignored) {
  const std::string bytes = with_section(with_section(example().encode(), 0x80, "x"), 0x93, "more");
  auto decoded = Configuration::decode(as_view(bytes));
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->encode(), bytes);
  decoded->tags.clear();
  EXPECT_TRUE(decoded->encode().ends_with("more")) << "a change leaves it";
}

TEST(NamespaceConfiguration, of_a_later_version_is_refused_where_it_has_to_be_known) {
  EXPECT_EQ(refusal_of(with_section(example().encode(), 3, "versioning")), Errc::wrong_format);
  EXPECT_EQ(refusal_of("\x02"), Errc::wrong_format);
}

TEST(NamespaceConfiguration, has_one_encoding) {
  const std::string empty = Configuration{}.encode();
  EXPECT_EQ(refusal_of({}), Errc::corrupted);
  EXPECT_EQ(refusal_of(with_section(empty, 1, "")), Errc::corrupted) << "an empty section";
  EXPECT_EQ(refusal_of(with_section(with_section(empty, 1, "a"), 1, "b")), Errc::corrupted) << "twice";
  EXPECT_EQ(refusal_of(with_section(with_section(empty, 0x81, "a"), 1, "b")), Errc::corrupted) << "order";
  EXPECT_EQ(refusal_of(with_section(empty, 2, "abc")), Errc::corrupted) << "tags that end early";
  EXPECT_EQ(refusal_of(with_section(empty, 0x80, std::string(Configuration::size_max, 'x'))),
            Errc::too_large);
}

/// What the fuzzer holds it to, from good ones that were damaged.
TEST(NamespaceConfiguration, that_is_damaged_is_refused_or_has_one_encoding) {
  SeededRng rng(7);
  const std::string good = with_section(example().encode(), 0x90, "later");
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes = good;
    for (auto hits = 1 + rng.below(3); hits > 0; --hits) {
      bytes[rng.below(bytes.size())] = static_cast<char>(rng.below(256));
    }
    if (rng.below(4) == 0) bytes.resize(rng.below(bytes.size()));
    const auto decoded = Configuration::decode(as_view(bytes));
    if (decoded) EXPECT_EQ(decoded->encode(), bytes);
  }
}

}  // namespace
}  // namespace kiseki::fs
