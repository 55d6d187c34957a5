#include "admin_api/socket_path.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>

namespace kiseki::admin_api {

Result<SocketPath> SocketPath::open(const std::filesystem::path& directory) {
  const int descriptor = ::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (descriptor >= 0) return SocketPath(descriptor);
  const Errc code = errno == ENOENT ? Errc::not_found : errno == EACCES ? Errc::denied : Errc::io_error;
  return fail(code, fmt::format("{}: {}", directory.string(), std::strerror(errno)));
}

SocketPath::~SocketPath() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

std::string SocketPath::text() const { return fmt::format("/proc/self/fd/{}/{}", descriptor_, socket_name); }

}  // namespace kiseki::admin_api
