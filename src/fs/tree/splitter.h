#pragma once

#include <map>

#include "fs/tree/walk.h"

namespace kiseki::fs::detail {

/// Splits leaves (docs/protocols.md 2.3): freezes the guard, so that nobody adds an entry; moves the upper
/// half; opens the guard again. Whoever would write into a frozen leaf finishes the split first, so a crash
/// between the two commits holds up nobody and writers cannot starve a split.
class Splitter {
 public:
  explicit Splitter(TreeCore& core) : core_(core), index_(core) {}

  enum class Turn : std::uint8_t {
    now,
    after_others,  ///< Whoever has frozen the leaf, elsewhere, gets the time that a split takes.
  };
  /// Until the leaf is small enough and open; joins a split of the same leaf that is under way here. Fine
  /// when the leaf is not there.
  Task<Result<>> settle(Directory directory, LeafId leaf, Turn turn = Turn::now);
  /// An entry of that size was made: looks at the leaf now and then, beside the caller.
  void note_created(Directory directory, LeafId leaf, Bytes bytes);

 private:
  struct Plan {
    Guard guard;                // frozen, as read
    std::vector<Listed> moved;  // upper end of the leaf
    std::string separator;      // where they begin
    LeafId to;
  };

  enum class Step : std::uint8_t { done, advanced, refused };

  Task<> wait_for_others(Directory directory, LeafId leaf);
  Task<Result<>> settle_now(Directory directory, LeafId leaf);
  Task<Result<Step>> step(Directory directory, LeafId leaf, std::uint32_t refusals);
  Task<Result<Step>> freeze(Directory directory, LeafId leaf, Guard guard);
  Task<Result<Step>> thaw(Directory directory, LeafId leaf, Guard guard);
  Task<Result<Step>> move(Directory directory, LeafId leaf, Plan plan);
  Task<Result<std::vector<Listed>>> read_entries(Directory directory, LeafId leaf);
  /// Of two entries or more.
  Plan plan(std::vector<Listed> entries, std::uint32_t refusals) const;
  LeafId new_leaf(const Directory& directory, LeafId from, std::size_t moved) const;
  bool is_large(const shard::Counters& found) const;
  shard::Transaction begin(const Directory& directory) const;
  Task<Result<shard::Outcome>> put_guard(Directory directory, LeafId leaf, Guard guard);
  Task<> look(Directory directory, LeafId leaf);

  TreeCore& core_;
  DirectoryIndex index_;
  std::map<shard::LeafAddress, std::shared_ptr<Event>>
      under_way_;  // of the one who splits and those who wait
};

}  // namespace kiseki::fs::detail
