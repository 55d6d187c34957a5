#include "disk/detail/posix.h"

#include <atomic>
#include <cerrno>
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <system_error>
#include <unistd.h>

#include "base/logging.h"

namespace kiseki::disk::detail {

namespace {

Errc code_of(int number) {
  switch (number) {
    case ENOENT:
      return Errc::not_found;
    case EEXIST:
      return Errc::exists;
    case EACCES:
    case EPERM:
    case EROFS:
      return Errc::denied;
    // A file that may not grow (RLIMIT_FSIZE, a file system's limit) is full like a disk.
    case EFBIG:
    case EDQUOT:
    case ENOSPC:
      return Errc::no_space;
    case EISDIR:
      return Errc::is_directory;
    case ENOTDIR:
      return Errc::not_directory;
    case ENOTEMPTY:
      return Errc::not_empty;
    case ENAMETOOLONG:
    case ELOOP:
    case EINVAL:
      return Errc::invalid_argument;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case EBUSY:
      return Errc::busy;
    case EOPNOTSUPP:
      return Errc::not_supported;
    default:
      return Errc::io_error;
  }
}

std::unexpected<Error> refuse(std::string_view call, const std::filesystem::path& path, int number = errno) {
  return fail(system_error(number, fmt::format("{} {}", call, path.native())));
}

/// A NUL inside would silently cut the name short.
Result<> check_name(const std::filesystem::path& path) {
  if (path.empty()) return fail(Errc::invalid_argument, "empty path");
  if (path.native().find('\0') != std::string::npos) return fail(Errc::invalid_argument, "NUL in a path");
  return {};
}

template <class F>
auto uninterrupted(F call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

/// What direct I/O on this file must be aligned to; 0 when the file system has none that a `Buffer` meets.
Bytes direct_alignment(int fd) {
  struct statx status{};
  if (statx(fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &status) != 0 || (status.stx_mask & STATX_DIOALIGN) == 0) {
    return Buffer::alignment;
  }
  const Bytes alignment = std::max(status.stx_dio_mem_align, status.stx_dio_offset_align);
  return status.stx_dio_offset_align == 0 || alignment > Buffer::alignment ? 0 : alignment;
}

int open_flags(OpenOptions options) {
  // O_NONBLOCK keeps the open of a FIFO from waiting for its other end; `finish_open` then refuses it.
  int flags = O_RDWR | O_CLOEXEC | O_NONBLOCK;
  if (options.existence != Existence::must_exist) flags |= O_CREAT;
  if (options.existence == Existence::must_not_exist) flags |= O_EXCL;
  return flags;
}

Result<Opened> finish_open(Descriptor descriptor, const std::filesystem::path& path, Bytes alignment) {
  struct stat status{};
  if (fstat(descriptor.get(), &status) != 0) return refuse("stat", path);
  if (!S_ISREG(status.st_mode)) {
    return fail(Errc::invalid_argument, fmt::format("open {}: not a regular file", path.native()));
  }
  // With O_NONBLOCK io_uring would answer EAGAIN instead of waiting.
  const int flags = fcntl(descriptor.get(), F_GETFL);
  if (flags < 0 || fcntl(descriptor.get(), F_SETFL, flags & ~O_NONBLOCK) != 0) return refuse("fcntl", path);
  return Opened{std::move(descriptor), static_cast<Bytes>(status.st_size), alignment};
}

}  // namespace

Error system_error(int number, std::string_view what) {
  return Error(code_of(number), fmt::format("{}: {}", what, std::generic_category().message(number)));
}

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

Descriptor::~Descriptor() {
  if (fd_ >= 0) close(fd_);
}

void leave_direct_mode(int fd) {
  static std::atomic_flag warned;
  const int flags = fcntl(fd, F_GETFL);
  if (flags >= 0) fcntl(fd, F_SETFL, flags & ~O_DIRECT);
  if (!warned.test_and_set()) {
    log::warning("disk", "the file system refuses direct I/O; files go through the page cache");
  }
}

Result<Opened> open_file(const std::filesystem::path& path, OpenOptions options) {
  KISEKI_TRY(check_name(path));
  const bool direct = options.caching == Caching::direct;
  const int flags = open_flags(options);
  int fd = uninterrupted([&] { return open(path.c_str(), flags | (direct ? O_DIRECT : 0), 0600); });
  if (fd < 0 && errno == EINVAL && direct) {
    // The refused call may have created the file, so O_EXCL would now fail.
    fd = uninterrupted([&] { return open(path.c_str(), flags & ~O_EXCL, 0600); });
    if (fd >= 0) leave_direct_mode(fd);
    if (fd >= 0) return finish_open(Descriptor(fd), path, 1);
  }
  if (fd < 0) return refuse("open", path);
  Descriptor descriptor(fd);
  const Bytes alignment = direct ? direct_alignment(fd) : 1;
  if (alignment == 0) leave_direct_mode(fd);
  return finish_open(std::move(descriptor), path, std::max<Bytes>(alignment, 1));
}

Result<> make_directory(const std::filesystem::path& path) {
  KISEKI_TRY(check_name(path));
  if (mkdir(path.c_str(), 0700) == 0) {
    const auto parent = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
    return sync_directory(parent);
  }
  if (errno == ENOENT && path.has_parent_path() && path.parent_path() != path) {
    KISEKI_TRY(make_directory(path.parent_path()));
    return make_directory(path);
  }
  struct stat status{};
  if (errno != EEXIST || stat(path.c_str(), &status) != 0) return refuse("mkdir", path);
  if (!S_ISDIR(status.st_mode)) return refuse("mkdir", path, ENOTDIR);
  return {};
}

Result<std::vector<std::string>> list_directory(const std::filesystem::path& path) {
  KISEKI_TRY(check_name(path));
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(opendir(path.c_str()), closedir);
  if (directory == nullptr) return refuse("list", path);
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = readdir(directory.get())) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  if (errno != 0) return refuse("list", path);
  std::ranges::sort(names);
  return names;
}

Result<> rename_path(const std::filesystem::path& from, const std::filesystem::path& to) {
  KISEKI_TRY(check_name(from));
  KISEKI_TRY(check_name(to));
  if (rename(from.c_str(), to.c_str()) != 0) return refuse("rename", from);
  return {};
}

Result<> remove_path(const std::filesystem::path& path) {
  KISEKI_TRY(check_name(path));
  if (remove(path.c_str()) != 0) return refuse("remove", path);
  return {};
}

Result<> sync_directory(const std::filesystem::path& path) {
  KISEKI_TRY(check_name(path));
  const Descriptor descriptor(
      uninterrupted([&] { return open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); }));
  if (descriptor.get() < 0) return refuse("open", path);
  if (uninterrupted([&] { return fsync(descriptor.get()); }) != 0) return refuse("sync", path);
  return {};
}

Result<SpaceReport> space_of(const std::filesystem::path& path) {
  KISEKI_TRY(check_name(path));
  struct statvfs status{};
  if (statvfs(path.c_str(), &status) != 0) return refuse("statvfs", path);
  return SpaceReport{Bytes{status.f_blocks} * status.f_frsize, Bytes{status.f_bavail} * status.f_frsize};
}

}  // namespace kiseki::disk::detail
