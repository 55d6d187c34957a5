#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace kiseki::s3 {

/// Writes one XML document, element by element. Text is escaped; characters XML cannot hold become
/// references, as Amazon writes them.
class XmlWriter {
 public:
  enum class Namespace : std::uint8_t { none, s3 };

  /// `root` and every name given later outlive the writer.
  explicit XmlWriter(std::string_view root, Namespace ns = Namespace::s3);

  /// Room for so many bytes more.
  void reserve(std::size_t size) { out_.reserve(out_.size() + size); }
  XmlWriter& open(std::string_view name);
  XmlWriter& close();
  XmlWriter& element(std::string_view name, std::string_view text);
  /// Of text that holds nothing to escape.
  XmlWriter& plain(std::string_view name, std::string_view text);
  XmlWriter& element(std::string_view name, std::uint64_t number);
  /// Character data of the element that is open.
  XmlWriter& text(std::string_view text);
  XmlWriter& flag(std::string_view name, bool value) { return element(name, value ? "true" : "false"); }

  /// Closes what is open.
  std::string finish();

 private:
  void escape(std::string_view text);
  std::size_t escape_one(std::string_view text);

  std::string out_;
  std::vector<std::string_view> open_;
};

}  // namespace kiseki::s3
