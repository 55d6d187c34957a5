#include "raft/testing/group_client.h"

#include <fmt/format.h>

namespace kiseki::raft {

GroupClient::GroupClient(std::uint64_t number, std::uint64_t seed, Nodes& nodes, GroupSurroundings around,
                         Habits habits)
    : rng_(seed + number),
      nodes_(nodes),
      around_(around),
      clock_(around_.loop),
      habits_(habits),
      last_number_(number << 32) {
  if (habits_.has_watchers && number % 2 == 1) {
    habits_.reads = 100;
    is_watcher_ = true;
  }
}

/// Mostly where it was answered last; also one that was deposed and does not know it.
GroupNode* GroupClient::choose() {
  if (const auto same = nodes_.find(favourite_);
      !is_watcher_ && same != nodes_.end() && same->second->is_leader() && rng_.below(8) != 0) {
    return same->second.get();
  }
  std::vector<GroupNode*> up;
  for (const auto& [id, node] : nodes_) {
    if (node->is_leader() || (node->is_up() && rng_.below(10) == 0)) up.push_back(node.get());
  }
  return up.empty() ? nullptr : up[rng_.below(up.size())];
}

Task<> GroupClient::run(Scope& scope) {
  while (co_await scope.sleep(
      clock_, habits_.think / 2 + Duration(rng_.below(static_cast<std::uint64_t>(habits_.think.count()))))) {
    GroupNode* node = choose();
    if (node == nullptr) continue;
    favourite_ = node->id();
    const GroupNode::Visit visit(*node);
    sim::Call call{.key = std::to_string(rng_.below(habits_.keys)), .called = around_.loop.now()};
    if (rng_.below(100) < habits_.reads) {
      co_await read(*node, std::move(call));
    } else {
      co_await change(*node, std::move(call));
    }
  }
}

void GroupClient::note(const GroupNode& node, const sim::Call& call, std::uint64_t number,
                       std::string_view how) {
  around_.trace.note(around_.loop.now(), [&] {
    return fmt::format("node {} {} register {}: {} (command {:x})", node.id(), how, call.key, call.value,
                       number);
  });
  around_.history.note({call, number});
}

Task<> GroupClient::read(GroupNode& node, sim::Call call) {
  const auto key = static_cast<std::uint8_t>(std::stoul(call.key));
  bool is_local = node.replica().reads_locally();
  if (is_local) {
    call.value = node.machine().read(key);
    is_local = node.replica().reads_locally();
  }
  if (!is_local) {
    const auto barrier = co_await node.replica().read_barrier();
    if (!barrier || !node.is_up()) co_return;
    call.value = node.machine().read(key);
  }
  call.returned = around_.loop.now();
  known_[call.key] = call.value;
  ++answered_;
  note(node, call, 0, is_local ? "reads by lease" : "reads");
}

Task<> GroupClient::change(GroupNode& node, sim::Call call) {
  call.type = rng_.below(3) == 0 ? sim::Call::Type::swap : sim::Call::Type::write;
  call.value = ++last_number_;
  call.expected = known_[call.key];
  const Command command{.number = call.value,
                        .is_swap = call.type == sim::Call::Type::swap,
                        .key = static_cast<std::uint8_t>(std::stoul(call.key)),
                        .expected = call.expected,
                        .value = call.value,
                        .padding = static_cast<std::uint32_t>(rng_.below(10) == 0 ? rng_.below(3000) : 0)};
  const auto position = node.replica().propose(command.encode());
  if (!position) co_return;
  GroupNode::Waiter waiter{.term = position->term, .is_done = {}, .answered = {}};
  node.await(position->index, waiter);
  co_await waiter.answered.wait_for(clock_, habits_.patience);
  node.forget(position->index, waiter);
  if (waiter.is_done) {
    call.returned = around_.loop.now();
    if (!*waiter.is_done) call.type = sim::Call::Type::swap_refused;
    if (*waiter.is_done) known_[call.key] = call.value;
    ++answered_;
  }
  note(node, call, command.number, waiter.is_done ? "changes" : "may change");
}

}  // namespace kiseki::raft
