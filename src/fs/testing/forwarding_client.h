#pragma once

#include <memory>

#include "shard/client.h"

namespace kiseki::fs {

/// Passes every call on: tests override what they want to see or change.
class ForwardingClient : public shard::Client {
 public:
  explicit ForwardingClient(std::unique_ptr<shard::Client> inner) : inner_(std::move(inner)) {}

  Task<Result<shard::ReadReply>> read(shard::ReadRequest request) override {
    return inner_->read(std::move(request));
  }
  Task<Result<shard::Outcome>> commit(shard::Transaction transaction) override {
    return inner_->commit(std::move(transaction));
  }
  Task<Result<std::vector<shard::Counters>>> counters(std::vector<shard::LeafAddress> leaves) override {
    return inner_->counters(std::move(leaves));
  }
  Task<Result<>> configure(NamespaceId of, std::uint32_t epoch, shard::NamespaceState state) override {
    return inner_->configure(of, epoch, state);
  }
  Task<Result<std::vector<shard::Row>>> scan(ShardId shard, shard::Kind kind, Stamp after,
                                             std::uint32_t rows_max) override {
    return inner_->scan(shard, kind, after, rows_max);
  }
  Task<Result<std::vector<shard::Row>>> abandoned(ShardId shard, std::uint32_t rows_max) override {
    return inner_->abandoned(shard, rows_max);
  }
  std::vector<ShardId> shards() const override { return inner_->shards(); }
  bool are_together(const shard::LeafAddress& one, const shard::LeafAddress& other) const override {
    return inner_->are_together(one, other);
  }
  SessionId session() const override { return inner_->session(); }
  std::uint64_t time_ms() const override { return inner_->time_ms(); }

 private:
  std::unique_ptr<shard::Client> inner_;
};

}  // namespace kiseki::fs
