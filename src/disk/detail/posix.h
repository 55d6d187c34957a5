#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "disk/disk.h"

// System calls that block, with their errors as values. Everything here runs on a pool thread.

namespace kiseki::disk::detail {

/// `number` is an errno; `what` names the call and its object.
Error system_error(int number, std::string_view what);

/// Owns a file descriptor.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept;
  ~Descriptor();
  int get() const noexcept { return fd_; }

 private:
  int fd_ = -1;
};

struct Opened {
  Descriptor descriptor;
  Bytes size = 0;
  Bytes alignment = 1;  ///< Above 1: the file is in direct mode.
};

Result<Opened> open_file(const std::filesystem::path& path, OpenOptions options);
Result<> make_directory(const std::filesystem::path& path);
Result<std::vector<std::string>> list_directory(const std::filesystem::path& path);
Result<> rename_path(const std::filesystem::path& from, const std::filesystem::path& to);
Result<> remove_path(const std::filesystem::path& path);
Result<> sync_directory(const std::filesystem::path& path);
Result<SpaceReport> space_of(const std::filesystem::path& path);

/// Takes a descriptor out of direct mode and says so once a process.
void leave_direct_mode(int fd);

}  // namespace kiseki::disk::detail
