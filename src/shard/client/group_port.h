#pragma once

#include <atomic>
#include <optional>

#include "base/clock.h"
#include "shard/client/replica_network.h"

namespace kiseki::shard::detail {

/// The replicas of one shard as one port: asks the one that led last. Where that one does not lead or answer,
/// all are asked at once who leads, so that any number of silent nodes costs one wait.
///
/// A replica that does not lead has done nothing. After any other error the outcome of a proposal is unknown
/// and the caller's to find out: it is never sent to a second replica. Everything else may be asked twice.
class GroupPort final : public ShardPort {
 public:
  /// For an answer of the one that led last, and of everybody who is asked who leads.
  static constexpr Duration patience = std::chrono::seconds(2);
  static constexpr Duration search_limit = std::chrono::seconds(1);

  /// `network` and `clock` outlive every call.
  GroupPort(ShardId shard, ReplicaNetwork& network, Clock& clock)
      : shard_(shard), network_(network), clock_(clock) {}

  Task<Result<Reply>> call(Request request, Duration limit) override;

 private:
  Task<std::optional<raft::NodeId>> find_leader(Duration limit);
  /// Nothing: another replica may answer.
  Task<std::optional<Result<Reply>>> ask_known(const Request& request, Duration limit);

  const ShardId shard_;
  ReplicaNetwork& network_;
  Clock& clock_;
  std::atomic<raft::NodeId> leader_ = 0;  // that led last; 0: not known. Asked from every core, a hint
};

}  // namespace kiseki::shard::detail
