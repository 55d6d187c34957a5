#include "sim/cluster.h"

#include <gtest/gtest.h>

#include "base/logging.h"
#include "base/planted.h"
#include "raft/members.h"
#include "shard/connection.h"
#include "shard/testing/test_rows.h"
#include "sim/cluster_checks.h"
#include "sim/cluster_simulation.h"

// Groups of 3 and 5 over the real shards of several nodes, by seed.

namespace kiseki::sim {
namespace {

/// What goes wrong here goes wrong on purpose.
const bool is_quiet = [] {
  log::set_level(log::Level::error);
  return true;
}();

TEST(Cluster, works_without_trouble) {
  for (std::uint64_t seed = 0; seed < ClusterSimulation::profiles().size(); ++seed) {
    Trace trace(true);
    EXPECT_EQ(ClusterSimulation().run({.seed = seed, .steps = {}}, trace), "") << trace.text();
  }
}

TEST(Cluster, transactions_are_whole_and_replicas_the_same) {
  const auto found = find_violation(ClusterSimulation(), Seeds::from_environment(96));
  EXPECT_FALSE(found) << found->to_string();
}

TEST(Cluster, the_same_seed_gives_the_same_run) {
  const auto trace_of = [](std::uint64_t seed) {
    Trace trace(true);
    EXPECT_EQ(ClusterSimulation().run(ClusterSimulation().plan(seed), trace), "");
    return trace.text();
  };
  EXPECT_EQ(trace_of(2), trace_of(2));
}

/// Who leads the system shard when the cluster has come up.
ClusterNode* first_leader(SimulatedCluster& cluster) {
  cluster.advance(std::chrono::seconds(10));
  ClusterNode* const node = cluster.leader_of(ShardId(0));
  if (node == nullptr) throw std::runtime_error("nobody leads");
  return node;
}

/// Whether a node whose wall clock jumps by a minute while it leads gives up every shard, and keeps none.
bool hands_over() {
  Trace trace(false);
  SimulatedCluster cluster(3, 1, trace);
  ClusterNode* const node = first_leader(cluster);
  node->clock().set_wall_offset(std::chrono::minutes(1));
  cluster.advance(std::chrono::seconds(20));
  const auto leaders = cluster.leaders();
  return !leaders.empty() &&
         std::ranges::none_of(leaders, [&](const auto& one) { return one.second.first == node; });
}

TEST(Cluster, a_leader_whose_clock_is_off_hands_over) {
  EXPECT_TRUE(hands_over());
  const planted::Fault fault("1.7 a leader whose clock is off goes on");
  EXPECT_FALSE(hands_over());
  EXPECT_GT(fault.met(), 0U);
}

/// No voter but the last can take over: the disks of the others are too slow, while their clocks are right.
TEST(Cluster, a_leader_whose_clock_is_off_hands_over_to_whoever_can) {
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    Trace trace(false);
    SimulatedCluster cluster(5, seed, trace);
    ClusterNode* const node = first_leader(cluster);
    std::size_t slow = 0;
    for (const auto& [id, other] : cluster.nodes()) {
      if (other.get() == node || slow == 2) continue;
      other->disk().faults() = {.slow = 1'000'000, .slow_latency = std::chrono::minutes(1)};
      ++slow;
    }
    node->clock().set_wall_offset(std::chrono::minutes(1));
    cluster.advance(cluster.passed() + std::chrono::seconds(20));
    const auto leaders = cluster.leaders();
    EXPECT_FALSE(leaders.empty());
    for (const auto& [shard, leader] : leaders) EXPECT_NE(leader.first, node) << "seed " << seed;
    for (const auto& [id, other] : cluster.nodes()) other->disk().faults() = {};
  }
}

/// Whether what a leader commits just after its wall clock jumped by an hour is stamped with the hour.
bool stamps_jump() {
  Trace trace(false);
  SimulatedCluster cluster(3, 1, trace);
  ClusterNode* const node = first_leader(cluster);
  const auto ms_of = [](WallTime time) {
    return static_cast<std::uint64_t>(time.time_since_epoch() / std::chrono::milliseconds(1));
  };
  const std::uint64_t before = ms_of(node->clock().wall());
  node->clock().set_wall_offset(std::chrono::hours(1));
  const auto client = cluster.loop().get(node->shards().connect(node->core(), 99));
  if (!client) throw std::runtime_error(client.error().to_string());
  const std::uint64_t newest = node->shards().clocks().newest.value() >> 16;
  if (newest < before) throw std::runtime_error("nothing was committed");
  return newest > before + 60'000;
}

TEST(Cluster, no_jump_of_the_wall_clock_gets_into_stamps) {
  EXPECT_FALSE(stamps_jump());
  const planted::Fault fault("1.7 stamps follow the wall clock at once");
  EXPECT_TRUE(stamps_jump());
}

/// How a node fares that leaves every shard and is taken in again at once, and is killed in that time, while
/// what was sent comes late and twice: empty, or what went wrong.
std::string leaves_and_comes_back(Duration kill_at, std::uint64_t seed) {
  constexpr raft::NodeId away = 4;
  Trace trace(true);
  SimulatedCluster cluster(4, seed, trace);
  ClusterMembers members(cluster, 4, seed);
  cluster.on_watch([&members] { members.work(); });
  cluster.advance(std::chrono::seconds(5));
  cluster.network().weather().late = 100'000;
  cluster.network().weather().repeated = 200'000;
  const auto reach = [&](const auto& is_there) {
    const Duration limit = cluster.passed() + std::chrono::minutes(2);
    while (!is_there() && cluster.passed() < limit && cluster.violation().empty()) {
      cluster.advance(cluster.passed() + std::chrono::milliseconds(100));
    }
    return is_there() && cluster.violation().empty();
  };
  for (std::uint32_t time = 1; time <= 3; ++time) {
    members.leave(away - 1);
    cluster.later(kill_at * time, [&cluster] {
      cluster.restart(cluster.node(away), ClusterNode::End::power_cut, std::chrono::milliseconds(300));
    });
    if (!reach([&] { return members.is_done(); })) return "does not leave" + describe(cluster);
    members.come_back(0);
    if (!reach([&] { return is_settled(cluster, members); })) return "does not come back" + trace.text();
    for (const auto& status : cluster.node(away).statuses()) {
      const auto member = raft::member_on(status.replica.conf, away);
      if (raft::number_of(member) != time) return "not as another replica" + describe(cluster);
    }
  }
  return contradiction(cluster, members.wanted());
}

TEST(Cluster, a_node_leaves_and_comes_back_whenever_it_is_killed) {
  for (std::uint64_t i = 1; i <= 24; ++i) {
    EXPECT_EQ(leaves_and_comes_back(i * std::chrono::milliseconds(90), i), "") << i;
  }
}

/// A process that keeps no shards, with an end of the network of its own.
class Outsider {
 public:
  explicit Outsider(SimulatedCluster& cluster)
      : loop_(cluster.loop()),
        clock_(loop_),
        peers_({cluster.network(), cluster.around().calls, clock_, loop_.executor()}, id) {
    peers_.set_nodes(cluster.living());
    peers_.open();
    connection_ = std::move(loop_.get(shard::Connection::open(id, peers_, core())).value());
    client_ = std::move(loop_.get(connection_->connect(core(), 1)).value());
  }
  ~Outsider() {
    loop_.get(connection_->stop());
    peers_.close();
    loop_.get(peers_.stop());
  }
  bool commits(std::uint64_t container) {
    using namespace shard::detail;
    const shard::Key row = row_of(container);
    auto transaction = transaction_of_test();
    transaction.require(shard::Assert::Type::absent, row).put(row, record_of_test("value"));
    const auto outcome = loop_.get(client_->commit(std::move(transaction)));
    return outcome && outcome->committed();
  }
  bool reads(std::uint64_t container) {
    const auto reply = loop_.get(client_->read({.gets = {{.key = row_of(container)}}, .scans = {}}));
    return reply && reply->gets.front().record.has_value();
  }
  shard::Connection& connection() { return *connection_; }

