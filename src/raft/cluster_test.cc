#include <algorithm>
#include <deque>
#include <gtest/gtest.h>
#include <map>

#include "base/rng.h"
#include "raft/group.h"
#include "sim/simulation.h"

// Several groups in one thread, over a network and disks that are values: everything the header of `Group`
// offers to more than one voter, in quiet and in random schedules.

namespace kiseki::raft {
namespace {

/// A message on its way: its bytes are in a frame of its own, as if it had come from the network.
struct Letter {
  Message message;
  FramePtr frame;
};

Letter copy_of(const Message& message) {
  std::string bytes(as_text(message.context));
  for (const Entry& entry : message.entries) bytes += as_text(entry.data);
  if (message.snapshot) bytes += as_text(message.snapshot->token);
  Letter letter{message, std::make_shared<const Buffer>(Buffer::copy_of(as_view(bytes)))};
  View rest = letter.frame->view();
  const auto take = [&rest](View& view) {
    const std::size_t size = view.size();
    view = rest.first(size);
    rest = rest.subspan(size);
  };
  take(letter.message.context);
  for (Entry& entry : letter.message.entries) take(entry.data);
  if (letter.message.snapshot) take(letter.message.snapshot->token);
  return letter;
}

struct Stored {
  Term term;
  EntryType type;
  std::string data;
  friend bool operator==(const Stored&, const Stored&) = default;
};

/// The applied commands by index, and the configuration they made.
struct State {
  Index applied = 1;
  Term term = 1;
  ConfState conf;
  std::vector<std::string> commands;
};

/// A replica: what survives a crash, and the machine.
struct Node {
  NodeId id = 0;
  HardState hard;
  Index base = 1;
  Term base_term = 1;
  std::deque<Stored> log;  // from base + 1
  State state;
  std::unique_ptr<Group> group;
  std::deque<Ready> unpersisted;
  std::vector<ReadState> reads;

  Index last() const { return base + log.size(); }
  std::vector<Entry> entries(Index from, Index to) const {
    std::vector<Entry> all;
    for (Index i = std::max(from, base + 1); i < std::min(to, last() + 1); ++i) {
      const Stored& stored = log[i - base - 1];
      const auto owner = std::make_shared<const Buffer>(Buffer::copy_of(as_view(stored.data)));
      all.push_back({i, stored.term, stored.type, owner->view(), owner});
    }
    return all;
  }
};

class Cluster {
 public:
  Cluster(std::uint64_t seed, std::size_t voters, std::size_t learners = 0) : rng_(seed), seed_(seed) {
    ConfState conf;
    for (NodeId id = 1; id <= voters; ++id) conf.voters.push_back(id);
    for (NodeId id = voters + 1; id <= voters + learners; ++id) conf.learners.push_back(id);
    for (NodeId id = 1; id <= voters + learners; ++id) add(id, conf);
  }

  void add(NodeId id, ConfState conf) {
    Node& node = nodes_[id];
    node.id = id;
    node.state.conf = std::move(conf);
    if (node.state.conf.voters.empty()) node.state.applied = node.base = node.base_term = node.state.term = 0;
    start(node);
  }

  Node& operator[](NodeId id) { return nodes_.at(id); }
  std::map<NodeId, Node>& nodes() { return nodes_; }

  void start(Node& node) {
    const auto tail = node.entries(node.base + 1, node.last() + 1);
    node.group = Group::open({.group = GroupId(1),
                              .replica = node.id,
                              .seed = seed_,
                              .heartbeat_ticks = 1,
                              .election_ticks = 5,
                              .election_ticks_max = 10,
                              .message_size_max = 200},
                             {.base_index = node.base,
                              .base_term = node.base_term,
                              .hard_state = node.hard,
                              .applied = node.state.applied,
                              .conf = node.state.conf,
                              .tail = tail});
  }

  void crash(Node& node) {
    node.unpersisted.clear();
    node.reads.clear();
    start(node);
  }

  /// Does what the engine asks; `persist` does what must be durable first.
  void pump(Node& node) {
    while (auto ready = node.group->ready()) {
      if (ready->soft_state && ready->soft_state->role == Role::leader) note_leader(node);
      if (!ready->send_after_persist) send(*ready);
      for (const Entry& entry : ready->committed) apply(node, entry);
      node.reads.insert(node.reads.end(), ready->reads.begin(), ready->reads.end());
      for (const Fetch& fetch : ready->fetches) {
        ++fetches;
        node.group->fetched(fetch.id, node.entries(fetch.from, fetch.to));
      }
      if (ready->want_snapshot) offer(node);
      node.unpersisted.push_back(std::move(*ready));
    }
  }

