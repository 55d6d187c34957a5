#pragma once

#include <unordered_map>

#include "fs/services.h"

namespace kiseki::fs::detail {

/// Directory, file and namespace ids, never given twice (PROTOCOLS 1.2).
class IdLeases {
 public:
  static constexpr std::uint64_t block = 1u << 20;
  static constexpr std::uint64_t first_id = 16;  ///< Lower ids are fixed or kept for later.

  explicit IdLeases(Services services) : services_(services) {}

  /// From a block leased by this process; what is left of it at the end is lost.
  Task<Result<InodeId>> next(NamespaceId ns);
  Task<Result<NamespaceId>> next_namespace();

 private:
  struct Range {
    std::uint64_t next = 0, end = 0;
  };
  Task<Result<Range>> lease(NamespaceId ns, std::uint64_t count);

  Services services_;
  std::unordered_map<NamespaceId, Range> ranges_;
};

}  // namespace kiseki::fs::detail
