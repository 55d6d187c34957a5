#pragma once

#include <filesystem>
#include <string>

#include "base/result.h"

namespace kiseki::admin_api {

/// The name of the admin socket in a data directory.
inline constexpr const char* socket_name = "admin.sock";

/// A name for a socket that fits the 108 bytes of `sockaddr_un`, however long the directory's own name is:
/// the directory is opened and named by its descriptor. Valid while the object lives.
class SocketPath {
 public:
  /// `not_found`, `denied`, `io_error`.
  static Result<SocketPath> open(const std::filesystem::path& directory);
  SocketPath(SocketPath&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  SocketPath& operator=(SocketPath&& other) = delete;
  ~SocketPath();

  std::string text() const;

 private:
  explicit SocketPath(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
};

}  // namespace kiseki::admin_api
