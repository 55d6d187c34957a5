#pragma once

#include <map>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"

namespace kiseki::shard::detail {

/// Which sessions have been silent for a whole term, as the leader of the system shard hears them (rule 5.1).
/// Volatile: after a change of leader or a restart every session has a full term anew.
class Heartbeats {
 public:
  static constexpr Duration term = std::chrono::seconds(10);
  /// Time in which nobody called counts as no more: a leader that stood still has not listened either.
  static constexpr Duration leap_max = std::chrono::seconds(2);

  /// They are alive. Of those never asked about, nothing is kept.
  void beat(const std::vector<SessionId>& sessions, BootTime now);
  /// Of the open ones. Who is asked about for the first time has a term from now on.
  std::vector<SessionId> silent(const std::vector<SessionId>& open, BootTime now);
  void clear() { heard_.clear(); }

 private:
  void advance(BootTime now);

  std::optional<BootTime> called_;
  Duration listened_{};
  std::map<SessionId, Duration> heard_;  // by `listened_`
};

}  // namespace kiseki::shard::detail