  void persist(Node& node) {
    if (node.unpersisted.empty()) return;
    const Ready ready = std::move(node.unpersisted.front());
    node.unpersisted.pop_front();
    if (ready.install != nullptr) {
      node.log.clear();
      node.base = ready.install->meta.index;
      node.base_term = ready.install->meta.term;
    }
    for (const Entry& entry : ready.entries) {
      node.log.resize(entry.index - node.base - 1);
      node.log.push_back({entry.term, entry.type, std::string(as_text(entry.data))});
    }
    if (ready.hard_state) node.hard = *ready.hard_state;
    if (ready.install != nullptr) node.state = snapshots_.at(std::string(as_text(ready.install->token)));
    if (ready.send_after_persist) send(ready);
    node.group->on_persisted(ready.number);
    if (ready.install != nullptr) {
      ++installs;
      node.group->advance_apply(ready.install->meta.index);
    }
    pump(node);
  }

  void deliver(std::size_t place) {
    const Letter letter = std::move(network_[place]);
    network_.erase(network_.begin() + static_cast<std::ptrdiff_t>(place));
    const Message& message = letter.message;
    const auto to = nodes_.find(message.to);
    if (to != nodes_.end()) {
      to->second.group->step({&message, 1}, letter.frame);
      pump(to->second);
    }
    if (message.type == MessageType::snapshot) report(letter, Delivered::yes);
  }

  void lose(std::size_t place) {
    const Letter letter = std::move(network_[place]);
    network_.erase(network_.begin() + static_cast<std::ptrdiff_t>(place));
    nodes_.at(letter.message.from).group->report_unreachable(letter.message.to);
    if (letter.message.type == MessageType::snapshot) report(letter, Delivered::no);
  }

  /// Everything arrives in order and every disk is fast.
  void settle() {
    while (true) {
      bool idle = network_.empty();
      while (!network_.empty()) deliver(0);
      for (auto& [id, node] : nodes_) {
        pump(node);
        while (!node.unpersisted.empty()) {
          persist(node);
          idle = false;
        }
      }
      if (idle && network_.empty()) return;
    }
  }

  void tick_all(int times = 1) {
    for (int i = 0; i < times; ++i) {
      for (auto& [id, node] : nodes_) {
        node.group->tick();
        pump(node);
      }
      settle();
    }
  }

  Node* leader() {
    Node* found = nullptr;
    for (auto& [id, node] : nodes_) {
      const GroupStatus status = node.group->status();
      if (status.role != Role::leader) continue;
      if (found == nullptr || found->group->status().term < status.term) found = &node;
    }
    return found;
  }

  Node& elect() {
    for (int i = 0; i < 200 && (leader() == nullptr || !leader()->group->read_index()); ++i) tick_all();
    settle();
    EXPECT_NE(leader(), nullptr);
    return *leader();
  }

  bool propose(Node& node, std::string_view text) {
    const View payload = as_view(text);
    const auto index = node.group->propose({&payload, 1}, nullptr);
    pump(node);
    return index.has_value();
  }

  void compact(Node& node) {
    const Index through =
        std::max(node.base, node.state.applied - std::min<Index>(node.state.applied, rng_.below(3)));
    if (through <= node.base) return;
    node.base_term = node.log[through - node.base - 1].term;
    node.log.erase(node.log.begin(), node.log.begin() + static_cast<std::ptrdiff_t>(through - node.base));
    node.base = through;
    node.group->compact(through);
  }

  /// One random thing that can happen.
  void step() {
    Node& node = std::next(nodes_.begin(), static_cast<std::ptrdiff_t>(rng_.below(nodes_.size())))->second;
    const auto dice = rng_.below(1000);
    if (dice < 450) {
      if (!network_.empty()) deliver(rng_.below(4) == 0 ? rng_.below(network_.size()) : 0);
    } else if (dice < 480) {
      if (!network_.empty()) lose(rng_.below(network_.size()));
    } else if (dice < 500) {
      if (!network_.empty()) network_.push_back(network_[rng_.below(network_.size())]);
    } else if (dice < 700) {
      persist(node);
    } else if (dice < 800) {
      node.group->tick();
      pump(node);
    } else if (dice < 950) {
      if (Node* at = leader()) propose(*at, std::to_string(++proposals_));
    } else if (dice < 970) {
      node.group->trim_tail(node.state.applied);
    } else if (dice < 985) {
      compact(node);
    } else if (dice < 990) {
      if (Node* at = leader()) at->group->transfer_leader(node.id);
    } else {
      crash(node);
    }
  }

