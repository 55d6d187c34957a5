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

bool sorts_before(std::string_view a, NameType type_of_a, std::string_view b, NameType type_of_b) {
  const auto common = std::min(a.size(), b.size());
  if (const int order = a.substr(0, common).compare(b.substr(0, common)); order != 0) return order < 0;
  const auto rest = [common](std::string_view name, NameType type) {
    if (name.size() > common) return 1 + static_cast<unsigned char>(name[common]);
    return type == NameType::directory ? 1 + '/' : 0;
  };
  const int next_of_a = rest(a, type_of_a), next_of_b = rest(b, type_of_b);
  if (next_of_a != next_of_b) return next_of_a < next_of_b;
  // Names hold no '/': both end here, or one does as a name and the other as itself.
  return a.size() < b.size();
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
