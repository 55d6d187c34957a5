#pragma once

#include <list>
#include <map>

#include "chunk/device/fragment.h"

namespace kiseki::chunk::detail {

/// Tags and checksums of fragments used of late, so that a read of a few blocks is one I/O. Bounded in bytes.
class HeaderCache {
 public:
  explicit HeaderCache(Bytes capacity) : capacity_(capacity) {}

  /// Valid until the next `insert`.
  const BlockChecks* find(Position position);
  void insert(Position position, BlockChecks checks);
  void erase(Position position);

 private:
  struct Entry {
    Position position;
    BlockChecks checks;
  };
  static Bytes size_of(const BlockChecks& checks);

  Bytes capacity_;
  Bytes used_ = 0;
  std::list<Entry> entries_;  // last used first
  std::map<Position, std::list<Entry>::iterator> by_position_;
};

}  // namespace kiseki::chunk::detail
