#include "s3/uri.h"

#include <array>

namespace kiseki::s3 {

namespace {

constexpr std::array<bool, 256> make_unreserved() {
  std::array<bool, 256> table{};
  for (char c = '0'; c <= '9'; ++c) table[static_cast<unsigned char>(c)] = true;
  for (char c = 'a'; c <= 'z'; ++c) table[static_cast<unsigned char>(c)] = true;
  for (char c = 'A'; c <= 'Z'; ++c) table[static_cast<unsigned char>(c)] = true;
  for (const char c : {'-', '.', '_', '~'}) table[static_cast<unsigned char>(c)] = true;
  return table;
}
constexpr std::array<bool, 256> unreserved = make_unreserved();

int hex_value(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

enum class Plus : std::uint8_t { literal, blank };

std::optional<std::string> decode(std::string_view text, Plus plus) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus == Plus::blank) {
      out.push_back(' ');
    } else if (text[i] != '%') {
      out.push_back(text[i]);
    } else {
      if (text.size() - i < 3) return std::nullopt;
      const int high = hex_value(text[i + 1]);
      const int low = hex_value(text[i + 2]);
      if (high < 0 || low < 0) return std::nullopt;
      out.push_back(static_cast<char>(high * 16 + low));
      i += 2;
    }
  }
  return out;
}

}  // namespace

std::string uri_encode(std::string_view text, Slash slash) {
  static constexpr char digits[] = "0123456789ABCDEF";
  std::string out;
  out.reserve(text.size() + text.size() / 4);
  for (const char c : text) {
    const auto value = static_cast<unsigned char>(c);
    if (unreserved[value] || (c == '/' && slash == Slash::kept)) {
      out.push_back(c);
    } else {
      out.push_back('%');
      out.push_back(digits[value >> 4]);
      out.push_back(digits[value & 15U]);
    }
  }
  return out;
}

std::optional<std::string> percent_decode(std::string_view text) { return decode(text, Plus::literal); }

std::size_t utf8_length(std::string_view text) noexcept {
  if (text.empty()) return 0;
  const auto at = [text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned first = at(0);
  if (first < 0x80) return 1;
  const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((at(i) & 0xc0U) != 0x80) return 0;
  }
  if (first == 0xe0 && at(1) < 0xa0) return 0;  // overlong
  if (first == 0xed && at(1) > 0x9f) return 0;  // surrogate
  if (first == 0xf0 && at(1) < 0x90) return 0;  // overlong
  if (first == 0xf4 && at(1) > 0x8f) return 0;  // above U+10FFFF
  return length;
}

bool is_utf8(std::string_view text) noexcept {
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

std::optional<Query> Query::parse(std::string_view raw) {
  Query query;
  while (!raw.empty()) {
    const std::size_t end = std::min(raw.find('&'), raw.size());
    const std::string_view one = raw.substr(0, end);
    raw.remove_prefix(std::min(end + 1, raw.size()));
    if (one.empty()) continue;
    const std::size_t equals = one.find('=');
    auto name = decode(one.substr(0, equals), Plus::blank);
    auto value = decode(equals == one.npos ? std::string_view{} : one.substr(equals + 1), Plus::blank);
    if (!name || !value) return std::nullopt;
    query.all_.push_back({std::move(*name), std::move(*value)});
  }
  return query;
}

const std::string* Query::find(std::string_view name) const noexcept {
  const auto found = std::ranges::find(all_, name, &QueryParameter::name);
  return found == all_.end() ? nullptr : &found->value;
}

std::string_view Query::get(std::string_view name) const noexcept {
  const std::string* found = find(name);
  return found == nullptr ? std::string_view{} : std::string_view(*found);
}

std::optional<Target> parse_target(std::string_view raw) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!raw.starts_with(scheme)) continue;
    raw.remove_prefix(scheme.size());
    const std::size_t end = raw.find_first_of("/?");
    if (end == raw.npos) return Target{.path = "/", .query = {}};
    raw.remove_prefix(end);
    break;
  }
  const std::size_t question = raw.find('?');
  auto path = percent_decode(raw.substr(0, question));
  auto query = Query::parse(question == raw.npos ? std::string_view{} : raw.substr(question + 1));
  if (!path || !query || !path->starts_with('/')) return std::nullopt;
  if (!is_utf8(*path) || path->find('\0') != std::string::npos) return std::nullopt;
  return Target{.path = std::move(*path), .query = std::move(*query)};
}

}  // namespace kiseki::s3
