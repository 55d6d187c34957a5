#include "sim/cluster_users.h"

#include <fmt/format.h>

#include "shard/testing/test_rows.h"

namespace kiseki::sim {

namespace {

using std::chrono::milliseconds;

constexpr std::uint64_t consumer = 14, checker = 15;

/// The first two share a leaf.
std::vector<shard::Key> rows_of_test() {
  const auto row = [](std::uint64_t container, std::uint64_t file) {
    const shard::LeafAddress leaf{shard::detail::test_namespace, InodeId(container), LeafId(0)};
    return shard::key(leaf, shard::Kind::inode, shard::item_of(file));
  };
  std::vector<shard::Key> rows{row(1, 1), row(1, 2)};
  for (std::uint64_t container = 2; container < 8; ++container) rows.push_back(row(container, 1));
  return rows;
}

}  // namespace

ClusterUsers::ClusterUsers(SimulatedCluster& cluster, std::uint64_t seed, std::size_t users_a_node)
    : cluster_(cluster),
      rng_(seed ^ 0x05e25),
      clock_(cluster.loop()),
      lists_(rng_, rows_of_test()),
      users_a_node_(users_a_node),
      scope_(cluster.loop().executor()) {}

ClusterUsers::~ClusterUsers() { stop(); }

void ClusterUsers::stop() {
  scope_.request_stop();
  cluster_.loop().get(scope_.stop());
}

Task<Result<std::unique_ptr<shard::Client>>> ClusterUsers::connect(ClusterNode& node, std::uint64_t process) {
  return node.shards().connect(node.core(), process);
}

Task<> ClusterUsers::make_rows(ClusterNode& node) {
  const ClusterNode::Visit visit(node);
  const auto client = co_await connect(node, checker);
  if (!client) co_return;
  const auto made = co_await (*client)->commit(lists_.beginning());
  has_rows_ = made && (made->committed() || made->refusal == shard::Refusal::exists);
}

void ClusterUsers::begin() {
  for (std::uint64_t i = 0; i < 120 && !has_rows_; ++i) {
    cluster_.advance(cluster_.passed() + milliseconds(500));
    if (!cluster_.violation().empty()) return;
    ClusterNode& node = *cluster_.pick(i);
    if (node.is_up()) cluster_.loop().get(make_rows(node));
  }
  if (!has_rows_) return cluster_.violate("a new cluster takes no rows");
  start();
  scope_.spawn(consume());
}

void ClusterUsers::start() {
  for (const raft::NodeId id : cluster_.living()) {
    for (std::uint64_t process = 1; process <= users_a_node_; ++process) {
      auto& user = users_[{id, process}];
      if (user) continue;
      user = std::make_unique<User>(cluster_.node(id), process);
      begin_session(*user);
    }
  }
}

void ClusterUsers::begin_session(User& user) { scope_.spawn(live(user, ++user.session)); }

void ClusterUsers::reconnect(std::uint64_t argument) {
  auto found = users_.begin();
  std::advance(found, static_cast<std::ptrdiff_t>(argument % users_.size()));
  if (!found->second->is_connecting) begin_session(*found->second);
}

Task<> ClusterUsers::live(User& user, std::uint64_t session) {
  while (user.session == session && !user.node.is_gone()) {
    if (user.node.is_up()) co_await act(user, session);
    if (!co_await scope_.sleep(clock_, milliseconds(100))) co_return;
  }
}

/// As long as the process lives and nobody else is this user.
Task<> ClusterUsers::act(User& user, std::uint64_t session) {
  const std::uint64_t life = user.node.life();
  std::unique_ptr<shard::Client> client;
  const auto may_go_on = [&] {
    return user.session == session && user.node.is_up() && user.node.life() == life;
  };
  {
    const ClusterNode::Visit visit(user.node);
    user.is_connecting = true;
    auto connected = co_await connect(user.node, user.process);
    user.is_connecting = false;
    if (!connected || !may_go_on()) co_return;
    client = std::move(*connected);
  }
  lists_.fence(user.number());
  while (may_go_on()) {
    {
      const ClusterNode::Visit visit(user.node);
      std::ignore = co_await lists_.act(*client, user.number());
    }
    if (!co_await scope_.sleep(clock_, milliseconds(20 + rng_.below(300)))) co_return;
  }
}

Task<> ClusterUsers::consume() {
  while (co_await scope_.sleep(clock_, milliseconds(300))) {
    ClusterNode& node = *cluster_.pick(rng_.below(64));
    if (!node.is_up()) continue;
    const ClusterNode::Visit visit(node);
    co_await consume_at(node);
  }
}

Task<> ClusterUsers::consume_at(ClusterNode& node) {
  const auto client = co_await connect(node, consumer);
  if (!client) co_return;
  for (int round = 0; round < 20 && node.is_up(); ++round) {
    std::ignore = co_await lists_.consume(**client);
    if (!co_await scope_.sleep(clock_, milliseconds(100))) co_return;
  }
}

Task<Result<>> ClusterUsers::judge_at(ClusterNode& node) {
  const ClusterNode::Visit visit(node);
  const auto client = co_await connect(node, checker);
  if (!client) co_return fail(client.error());
  co_await lists_.judge(**client);
  co_return Result<>();
}

void ClusterUsers::judge() {
  for (const raft::NodeId id : cluster_.living()) {
    if (!cluster_.node(id).is_up()) continue;
    const auto judged = cluster_.loop().get(judge_at(cluster_.node(id)));
    if (!judged) return cluster_.violate("nobody can look: " + judged.error().to_string());
    if (!lists_.violation().empty()) cluster_.violate(lists_.violation());
    return;
  }
  cluster_.violate("no node is up");
}

}  // namespace kiseki::sim
