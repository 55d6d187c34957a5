#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

#include "base/core.h"
#include "base/scope.h"
#include "shard/node/local_replicas.h"

namespace kiseki::shard::detail {

/// Keeps the log short: flushes the store when the log has grown, and lets the log forget. Watches the room
/// on the disks and the health of the replicas meanwhile.
class Checkpoint {
 public:
  Checkpoint(Bytes log_limit, kv::KvStore& store, raft::Log& log, LocalReplicas& replicas, Clock& clock,
             BlockingPool& pool)
      : log_limit_(log_limit), store_(store), log_(log), replicas_(replicas), clock_(clock), pool_(pool) {}

  Task<> run(Scope& scope);
  /// Flush, then compact every log.
  Task<Result<>> flush();
  /// From any core: why the node must stop. The first reason stays.
  std::optional<Error> failure() const;
  void set_failure(Error error);

 private:
  Task<> watch_room();
  Task<> watch_replicas();

  const Bytes log_limit_;
  kv::KvStore& store_;
  raft::Log& log_;
  LocalReplicas& replicas_;
  Clock& clock_;
  BlockingPool& pool_;
  Bytes next_ = 0;  // live bytes at which the next flush is due; 0: the limit
  bool has_room_ = true;
  bool out_of_space_ = false;  // the last flush found none
  mutable std::mutex mutex_;   // `failure` is asked from every core
  std::optional<Error> failure_;
};

}  // namespace kiseki::shard::detail
