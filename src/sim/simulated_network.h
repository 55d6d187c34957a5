#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/rng.h"
#include "sim/simulated_clock.h"

namespace kiseki::sim {

/// Delivers byte strings between the nodes of one loop, and promises nothing: they are lost, late, repeated
/// and overtake each other, by seed. What was sent can be searched, as by somebody on the wire.
class SimulatedNetwork {
 public:
  using Node = std::uint64_t;
  /// Takes what arrives; runs in a turn of its own.
  using Receive = std::move_only_function<void(Node from, std::string bytes)>;

  /// Chances in a million messages.
  struct Weather {
    Duration delay_min = std::chrono::microseconds(50);
    Duration delay_max = std::chrono::microseconds(500);
    std::uint32_t lost = 0;
    std::uint32_t repeated = 0;
    std::uint32_t late = 0;  ///< Up to `late_max` late: what was sent after it arrives before it.
    Duration late_max = std::chrono::seconds(3);
  };
  struct Counters {
    std::uint64_t sent = 0, delivered = 0, lost = 0, repeated = 0;
  };

  SimulatedNetwork(SimulatedLoop& loop, std::uint64_t seed) : loop_(loop), clock_(loop), rng_(seed) {}

  /// A node begins to listen, or begins anew: what was sent to it before still arrives.
  void attach(Node node, Receive receive);
  /// What arrives from now on is lost.
  void detach(Node node);
  void send(Node from, Node to, std::string bytes);

  /// Nothing that `from` sends reaches `to` from now on, what is under way included.
  void cut(Node from, Node to);
  /// Cuts and heals the way in turns of `period`.
  void flap(Node from, Node to, Duration period);
  void heal(Node from, Node to);
  /// Nothing passes between nodes of different parts, either way.
  void part(const std::vector<std::set<Node>>& parts);
  /// Every way is open.
  void heal_all();
  bool is_open(Node from, Node to) const;

  Weather& weather() noexcept { return weather_; }
  const Counters& counters() const noexcept { return counters_; }

  /// Keeps all that is sent from now on.
  void capture() noexcept { is_capturing_ = true; }
  /// Whether these bytes stood in a message that was captured.
  bool has_seen(std::string_view needle) const;

 private:
  struct Letter {
    Node from, to;
    std::string bytes;
  };
  struct Flapping {
    BootTime since;
    Duration period;
  };
  Duration draw_delay();
  bool happens(std::uint32_t chance) { return chance > 0 && rng_.below(1'000'000) < chance; }
  void deliver(Letter letter);

  SimulatedLoop& loop_;
  SimulatedClock clock_;
  SeededRng rng_;
  Weather weather_;
  Counters counters_;
  std::map<Node, Receive> nodes_;
  std::set<std::pair<Node, Node>> cuts_;
  std::map<std::pair<Node, Node>, Flapping> flapping_;
  bool is_capturing_ = false;
  std::vector<std::string> captured_;
};

}  // namespace kiseki::sim
