#pragma once

#include "base/scope.h"
#include "shard/node/clock_watch.h"
#include "shard/node/local_replicas.h"

namespace kiseki::shard::detail {

/// Stamps are times: while the wall clock of a node is off, others are to lead its shards (rule 1.7).
class Handover {
 public:
  /// All of it outlives this.
  Handover(ClockWatch& watch, LocalReplicas& replicas, Clock& clock)
      : watch_(watch), replicas_(replicas), clock_(clock) {}

  /// Watches the clock until `scope` stops, and hands over what is led here.
  Task<> run(Scope& scope);

 private:
  Task<> hand_over(LocalReplica& replica);

  ClockWatch& watch_;
  LocalReplicas& replicas_;
  Clock& clock_;
  std::size_t turn_ = 0;
};

}  // namespace kiseki::shard::detail
