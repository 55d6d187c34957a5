#include "fs/names/names.h"

#include <algorithm>
#include <cstring>

#include "crypto/hash.h"

namespace kiseki::fs::detail {

Path split_key(std::string_view key) {
  Path path;
  for (auto slash = key.find('/'); slash != key.npos; slash = key.find('/')) {
    path.directories.emplace_back(key.substr(0, slash));
    key.remove_prefix(slash + 1);
  }
  path.name = key;
  return path;
}

std::string sort_key(std::string_view name, NameType type) {
  std::string key(name);
  if (type == NameType::directory) key.push_back('/');
  return key;
}

shard::Token token_of(const crypto::Key256& name_key, std::string_view name, NameType type) {
  const std::byte type_byte{static_cast<std::uint8_t>(type)};
  const auto digest = crypto::hmac_sha256(name_key.view(), {View(&type_byte, 1), as_view(name)});
  shard::Token token;
  std::copy_n(digest.begin(), token.size(), token.begin());
  return token;
}

std::string item_of(const shard::Token& token) { return std::string(as_text(token)); }

std::string separator(std::string_view lower, std::string_view upper) {
  const auto [at_lower, at_upper] = std::ranges::mismatch(lower, upper);
  const auto shared = static_cast<std::size_t>(at_upper - upper.begin());
  return std::string(upper.substr(0, shared + 1));
}

namespace {

bool is_letter_or_digit(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

bool is_address(std::string_view name) {
  return std::ranges::all_of(name, [](char c) { return (c >= '0' && c <= '9') || c == '.'; }) &&
         std::ranges::count(name, '.') == 3;
}

}  // namespace

Result<> check_namespace_name(std::string_view name) {
  const bool length = name.size() >= 3 && name.size() <= 63;
  if (!length) return fail(Errc::invalid_argument, "a name has 3 to 63 characters");
  const bool characters =
      std::ranges::all_of(name, [](char c) { return is_letter_or_digit(c) || c == '.' || c == '-'; });
  if (!characters || !is_letter_or_digit(name.front()) || !is_letter_or_digit(name.back())) {
    return fail(Errc::invalid_argument,
                "a name is made of a-z, 0-9, '.' and '-', and begins and ends with a letter or digit");
  }
  if (name.contains("..") || is_address(name)) {
    return fail(Errc::invalid_argument, "a name has no two dots in a row and is not an IP address");
  }
  return {};
}

}  // namespace kiseki::fs::detail
