#pragma once

#include <string>

#include "raft/replica.h"

namespace kiseki::shard::detail {

/// Where a shard's proposals go: a replica, or a simulated log. Belongs to the shard's core.
class Journal {
 public:
  virtual ~Journal() = default;
  virtual Result<raft::Replica::Position> propose(std::string payload) = 0;
  virtual Task<Result<>> read_barrier() = 0;
  virtual bool reads_locally() const = 0;
};

class ReplicaJournal final : public Journal {
 public:
  explicit ReplicaJournal(raft::Replica& replica) : replica_(replica) {}
  Result<raft::Replica::Position> propose(std::string payload) override {
    return replica_.propose(std::move(payload));
  }
  Task<Result<>> read_barrier() override { return replica_.read_barrier(); }
  bool reads_locally() const override { return replica_.reads_locally(); }

 private:
  raft::Replica& replica_;
};

}  // namespace kiseki::shard::detail
