#pragma once

#include <map>
#include <optional>
#include <string>

#include "base/clock.h"
#include "shard/record.h"

namespace kiseki::fs::detail {

/// What is remembered of how much the leaves of a directory hold (PROTOCOLS 2.10): disjoint stretches of its
/// sort keys, each as it was at one moment. A stretch is replaced whole, so that nothing counts twice.
class LeafTally {
 public:
  static constexpr std::size_t stretches_max = 4096;

  /// One leaf when it comes; more where many are remembered.
  struct Stretch {
    std::string low;
    std::optional<std::string> high;  ///< None: up to the end.
    shard::Counters counters;
    std::size_t leaves = 1;
    BootTime read_at;
    std::uint64_t asked = 0;  ///< What `ask` gave before it was read.
  };
  /// Sort keys of which what is remembered does not do: from `low` up to where the next stretch begins.
  struct Gap {
    std::string low;
    std::optional<std::string> until;
  };
  /// What a sum needs of every stretch: read since `oldest`, or in this sum, which began when `asked` was
  /// given.
  struct Need {
    BootTime oldest;
    std::uint64_t asked = 0;
  };

  std::uint64_t ask() noexcept { return ++turn_; }
  /// Forgets what it overlaps, unless that was asked for later.
  void put(Stretch stretch);
  /// An entry of that sort key was changed here: what was asked for before does not do.
  void note_change(std::string_view sort);

  std::optional<Gap> missing(const Need& need) const;
  shard::Counters sum() const;
  std::size_t leaves() const;

 private:
  struct Known {
    Stretch stretch;
    std::uint64_t changed = 0;  // the turn of the latest change
  };
  using Stretches = std::map<std::string, Known, std::less<>>;

  static bool does(const Known& known, const Need& need);
  Stretches::const_iterator at(std::string_view sort) const;
  void halve();

  Stretches stretches_;  // by `low`
  std::uint64_t turn_ = 0;
  std::uint64_t changed_unknown_ = 0;  // the turn of the latest change where no stretch was
};

}  // namespace kiseki::fs::detail