  void expect_agreement() {
    for (auto& [id, node] : nodes_)
      EXPECT_EQ(node.state.commands, nodes_.at(1).state.commands) << "node " << id;
  }

  std::size_t fetches = 0;
  std::size_t installs = 0;

 private:
  void note_leader(const Node& node) {
    const Term term = node.group->status().term;
    const auto [place, fresh] = leaders_.emplace(term, node.id);
    EXPECT_EQ(place->second, node.id) << "two leaders in term " << term;
  }

  void send(const Ready& ready) {
    for (const Message& message : ready.messages) network_.push_back(copy_of(message));
  }

  void apply(Node& node, const Entry& entry) {
    EXPECT_EQ(entry.index, node.state.applied + 1);
    const Stored stored{entry.term, entry.type, std::string(as_text(entry.data))};
    EXPECT_EQ(committed_.emplace(entry.index, stored).first->second, stored) << "index " << entry.index;
    if (entry.type == EntryType::conf_change) {
      if (auto conf = node.group->apply_conf(entry)) node.state.conf = *conf;
    } else if (!entry.data.empty()) {
      node.state.commands.push_back(stored.data);
    }
    node.state.applied = entry.index;
    node.state.term = entry.term;
    node.group->advance_apply(entry.index);
  }

  void offer(Node& node) {
    const std::string token = std::to_string(snapshots_.size());
    snapshots_.emplace(token, node.state);
    node.group->offer_snapshot({{node.state.applied, node.state.term, node.state.conf}, as_view(token)});
  }

  void report(const Letter& letter, Delivered delivered) {
    Node& from = nodes_.at(letter.message.from);
    from.group->report_snapshot(letter.message.to, delivered);
    pump(from);
  }

