#include "raft/replica/entry_sizes.h"

#include <algorithm>

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

}  // namespace kiseki::raft::detail
