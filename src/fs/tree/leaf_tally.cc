#include "fs/tree/leaf_tally.h"

#include <algorithm>

#include "base/planted.h"

namespace kiseki::fs::detail {

namespace {

void add(shard::Counters& sum, const shard::Counters& more) {
  sum.entries += more.entries;
  sum.subdirectories += more.subdirectories;
  sum.entry_bytes += more.entry_bytes;
  sum.logical += more.logical;
  sum.change += more.change;
  sum.modified_ms = std::max(sum.modified_ms, more.modified_ms);
}

bool ends_before(const std::optional<std::string>& high, std::string_view sort) {
  return high && std::string_view(*high) <= sort;
}

}  // namespace

/// The first stretch that ends beyond `sort`: the one that holds it, or the next.
LeafTally::Stretches::const_iterator LeafTally::at(std::string_view sort) const {
  auto found = stretches_.upper_bound(sort);
  if (found != stretches_.begin() && !ends_before(std::prev(found)->second.stretch.high, sort)) --found;
  return found;
}

void LeafTally::put(Stretch stretch) {
  const auto first = at(stretch.low);
  auto last = first;
  std::uint64_t changed = changed_unknown_;
  for (; last != stretches_.end() && !ends_before(stretch.high, last->first); ++last) {
    if (last->second.stretch.asked > stretch.asked) return;
    changed = std::max(changed, last->second.changed);
  }
  if (!KISEKI_PLANTED("2.10 what a leaf took over counts twice")) stretches_.erase(first, last);
  std::string low = stretch.low;
  stretches_.insert_or_assign(std::move(low), Known{.stretch = std::move(stretch), .changed = changed});
  if (stretches_.size() > stretches_max) halve();
}

/// Two that lie side by side become one, which is read again leaf by leaf.
void LeafTally::halve() {
  for (auto left = stretches_.begin(); left != stretches_.end(); ++left) {
    const auto right = std::next(left);
    if (right == stretches_.end()) return;
    auto& [one, one_changed] = left->second;
    const auto& [other, other_changed] = right->second;
    if (one.high != right->first) continue;
    add(one.counters, other.counters);
    one.high = other.high;
    one.leaves += other.leaves;
    one.read_at = std::min(one.read_at, other.read_at);
    one.asked = std::min(one.asked, other.asked);
    one_changed = std::max(one_changed, other_changed);
    stretches_.erase(right);
  }
}

void LeafTally::note_change(std::string_view sort) {
  ++turn_;
  if (KISEKI_PLANTED("2.10 own changes are not read again")) return;
  const auto found = stretches_.upper_bound(sort);
  if (found == stretches_.begin() || ends_before(std::prev(found)->second.stretch.high, sort)) {
    changed_unknown_ = turn_;
    return;
  }
  std::prev(found)->second.changed = turn_;
}

bool LeafTally::does(const Known& known, const Need& need) {
  const auto& [stretch, changed] = known;
  if (stretch.asked >= need.asked) return true;
  const bool is_young =
      stretch.read_at > need.oldest || KISEKI_PLANTED("2.10 what is remembered does not age");
  return is_young && stretch.asked > changed;
}

std::optional<LeafTally::Gap> LeafTally::missing(const Need& need) const {
  std::optional<std::string> low = std::string();
  for (auto next = stretches_.begin(); low; ++next) {
    while (next != stretches_.end() && !does(next->second, need)) ++next;
    if (next == stretches_.end()) return Gap{.low = std::move(*low), .until = std::nullopt};
    if (next->first != *low) return Gap{.low = std::move(*low), .until = next->first};
    low = next->second.stretch.high;
  }
  return std::nullopt;
}

shard::Counters LeafTally::sum() const {
  shard::Counters sum;
  for (const auto& [low, known] : stretches_) add(sum, known.stretch.counters);
  return sum;
}

std::size_t LeafTally::leaves() const {
  std::size_t leaves = 0;
  for (const auto& [low, known] : stretches_) leaves += known.stretch.leaves;
  return leaves;
}

}  // namespace kiseki::fs::detail
