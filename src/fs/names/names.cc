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

}  // namespace kiseki::fs::detail
