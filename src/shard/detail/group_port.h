#pragma once

#include <atomic>

#include "shard/detail/places.h"

namespace kiseki::shard::detail {

/// The replicas of one shard as one port. Asks first whoever answered last, beginning with this node; a
/// replica that does not lead has done nothing, so the next one is asked. After any other error the outcome
/// is unknown and the caller's to find out; its next call begins with another replica.
class GroupPort final : public ShardPort {
 public:
  /// `places` are those of this node; they and `peers` outlive every call.
  GroupPort(ShardId shard, const Places& places, Peers& peers);

  Task<Result<Answer>> propose(Proposal proposal, Attempt attempt) override;
  Task<Result<PartReply>> read(PartRequest request) override;
  Task<Result<Status>> status(Holder holder) override;
  Task<Result<bool>> released(TransactionId id, Duration limit) override;
  Task<Result<Standings>> standing() override;
  Task<Result<Scanned>> scan(Kind kind, Stamp after, std::uint32_t rows_max) override;
  Task<Result<std::vector<Row>>> pending(GoneSessions gone, std::uint32_t rows_max) override;
  Task<Result<std::vector<SessionId>>> beat(std::vector<SessionId> sessions) override;
  Task<Result<std::vector<SessionId>>> silent(std::vector<SessionId> open) override;
  Task<Result<Judgement>> judge(std::vector<ChunkId> chunks) override;
  Task<Result<ReferenceRows::Page>> dead(ChunkId from, GcEpoch below, std::uint32_t rows_max) override;

 private:
  /// `call` is made of one port after the other, and owns what it passes.
  template <class Call>
  std::invoke_result_t<Call&, ShardPort&> ask(Call call);
  /// This node and its peers, in the order to ask.
  std::vector<raft::NodeId> order() const;
  /// Null when this node has no replica.
  ShardPort* port_of(raft::NodeId node) const;

  const ShardId shard_;
  const Places& places_;
  Peers& peers_;
  std::atomic<raft::NodeId> favourite_;  // asked from every core; a hint
};

}  // namespace kiseki::shard::detail
