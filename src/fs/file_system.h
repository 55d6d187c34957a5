#pragma once

#include <memory>

#include "fs/directories.h"
#include "fs/namespaces.h"
#include "fs/objects.h"
#include "fs/services.h"
#include "fs/tree_limits.h"
#include "fs/uploads.h"

namespace kiseki::fs {

/// Namespaces, directories and objects of one core: everything a face needs. Nothing here keeps state that a
/// restart would lose.
class FileSystem {
 public:
  /// `services` outlive it. Reads the tenants; `bootstrap` (identities.h) has run on this store.
  static Task<Result<std::unique_ptr<FileSystem>>> open(Services services, TreeLimits limits = {});
  ~FileSystem();

  Namespaces& namespaces() noexcept;
  Objects& objects() noexcept;
  Directories& directories() noexcept;
  Uploads& uploads() noexcept;

  /// Removes what crashes and emptied directories leave behind, until `stop`. On one core of a node.
  Task<> sweep();
  Task<> stop();

 private:
  struct Impl;
  explicit FileSystem(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

}  // namespace kiseki::fs
