#include "raft/log/group_index.h"

#include <algorithm>

#include "base/assert.h"

namespace kiseki::raft::detail {

void GroupIndex::truncate(Index from) {
  while (!runs_.empty() && runs_.back().first >= from) runs_.pop_back();
  if (!runs_.empty()) runs_.back().last = std::min(runs_.back().last, from - 1);
}

void GroupIndex::append(const Run& run) {
  if (run.first > last() + 1) runs_.clear();
  truncate(run.first);
  if (!runs_.empty()) {
    Run& before = runs_.back();
    const bool together = before.segment == run.segment && before.offset + before.size == run.offset;
    if (together && before.last + 1 == run.first) {
      before.last = run.last;
      before.size += run.size;
      return;
    }
  }
  runs_.push_back(run);
}

void GroupIndex::rebase(const BaseRecord& record) {
  base_ = record;
  base_.fresh = Fresh::no;
  if (record.fresh == Fresh::yes) runs_.clear();
  while (!runs_.empty() && runs_.front().last <= base_.meta.index) runs_.pop_front();
  if (!runs_.empty()) runs_.front().first = std::max(runs_.front().first, base_.meta.index + 1);
}

const Run& GroupIndex::find(Index index) const {
  const auto after = std::ranges::upper_bound(runs_, index, {}, &Run::first);
  KISEKI_ASSERT(after != runs_.begin());
  const Run& run = *std::prev(after);
  KISEKI_ASSERT(index <= run.last);
  return run;
}

std::optional<std::uint64_t> GroupIndex::first_segment() const {
  if (runs_.empty()) return std::nullopt;
  return runs_.front().segment;
}

}  // namespace kiseki::raft::detail
