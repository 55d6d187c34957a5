#include "s3/xml.h"

#include <array>
#include <fmt/format.h>

#include "base/assert.h"
#include "s3/uri.h"

namespace kiseki::s3 {

namespace {

std::string_view entity_of(char c) noexcept {
  switch (c) {
    case '&':
      return "&amp;";
    case '<':
      return "&lt;";
    case '>':
      return "&gt;";
    case '"':
      return "&quot;";
    default:
      return {};
  }
}

/// What stands in a document as it is.
constexpr std::array<bool, 256> make_plain() {
  std::array<bool, 256> table{};
  for (std::size_t c = 0x20; c < 0x80; ++c) table[c] = true;
  for (const char c : {'&', '<', '>', '"'}) table[static_cast<unsigned char>(c)] = false;
  return table;
}
constexpr std::array<bool, 256> plain = make_plain();

std::size_t plain_length(std::string_view text) noexcept {
  std::size_t length = 0;
  while (length < text.size() && plain[static_cast<unsigned char>(text[length])]) ++length;
  return length;
}

}  // namespace

XmlWriter::XmlWriter(std::string_view root, Namespace ns) {
  out_ = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<";
  out_ += root;
  if (ns == Namespace::s3) out_ += " xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"";
  out_ += '>';
  open_.push_back(root);
}

XmlWriter& XmlWriter::open(std::string_view name) {
  out_.append("<").append(name).append(">");
  open_.push_back(name);
  return *this;
}

XmlWriter& XmlWriter::close() {
  KISEKI_ASSERT(!open_.empty());
  out_.append("</").append(open_.back()).append(">");
  open_.pop_back();
  return *this;
}

XmlWriter& XmlWriter::element(std::string_view name, std::string_view text) {
  out_.append("<").append(name).append(">");
  escape(text);
  out_.append("</").append(name).append(">");
  return *this;
}

XmlWriter& XmlWriter::element(std::string_view name, std::uint64_t number) {
  const fmt::format_int digits(number);
  return plain(name, std::string_view(digits.data(), digits.size()));
}

XmlWriter& XmlWriter::plain(std::string_view name, std::string_view text) {
  out_.append("<").append(name).append(">").append(text).append("</").append(name).append(">");
  return *this;
}

XmlWriter& XmlWriter::text(std::string_view text) {
  escape(text);
  return *this;
}

std::string XmlWriter::finish() {
  while (!open_.empty()) close();
  return std::move(out_);
}

void XmlWriter::escape(std::string_view text) {
  for (;;) {
    const std::size_t length = plain_length(text);
    out_.append(text.substr(0, length));
    text.remove_prefix(length);
    if (text.empty()) return;
    text.remove_prefix(escape_one(text));
  }
}

/// The character at the start of a text; returns its length.
std::size_t XmlWriter::escape_one(std::string_view text) {
  const std::size_t length = utf8_length(text);
  const char c = text.front();
  if (length == 0) {
    out_ += "\xEF\xBF\xBD";  // U+FFFD: a document is well formed whatever a name holds
  } else if (length > 1) {
    out_ += text.substr(0, length);
  } else if (static_cast<unsigned char>(c) < 0x20) {
    fmt::format_to(std::back_inserter(out_), "&#x{:X};", static_cast<unsigned>(c));
  } else {
    out_ += entity_of(c);
  }
  return std::max<std::size_t>(length, 1);
}

}  // namespace kiseki::s3
