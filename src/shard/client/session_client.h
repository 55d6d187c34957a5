#pragma once

#include "shard/client.h"
#include "shard/client/session.h"

namespace kiseki::shard::detail {

/// A session as its user sees it. The node owns the session, because what a transaction leaves to be resolved
/// outlives the user's call.
class SessionClient final : public Client {
 public:
  explicit SessionClient(Session& session) : session_(session) {}

  Task<Result<ReadReply>> read(ReadRequest request) override;
  Task<Result<Outcome>> commit(Transaction transaction) override;
  Task<Result<std::vector<Counters>>> counters(std::vector<LeafAddress> leaves) override;
  Task<Result<>> configure(NamespaceId ns, std::uint32_t epoch, NamespaceState state) override;
  Task<Result<std::vector<Row>>> scan(ShardId shard, Kind kind, Stamp after, std::uint32_t rows_max) override;
  Task<Result<std::vector<Row>>> abandoned(ShardId shard, std::uint32_t rows_max) override;
  std::vector<ShardId> shards() const override;
  bool are_together(const LeafAddress& one, const LeafAddress& other) const override {
    return session_.routes().of(one).range.contains(slot_of(other));
  }
  SessionId session() const override { return session_.id(); }
  std::uint64_t time_ms() const override;

 private:
  Session& session_;
};

}  // namespace kiseki::shard::detail
