#include "keys/detail/secret_file.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace kiseki::keys::detail {
namespace {

namespace fs = std::filesystem;

class FileDescriptor {
 public:
  explicit FileDescriptor(int number) noexcept : number_(number) {}
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  ~FileDescriptor() {
    if (number_ >= 0) ::close(number_);
  }
  int number() const noexcept { return number_; }
  bool is_open() const noexcept { return number_ >= 0; }

 private:
  int number_;
};

/// Removes a name when it goes out of scope.
class TemporaryName {
 public:
  explicit TemporaryName(std::string path) : path_(std::move(path)) {}
  TemporaryName(const TemporaryName&) = delete;
  TemporaryName& operator=(const TemporaryName&) = delete;
  ~TemporaryName() { ::unlink(path_.c_str()); }
  const char* path() const noexcept { return path_.c_str(); }

 private:
  std::string path_;
};

Errc code_of(int error) {
  switch (error) {
    case ENOENT:
    case ENOTDIR:
      return Errc::not_found;
    case EACCES:
    case EPERM:
    case EROFS:
      return Errc::denied;
    case ENOSPC:
    case EDQUOT:
      return Errc::no_space;
    case EEXIST:
      return Errc::exists;
    default:
      return Errc::io_error;
  }
}

std::unexpected<Error> fail_errno(std::string_view call, const fs::path& path) {
  const int error = errno;
  return fail(code_of(error), fmt::format("{} {}: {}", call, path.native(), std::strerror(error)));
}

Result<> check_file(int file, const fs::path& path, Bytes limit, Bytes& size) {
  struct stat status{};
  if (::fstat(file, &status) != 0) return fail_errno("stat", path);
  if (!S_ISREG(status.st_mode)) return fail(Errc::wrong_format, path.native() + " is not a regular file");
  const auto mode = static_cast<unsigned>(status.st_mode) & 07777U;
  if ((mode & 077U) != 0) {
    return fail(Errc::denied,
                fmt::format("{0} has mode {1:04o}: others than its owner may use it; chmod 600 {0}",
                            path.native(), mode));
  }
  size = static_cast<Bytes>(status.st_size);
  if (size > limit)
    return fail(Errc::wrong_format, fmt::format("{} is too long: {} bytes", path.native(), size));
  return {};
}

/// `bytes` becomes as long as what is there.
Result<> read_whole(int file, const fs::path& path, std::string& bytes) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t count = ::read(file, bytes.data() + done, bytes.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail_errno("read", path);
    if (count == 0) break;
    done += static_cast<std::size_t>(count);
  }
  bytes.resize(done);
  return {};
}

Result<> write_whole(int file, const fs::path& path, View bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(file, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail_errno("write", path);
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
  return ::fsync(file) == 0 ? Result<>{} : fail_errno("sync", path);
}

Result<> sync_directory(const fs::path& file) {
  const fs::path directory = file.has_parent_path() ? file.parent_path() : fs::path(".");
  const FileDescriptor opened(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!opened.is_open()) return fail_errno("open directory", directory);
  return ::fsync(opened.number()) == 0 ? Result<>{} : fail_errno("sync directory", directory);
}

/// `link` fails when the name is taken, which `rename` does not.
Result<> place(const char* written, const fs::path& path, Placement placement) {
  const bool placed = placement == Placement::only_new ? ::link(written, path.c_str()) == 0
                                                       : ::rename(written, path.c_str()) == 0;
  return placed ? Result<>{} : fail_errno("place", path);
}

}  // namespace

Result<crypto::SecretText> read_secret_file(const fs::path& path, Bytes limit) {
  // A pipe in the file's place must not block the start.
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!file.is_open()) return fail_errno("open", path);
  Bytes size = 0;
  KISEKI_TRY(check_file(file.number(), path, limit, size));
  std::string bytes(size, '\0');
  const auto read = read_whole(file.number(), path, bytes);
  crypto::SecretText content(std::move(bytes));
  KISEKI_TRY(read);
  return content;
}

Result<> write_secret_file(const fs::path& path, View content, Placement placement) {
  std::string name = path.native() + ".new.XXXXXX";
  const FileDescriptor file(::mkostemp(name.data(), O_CLOEXEC));  // mode 0600
  if (!file.is_open()) return fail_errno("create", name);
  const TemporaryName temporary(std::move(name));
  KISEKI_TRY(write_whole(file.number(), temporary.path(), content));
  KISEKI_TRY(place(temporary.path(), path, placement));
  return sync_directory(path);
}

}  // namespace kiseki::keys::detail
