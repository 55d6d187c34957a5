#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "crypto/secret.h"
#include "shard/record.h"

namespace kiseki::fs::detail {

/// Two names may differ in this alone: the object `a` beside the directory `a/`.
enum class NameType : std::uint8_t { object = 1, directory = 2 };

/// An S3 key as a path. Components are raw bytes and may be empty: `a/` is the object "" in directory a.
struct Path {
  std::vector<std::string> directories;
  std::string name;
};
Path split_key(std::string_view key);

/// What entries are ordered by: depth-first order is then the byte order of whole keys.
std::string sort_key(std::string_view name, NameType type);
/// The order of two sort keys, which are not made for it.
bool sorts_before(std::string_view a, NameType type_of_a, std::string_view b, NameType type_of_b);

/// An entry's item: first 16 bytes of HMAC-SHA-256(name key, type ‖ name).
shard::Token token_of(const crypto::Key256& name_key, std::string_view name, NameType type);
std::string item_of(const shard::Token& token);

/// The shortest string above `lower` and not above `upper`; `lower` < `upper`.
std::string separator(std::string_view lower, std::string_view upper);

}  // namespace kiseki::fs::detail
