#include "s3/uri.h"

#include <boost/url/encode.hpp>
#include <boost/url/pct_string_view.hpp>
#include <boost/url/rfc/unreserved_chars.hpp>

namespace kiseki::s3 {

namespace {

namespace urls = boost::urls;

constexpr urls::grammar::lut_chars path_chars = urls::unreserved_chars + '/';

std::optional<std::string> decode(std::string_view text, urls::encoding_opts options) {
  if (text.find_first_of("%+") == text.npos) return std::string(text);
  const auto checked = urls::make_pct_string_view({text.data(), text.size()});
  if (!checked) return std::nullopt;
  return checked->decode(options);
}

constexpr urls::encoding_opts as_query() {
  urls::encoding_opts options;
  options.space_as_plus = true;
  return options;
}

}  // namespace

std::string uri_encode(std::string_view text, Slash slash) {
  return urls::encode({text.data(), text.size()}, slash == Slash::kept ? path_chars : urls::unreserved_chars);
}

std::optional<std::string> percent_decode(std::string_view text) { return decode(text, {}); }

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
    auto name = decode(one.substr(0, equals), as_query());
    auto value = decode(equals == one.npos ? std::string_view{} : one.substr(equals + 1), as_query());
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
