#include "shard/node/heartbeats.h"

#include <algorithm>

#include "base/planted.h"

namespace kiseki::shard::detail {

void Heartbeats::advance(BootTime now) {
  const Duration passed = now - called_.value_or(now);
  const bool counts_all = KISEKI_PLANTED("5.1 a pause of the leader counts as silence");
  listened_ += counts_all ? passed : std::min(passed, leap_max);
  called_ = now;
}

void Heartbeats::beat(const std::vector<SessionId>& sessions, BootTime now) {
  advance(now);
  if (KISEKI_PLANTED("5.1 heartbeats are not heard")) return;
  for (const SessionId session : sessions) {
    if (const auto known = heard_.find(session); known != heard_.end()) known->second = listened_;
  }
}

std::vector<SessionId> Heartbeats::silent(const std::vector<SessionId>& open, BootTime now) {
  advance(now);
  std::map<SessionId, Duration> heard;
  std::vector<SessionId> silent;
  for (const SessionId session : open) {
    const auto known = heard_.find(session);
    const Duration last = known == heard_.end() ? listened_ : known->second;
    heard.emplace(session, last);
    if (listened_ - last >= term && !KISEKI_PLANTED("5.1 a silent session stays open")) {
      silent.push_back(session);
    }
  }
  heard_ = std::move(heard);
  return silent;
}

}  // namespace kiseki::shard::detail