 private:
  static constexpr std::uint32_t id = 77;
  static shard::Key row_of(std::uint64_t container) {
    const shard::LeafAddress leaf{shard::detail::test_namespace, InodeId(container), LeafId(0)};
    return shard::key(leaf, shard::Kind::inode, shard::item_of(1));
  }
  shard::CoreServices core() { return {loop_.executor(), &clock_}; }

  SimulatedLoop& loop_;
  SimulatedClock clock_;
  shard::ClusterPeers peers_;
  std::unique_ptr<shard::Connection> connection_;
  std::unique_ptr<shard::Client> client_;
};

TEST(Cluster, a_process_without_shards_commits_and_reads_though_a_node_dies) {
  Trace trace(false);
  SimulatedCluster cluster(3, 1, trace);
  ClusterNode* const leader = first_leader(cluster);
  Outsider outsider(cluster);
  for (std::uint64_t container = 1; container <= 8; ++container) EXPECT_TRUE(outsider.commits(container));
  cluster.restart(*leader, ClusterNode::End::power_cut, std::chrono::minutes(10));
  for (std::uint64_t container = 1; container <= 8; ++container) {
    EXPECT_TRUE(outsider.reads(container));
    EXPECT_TRUE(outsider.commits(container + 8));
  }
  cluster.advance(cluster.passed() + std::chrono::seconds(30));
  EXPECT_EQ(cluster.violation(), "");
  EXPECT_FALSE(outsider.connection().failure());
  EXPECT_TRUE(outsider.reads(16));
}

struct PlantedFault {
  std::string_view name, profile;
  std::uint64_t first = 0;  ///< The seed to begin with: no later one is needed today.
};
class Planted : public testing::TestWithParam<PlantedFault> {};

TEST_P(Planted, is_noticed) {
  const auto& [name, profile, first] = GetParam();
  EXPECT_EQ(unnoticed(name, {.first = first, .count = 40}, ClusterSimulation(profile)), "");
}

INSTANTIATE_TEST_SUITE_P(
    Cluster, Planted,
    testing::Values(PlantedFault{"1.1 an older map replaces a newer one", "three", 5},
                    PlantedFault{"nobody who is left alone asks whether it was removed", "members", 15},
                    PlantedFault{"5.1 processes of two nodes are taken for one", "three"},
                    PlantedFault{"5.1 heartbeats are not heard", "three"}),
    [](const auto& fault) { return std::to_string(fault.index); });

}  // namespace
}  // namespace kiseki::sim
