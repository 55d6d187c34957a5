#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/buffer.h"
#include "base/core.h"
#include "base/result.h"
#include "base/task.h"

namespace kiseki::disk {

/// An open file of one core. Offsets and sizes in bytes. Calls on one file may overlap; two writes to
/// overlapping ranges may not. A failed write or sync is final: the caller stops using the file.
class File {
 public:
  /// Destroying closes. No call may be under way.
  virtual ~File() = default;

  /// Fills `into`. `out_of_range` when the file ends first, `io_error` otherwise.
  virtual Task<Result<>> read(Bytes offset, MutableView into) = 0;
  /// Writes all of `from`, growing the file where needed. `no_space`, `io_error`. Not durable until `sync`.
  virtual Task<Result<>> write(Bytes offset, View from) = 0;
  /// All completed writes survive a power cut (fdatasync, with the size).
  virtual Task<Result<>> sync() = 0;
  /// As a write and then a sync, in one trip to the kernel where it links calls.
  virtual Task<Result<>> write_and_sync(Bytes offset, View from);
  /// The range exists afterwards and holds zeros where nothing was written; durable after `sync`. `no_space`.
  virtual Task<Result<>> allocate(Bytes offset, Bytes length) = 0;
  /// Cuts or extends.
  virtual Task<Result<>> resize(Bytes size) = 0;
  virtual Bytes size() const = 0;
  /// What offsets, lengths and memory addresses must be multiples of; 1 for buffered files.
  virtual Bytes alignment() const = 0;
};

enum class Caching : std::uint8_t {
  buffered,  ///< Through the page cache.
  direct,    ///< O_DIRECT; where the file system refuses it, buffered with one warning a process.
};
enum class Existence : std::uint8_t { must_exist, create, must_not_exist };

struct OpenOptions {
  Caching caching = Caching::buffered;
  Existence existence = Existence::must_exist;
};

/// What a file system has.
struct SpaceReport {
  Bytes total;
  Bytes available;
};

/// The file system as one core sees it. Names are given whole.
class Disk {
 public:
  virtual ~Disk() = default;

  /// `not_found`, `exists`, `denied`, `no_space`, `io_error`.
  virtual Task<Result<std::unique_ptr<File>>> open(std::filesystem::path path, OpenOptions options) = 0;
  /// With parents, mode 0700, durable on return; an existing one is fine.
  virtual Task<Result<>> make_directory(std::filesystem::path path) = 0;
  /// Names in the directory, sorted.
  virtual Task<Result<std::vector<std::string>>> list(std::filesystem::path directory) = 0;
  /// Replaces `to`.
  virtual Task<Result<>> rename(std::filesystem::path from, std::filesystem::path to) = 0;
  virtual Task<Result<>> remove(std::filesystem::path path) = 0;
  /// Creations, renames and removals in it survive a power cut.
  virtual Task<Result<>> sync_directory(std::filesystem::path directory) = 0;
  virtual Task<Result<SpaceReport>> space(std::filesystem::path path) = 0;
};

/// The whole content of a small file. `too_large` beyond `limit`.
Task<Result<std::string>> read_whole(Disk& disk, std::filesystem::path path, Bytes limit);
/// New content or the old one, never a mixture, after any crash: temporary file (mode 0600), sync, rename,
/// directory sync. One call a path at a time.
Task<Result<>> replace_whole(Disk& disk, std::filesystem::path path, std::string content);

enum class Mode : std::uint8_t { automatic, uring, threads };

/// `automatic` takes io_uring where the kernel grants it and else threads. `not_supported` when `uring` was
/// asked for and is refused. Calls that block run on threads of this disk alone, so that no other waits for
/// them.
Result<std::unique_ptr<Disk>> make_disk(Mode mode, Core& core);

}  // namespace kiseki::disk
