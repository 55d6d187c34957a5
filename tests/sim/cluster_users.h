#pragma once

#include "shard/testing/list_users.h"
#include "sim/cluster.h"

namespace kiseki::sim {

/// Users in the processes of a cluster's nodes, each with a session of its own there, and a consumer.
class ClusterUsers {
 public:
  ClusterUsers(SimulatedCluster& cluster, std::uint64_t seed, std::size_t users_a_node);
  ~ClusterUsers();

  /// Makes the rows, once a majority answers.
  void begin();
  /// Users of nodes that have none yet.
  void start();
  /// One user's session ends, whatever it is doing, and a new one begins.
  void reconnect(std::uint64_t argument);
  /// Returns when nobody does anything any more.
  void stop();
  /// What contradicts the rows as they are, once nobody acts any more.
  void judge();

  std::size_t committed() const { return lists_.committed(); }
  const std::vector<shard::Key>& rows() const { return lists_.rows(); }

 private:
  struct User {
    ClusterNode& node;
    std::uint64_t process;
    std::uint64_t session = 0;  ///< How often it has begun.
    bool is_connecting = false;
    std::uint64_t number() const { return node.id() * 16 + process; }
  };

  void begin_session(User& user);
  Task<> live(User& user, std::uint64_t session);
  Task<> act(User& user, std::uint64_t session);
  Task<> consume();
  Task<> consume_at(ClusterNode& node);
  Task<> make_rows(ClusterNode& node);
  Task<Result<>> judge_at(ClusterNode& node);
  Task<Result<std::unique_ptr<shard::Client>>> connect(ClusterNode& node, std::uint64_t process);

  SimulatedCluster& cluster_;
  SeededRng rng_;
  SimulatedClock clock_;
  shard::detail::ListUsers lists_;
  std::size_t users_a_node_;
  bool has_rows_ = false;
  std::map<std::pair<raft::NodeId, std::uint64_t>, std::unique_ptr<User>> users_;
  Scope scope_;
};

}  // namespace kiseki::sim
