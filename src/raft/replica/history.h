#pragma once

#include <deque>
#include <map>

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

 private:
  struct Mark {
    Index index;
    Bytes total;  ///< Of all entries up to it.
  };
  std::deque<Mark> marks_;  // the last one grows
  Bytes total_ = 0;
};

/// What a replica knows by index of the entries that it has applied and its log still holds: their terms,
/// sizes and the configuration as of each.
class History {
 public:
  /// Begins anew behind `base`.
  void begin(const SnapshotMeta& base);
  /// In order.
  void add(const Entry& entry);
  /// The configuration from `since` on.
  void configure(Index since, ConfState conf) { confs_[since] = std::move(conf); }
  /// The log begins behind `base`.
  void forget_through(const SnapshotMeta& base);

  Index base() const { return terms_.begin()->first; }
  Term term_at(Index index) const;
  ConfState conf_at(Index index) const;
  const ConfState& conf() const { return confs_.rbegin()->second; }
  Index conf_since() const { return confs_.rbegin()->first; }
  /// See `EntrySizes::floor`.
  Index floor(Bytes limit) const { return sizes_.floor(limit); }

 private:
  std::map<Index, Term> terms_;       // first index of each term
  std::map<Index, ConfState> confs_;  // since when
  EntrySizes sizes_;
};

}  // namespace kiseki::raft::detail
