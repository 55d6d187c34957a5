#include "s3/xml.h"

#include <fmt/format.h>

#include "base/assert.h"

namespace kiseki::s3 {

XmlWriter::XmlWriter(std::string_view root, Namespace space) {
  out_ = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<";
  out_ += root;
  if (space == Namespace::s3) out_ += " xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"";
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

std::string XmlWriter::finish() {
  while (!open_.empty()) close();
  return std::move(out_);
}

void XmlWriter::escape(std::string_view text) {
  for (const char c : text) {
    switch (c) {
      case '&':
        out_ += "&amp;";
        break;
      case '<':
        out_ += "&lt;";
        break;
      case '>':
        out_ += "&gt;";
        break;
      case '"':
        out_ += "&quot;";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          fmt::format_to(std::back_inserter(out_), "&#x{:X};", static_cast<unsigned>(c));
        } else {
          out_ += c;
        }
    }
  }
}

}  // namespace kiseki::s3