  SeededRng rng_;
  std::uint64_t seed_;
  std::map<NodeId, Node> nodes_;
  std::deque<Letter> network_;
  std::map<std::string, State> snapshots_;
  std::map<Term, NodeId> leaders_;
  std::map<Index, Stored> committed_;
  std::uint64_t proposals_ = 0;
};

TEST(Cluster, elects_one_leader_and_replicates) {
  Cluster cluster(1, 3);
  Node& leader = cluster.elect();
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(cluster.propose(leader, std::to_string(i)));
  cluster.settle();
  cluster.tick_all(2);
  EXPECT_EQ(leader.state.commands.size(), 10U);
  cluster.expect_agreement();
  for (auto& [id, node] : cluster.nodes()) EXPECT_TRUE(node.group->can_quiesce()) << "node " << id;
}

TEST(Cluster, reads_ask_a_majority_and_followers_refuse) {
  Cluster cluster(2, 3);
  Node& leader = cluster.elect();
  leader.reads.clear();
  const auto sequence = leader.group->read_index();
  ASSERT_TRUE(sequence);
  cluster.pump(leader);
  EXPECT_TRUE(leader.reads.empty());
  cluster.settle();
  ASSERT_EQ(leader.reads.size(), 1U);
  EXPECT_EQ(leader.reads[0].sequence, *sequence);
  Node& follower = cluster[leader.id % 3 + 1];
  EXPECT_EQ(follower.group->read_index().error(), Status::not_leader);
  EXPECT_FALSE(cluster.propose(follower, "forwarded"));
}

TEST(Cluster, leadership_is_handed_over) {
  Cluster cluster(3, 3);
  Node& leader = cluster.elect();
  const NodeId next = leader.id % 3 + 1;
  EXPECT_EQ(leader.group->transfer_leader(9), Status::refused);
  ASSERT_EQ(leader.group->transfer_leader(next), Status::ok);
  EXPECT_EQ(leader.group->propose(std::vector{as_view("x")}, nullptr).error(), Status::transferring);
  cluster.pump(leader);
  cluster.settle();
  EXPECT_EQ(cluster.leader()->id, next);
}

TEST(Cluster, a_follower_far_behind_is_served_from_the_log) {
  Cluster cluster(4, 3);
  Node& leader = cluster.elect();
  Node& slow = cluster[leader.id % 3 + 1];
  Node away = std::move(slow);
  cluster.nodes().erase(away.id);
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(cluster.propose(leader, std::string(50, 'x')));
  cluster.settle();
  leader.group->trim_tail(leader.state.applied);
  const NodeId id = away.id;
  cluster.nodes().emplace(id, std::move(away));
  cluster.tick_all(10);
  EXPECT_GT(cluster.fetches, 0U);
  EXPECT_EQ(cluster.installs, 0U);
  cluster.expect_agreement();
}

TEST(Cluster, grows_from_one_voter_through_a_learner_with_a_snapshot) {
  Cluster cluster(5, 1);
  Node& first = cluster.elect();
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(cluster.propose(first, std::to_string(i)));
  cluster.settle();
  first.group->compact(first.state.applied);
  first.base_term = first.state.term;
  first.base = first.state.applied;
  first.log.clear();
  cluster.add(2, {});
  cluster.add(3, {});
  const std::vector<ConfChange> learners{{ConfChange::Type::add_learner, 2},
                                         {ConfChange::Type::add_learner, 3}};
  ASSERT_TRUE(first.group->propose_conf(learners, Joint::if_needed, AutoLeave::yes));
  cluster.settle();
  cluster.tick_all(10);
  EXPECT_EQ(cluster.installs, 2U);
  cluster.expect_agreement();
  const std::vector<ConfChange> voters{{ConfChange::Type::add_voter, 2}, {ConfChange::Type::add_voter, 3}};
  ASSERT_TRUE(first.group->propose_conf(voters, Joint::always, AutoLeave::no));
  EXPECT_EQ(first.group->propose_conf(voters, Joint::always, AutoLeave::no).error(), Status::busy);
  cluster.tick_all(3);
  EXPECT_EQ(first.state.conf.voters_outgoing, std::vector<NodeId>{1});
  ASSERT_TRUE(first.group->propose_conf({}, Joint::if_needed, AutoLeave::no));
  cluster.tick_all(3);
  EXPECT_EQ(cluster[3].state.conf, (ConfState{.voters = {1, 2, 3}}));
}

TEST(Cluster, a_leader_that_removes_itself_steps_down) {
  Cluster cluster(6, 3);
  Node& leader = cluster.elect();
  const std::vector<ConfChange> change{{ConfChange::Type::remove, leader.id}};
  ASSERT_TRUE(leader.group->propose_conf(change, Joint::if_needed, AutoLeave::yes));
  cluster.settle();
  EXPECT_EQ(leader.group->status().role, Role::follower);
  cluster.tick_all(30);
  ASSERT_NE(cluster.leader(), nullptr);
  EXPECT_NE(cluster.leader()->id, leader.id);
  EXPECT_EQ(leader.group->campaign(), Status::not_promotable);
}

TEST(Cluster, agrees_under_random_schedules) {
  std::size_t commands = 0;
  std::size_t installs = 0;
  std::size_t fetches = 0;
  const auto [first, count] = sim::Seeds::from_environment(3'200);
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    SCOPED_TRACE(fmt::format("--seed {}", seed));
    Cluster cluster(seed, seed % 3 == 0 ? 5 : 3, seed % 4 == 0 ? 1 : 0);
    for (int i = 0; i < 3000; ++i) cluster.step();
    cluster.settle();
    cluster.elect();
    cluster.tick_all(20);
    cluster.expect_agreement();
    if (testing::Test::HasFailure()) return;
    commands += cluster[1].state.commands.size();
    installs += cluster.installs;
    fetches += cluster.fetches;
  }
  if (count < 100) return;
  EXPECT_GT(commands, count * 10);
  EXPECT_GT(installs, count / 10);
  EXPECT_GT(fetches, count / 10);
}

TEST(Cluster, the_same_seed_gives_the_same_run) {
  const auto run = [] {
    Cluster cluster(11, 3);
    for (int i = 0; i < 3000; ++i) cluster.step();
    const GroupStatus status = cluster[2].group->status();
    return std::tuple(status.term, status.commit, status.vote, cluster[2].state.commands);
  };
  EXPECT_EQ(run(), run());
}

}  // namespace
}  // namespace kiseki::raft
