#pragma once

#include <array>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace kiseki::apps {

/// What a data directory says it is (docs/formats/data-directory.md).
struct Marker {
  static constexpr std::uint32_t version = 1;
  std::array<std::byte, 16> cluster{};
  std::array<std::byte, 16> key{};  ///< Fingerprint of the system key.

  std::string format() const;
  /// `wrong_format`.
  static Result<Marker> parse(std::string_view text);
  friend bool operator==(const Marker&, const Marker&) = default;
};

/// A data directory, held by this process alone while the object lives.
class DataDirectory {
 public:
  static constexpr const char* marker_name = "kiseki.format";
  static constexpr const char* key_name = "keys";

  /// Makes the directory when there is none, and writes nothing else. `busy` when another process holds it,
  /// `wrong_format` when it is something else, `denied`, `io_error`.
  static Result<DataDirectory> open(const std::filesystem::path& path);
  DataDirectory(DataDirectory&& other) noexcept;
  DataDirectory& operator=(DataDirectory&& other) = delete;
  /// Removes the directory again when this object made it and nothing is in it.
  ~DataDirectory();

  /// Absolute.
  const std::filesystem::path& path() const noexcept { return path_; }
  /// Nothing: the first start.
  const std::optional<Marker>& marker() const noexcept { return marker_; }

 private:
  DataDirectory(std::filesystem::path path, int descriptor, bool made)
      : path_(std::move(path)), descriptor_(descriptor), made_(made) {}
  Result<> hold() const;
  Result<> read_marker();

  std::filesystem::path path_;
  int descriptor_;
  bool made_;
  std::optional<Marker> marker_;
};

}  // namespace kiseki::apps
