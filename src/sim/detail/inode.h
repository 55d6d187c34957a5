#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/rng.h"
#include "sim/detail/sparse_bytes.h"

namespace kiseki::sim::detail {

/// A simulated file: what a reader sees now, what is safe, and the changes in between.
class Inode {
 public:
  static constexpr Bytes sector = 512;  ///< Written whole or not at all.

  /// A write, or with `data` empty a new size.
  struct Change {
    Bytes offset = 0;
    std::string data{};
    Bytes size = 0;
    bool cuts = false;  ///< `size` may be below the present one.
  };
  using Ticket = std::uint64_t;

  /// From here a crash may let the change through, in part. No write under way may overlap another.
  Ticket begin(Change change);
  /// From here readers see the change, and a sync that begins later covers it.
  void complete(Ticket ticket);
  /// The change failed: some sectors of it may have been written.
  void abandon(Ticket ticket, Rng& rng);
  /// What a sync that begins now will cover; `finish_sync` makes that durable.
  Ticket begin_sync() const noexcept { return clock_; }
  void finish_sync(Ticket begun);
  /// The sync failed: of what it covered some sectors were written, and no later sync writes the rest.
  void fail_sync(Ticket begun, Rng& rng);

  /// Power cut: of every change that no sync covers, any sectors survive.
  void lose_power(Rng& rng);
  /// The process died: completed changes stay, those under way come through or not.
  void lose_process(Rng& rng);

  const SparseBytes& current() const noexcept { return current_; }
  void flip_bit(Bytes offset, unsigned bit);

 private:
  struct Pending {
    Change change;
    Ticket completed = 0;  // 0: still under way
  };
  static void apply(SparseBytes& bytes, const Change& change);
  /// The sectors of a write, each a write of its own.
  static std::vector<Change> sectors_of(const Change& change);

  SparseBytes current_;
  SparseBytes durable_;
  std::map<Ticket, Pending> pending_;
  Ticket clock_ = 0;
};

}  // namespace kiseki::sim::detail
