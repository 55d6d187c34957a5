#pragma once

#include <string>

#include "base/ids.h"
#include "base/task.h"
#include "base/units.h"

namespace kiseki::fs {

/// Of a directory, over all of its leaves. Not one snapshot of several leaves.
struct DirectoryAttributes {
  std::uint64_t entries = 0;  ///< Directories included.
  std::uint64_t subdirectories = 0;
  Bytes logical = 0;  ///< Of the objects in it, without those below.
  std::uint64_t modified_ms = 0;
  bool is_explicit = false;  ///< Stays when it is empty.
};

/// Directories as POSIX has them. Paths: names joined by '/', none of them empty, "." or "..";
/// `invalid_argument`. `not_found`, `not_directory`: the way to the last name. A directory that was made so
/// stays when it is empty; one that holds nothing and was not is not there.
class Directories {
 public:
  virtual ~Directories() = default;

  /// `exists`: a directory or an object of that name.
  virtual Task<Result<>> make(NamespaceId ns, std::string path) = 0;
  /// `not_found`, `not_directory`, `not_empty`.
  virtual Task<Result<>> remove(NamespaceId ns, std::string path) = 0;
  virtual Task<Result<DirectoryAttributes>> stat(NamespaceId ns, std::string path) = 0;
  /// Of an object, or of a directory with all below: the directory when `from` ends in '/' or no object has
  /// the name. Replaces an object by an object, an empty directory by a directory. `not_found`;
  /// `is_directory`, `not_directory`: the other is of the other type; `not_empty`; `invalid_argument`: a
  /// directory into itself.
  virtual Task<Result<>> rename(NamespaceId ns, std::string from, std::string to) = 0;
};

}  // namespace kiseki::fs
