#include "raft/replica/history.h"

#include <algorithm>

#include "base/assert.h"

namespace kiseki::raft::detail {

void EntrySizes::add(Index index, Bytes size) {
  total_ += size;
  const Bytes before = marks_.size() < 2 ? 0 : marks_[marks_.size() - 2].total;
  const bool is_full = marks_.empty() || marks_.back().total - before >= grain;
  if (is_full) {
    marks_.push_back({index, total_});
  } else {
    marks_.back() = {index, total_};
  }
}

Index EntrySizes::floor(Bytes limit) const {
  if (marks_.empty() || total_ <= limit) return 0;
  return std::ranges::lower_bound(marks_, total_ - limit, {}, &Mark::total)->index;
}

void EntrySizes::forget_through(Index index) {
  while (marks_.size() > 1 && marks_.front().index <= index) marks_.pop_front();
}

void History::begin(const SnapshotMeta& base) {
  terms_ = {{base.index, base.term}};
  confs_ = {{base.index, base.conf}};
  sizes_ = {};
}

void History::add(const Entry& entry) {
  if (terms_.rbegin()->second != entry.term) terms_.emplace(entry.index, entry.term);
  sizes_.add(entry.index, entry.data.size());
}

void History::forget_through(const SnapshotMeta& base) {
  terms_.erase(terms_.begin(), terms_.upper_bound(base.index));
  terms_.emplace(base.index, base.term);
  confs_.erase(confs_.begin(), std::prev(confs_.upper_bound(base.index)));
  sizes_.forget_through(base.index);
}

Term History::term_at(Index index) const {
  const auto after = terms_.upper_bound(index);
  KISEKI_ASSERT(after != terms_.begin());
  return std::prev(after)->second;
}

ConfState History::conf_at(Index index) const {
  const auto after = confs_.upper_bound(index);
  KISEKI_ASSERT(after != confs_.begin());
  return std::prev(after)->second;
}

}  // namespace kiseki::raft::detail
