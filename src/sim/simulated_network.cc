#include "sim/simulated_network.h"

#include <algorithm>

namespace kiseki::sim {

void SimulatedNetwork::attach(Node node, Receive receive) { nodes_[node] = std::move(receive); }

void SimulatedNetwork::detach(Node node) { nodes_.erase(node); }

Duration SimulatedNetwork::draw_delay() {
  const auto spread = static_cast<std::uint64_t>((weather_.delay_max - weather_.delay_min).count());
  Duration delay = weather_.delay_min + Duration(rng_.below(spread + 1));
  if (happens(weather_.late)) {
    delay += Duration(rng_.below(static_cast<std::uint64_t>(weather_.late_max.count()) + 1));
  }
  return delay;
}

void SimulatedNetwork::send(Node from, Node to, std::string bytes) {
  ++counters_.sent;
  if (is_capturing_) captured_.push_back(bytes);
  if (!is_open(from, to) || happens(weather_.lost)) {
    ++counters_.lost;
    return;
  }
  if (happens(weather_.repeated)) {
    ++counters_.repeated;
    clock_.at(loop_.now() + draw_delay(),
              [this, letter = Letter{from, to, bytes}]() mutable { deliver(std::move(letter)); });
  }
  clock_.at(loop_.now() + draw_delay(),
            [this, letter = Letter{from, to, std::move(bytes)}]() mutable { deliver(std::move(letter)); });
}

void SimulatedNetwork::deliver(Letter letter) {
  const auto node = nodes_.find(letter.to);
  if (node == nodes_.end() || !is_open(letter.from, letter.to)) {
    ++counters_.lost;
    return;
  }
  ++counters_.delivered;
  node->second(letter.from, std::move(letter.bytes));
}

void SimulatedNetwork::cut(Node from, Node to) { cuts_.emplace(from, to); }

void SimulatedNetwork::flap(Node from, Node to, Duration period) {
  flapping_[{from, to}] = {loop_.now(), period};
}

void SimulatedNetwork::heal(Node from, Node to) {
  cuts_.erase({from, to});
  flapping_.erase({from, to});
}

void SimulatedNetwork::part(const std::vector<std::set<Node>>& parts) {
  for (const auto& here : parts) {
    for (const auto& there : parts) {
      if (&here == &there) continue;
      for (const Node from : here) {
        for (const Node to : there) cut(from, to);
      }
    }
  }
}

void SimulatedNetwork::heal_all() {
  cuts_.clear();
  flapping_.clear();
}

bool SimulatedNetwork::is_open(Node from, Node to) const {
  if (cuts_.contains({from, to})) return false;
  const auto flapping = flapping_.find({from, to});
  if (flapping == flapping_.end()) return true;
  return (loop_.now() - flapping->second.since) / flapping->second.period % 2 == 1;
}

bool SimulatedNetwork::has_seen(std::string_view needle) const {
  return std::ranges::any_of(
      captured_, [needle](const std::string& bytes) { return bytes.find(needle) != std::string::npos; });
}

}  // namespace kiseki::sim
