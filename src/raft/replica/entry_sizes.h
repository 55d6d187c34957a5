#pragma once

#include <deque>

#include "raft/types.h"

namespace kiseki::raft::detail {

/// How many bytes the entries of a log hold above an index, to a grain of 64 KiB: what is kept for others is
/// bounded by it.
class EntrySizes {
 public:
  static constexpr Bytes grain = 64_KiB;

  /// In the order of the entries.
  void add(Index index, Bytes size);
  /// The entries above it hold at most `limit` bytes, of which there are several grains; 0: all do.
  Index floor(Bytes limit) const;
  void forget_through(Index index);
  void clear() { marks_.clear(); }

 private:
  struct Mark {
    Index index;
    Bytes total;  ///< Of all entries up to it.
  };
  std::deque<Mark> marks_;  // the last one grows
  Bytes total_ = 0;
};

}  // namespace kiseki::raft::detail
