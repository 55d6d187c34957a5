#include "shard/node/clock_watch.h"

#include <algorithm>
#include <iterator>

#include "base/planted.h"
#include "shard/client/gather.h"

namespace kiseki::shard::detail {

Task<std::optional<ClockWatch::Offset>> ClockWatch::ask(raft::NodeId node, Reading own) {
  const BootTime asked = clock_.now();
  const auto there = co_await peers_->clocks(node);
  if (!there) co_return std::nullopt;
  if (!KISEKI_PLANTED("1.7 a node does not hear how far others have come")) stamps_.hear(there->newest);
  // It was read at some moment between question and answer.
  co_return Offset{.least = there->wall - own.at(clock_.now()), .most = there->wall - own.at(asked)};
}

Task<> ClockWatch::look() {
  const Reading own{.wall = clock_.wall(), .boot = clock_.now()};
  std::map<raft::NodeId, Offset> offsets{{here_, {}}};
  const auto nodes = peers_ != nullptr ? peers_->channel().nodes() : std::vector<raft::NodeId>{here_};
  std::vector<raft::NodeId> others;
  std::ranges::copy_if(nodes, std::back_inserter(others),
                       [this](raft::NodeId node) { return node != here_; });
  std::vector<Task<std::optional<Offset>>> questions;
  for (const raft::NodeId node : others) questions.push_back(ask(node, own));
  const auto answers = co_await gather(co_await asio::this_coro::executor, std::move(questions));
  for (std::size_t i = 0; i < others.size(); ++i) {
    if (answers[i]) offsets.emplace(others[i], *answers[i]);
  }
  offsets_ = std::move(offsets);
  nodes_ = nodes.size() + (std::ranges::find(nodes, here_) == nodes.end() ? 1 : 0);
  if (is_near(here_)) stamps_.set(own.wall, own.boot);
}

bool ClockWatch::is_near(raft::NodeId node) const {
  const auto found = offsets_.find(node);
  if (found == offsets_.end()) return false;
  const Offset own = found->second;
  const auto near = std::ranges::count_if(offsets_, [own](const auto& other) {
    return other.second.least - own.most <= skew_max && own.least - other.second.most <= skew_max;
  });
  return has_majority(static_cast<std::size_t>(near));
}

}  // namespace kiseki::shard::detail
