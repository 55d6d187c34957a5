#pragma once

#include "shard/detail/shard.h"

namespace kiseki::shard::detail {

/// A shard of this node, called from any of its cores.
class LocalPort final : public ShardPort {
 public:
  /// The shard outlives every call.
  LocalPort(Shard& shard, Executor home) : shard_(shard), home_(home) {}

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
  Shard& shard_;
  Executor home_;
};

}  // namespace kiseki::shard::detail
