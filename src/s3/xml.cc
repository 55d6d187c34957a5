#include "s3/xml.h"

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
  open(name);
  escape(text);
  return close();
}

XmlWriter& XmlWriter::element(std::string_view name, std::uint64_t number) {
  return element(name, fmt::format_int(number).c_str());
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
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    const char c = text.front();
    if (length == 0) {
      out_ += "\xEF\xBF\xBD";  // U+FFFD: a document is well formed whatever a name holds
    } else if (length > 1) {
      out_ += text.substr(0, length);
    } else if (static_cast<unsigned char>(c) < 0x20) {
      fmt::format_to(std::back_inserter(out_), "&#x{:X};", static_cast<unsigned>(c));
    } else if (const std::string_view entity = entity_of(c); !entity.empty()) {
      out_ += entity;
    } else {
      out_ += c;
    }
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
}

}  // namespace kiseki::s3
