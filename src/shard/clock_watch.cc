#include "shard/detail/clock_watch.h"

#include <algorithm>

namespace kiseki::shard::detail {

Task<std::optional<ClockWatch::Offset>> ClockWatch::ask(raft::NodeId node) {
  const BootTime asked = clock_.now();
  const WallTime before = clock_.wall();
  const auto there = co_await peers_.wall(node);
  if (!there) co_return std::nullopt;
  // It was read at some moment between question and answer, each by the clock here.
  const WallTime after = before + (clock_.now() - asked);
  co_return Offset{.least = *there - after, .most = *there - before};
}

Task<> ClockWatch::look() {
  std::map<raft::NodeId, Offset> offsets{{here_, {}}};
  const auto nodes = peers_.nodes();
  for (const raft::NodeId node : nodes) {
    if (node == here_) continue;
    if (const auto offset = co_await ask(node)) offsets.emplace(node, *offset);
  }
  offsets_ = std::move(offsets);
  nodes_ = nodes.size() + (std::ranges::find(nodes, here_) == nodes.end() ? 1 : 0);
}

bool ClockWatch::is_near(raft::NodeId node) const {
  const auto found = offsets_.find(node);
  if (found == offsets_.end() || offsets_.size() <= nodes_ / 2) return node == here_;
  const Offset own = found->second;
  const auto agree = std::ranges::count_if(offsets_, [own](const auto& other) {
    return other.second.least - own.most <= skew_max && own.least - other.second.most <= skew_max;
  });
  return static_cast<std::size_t>(agree) > nodes_ / 2;
}

}  // namespace kiseki::shard::detail
