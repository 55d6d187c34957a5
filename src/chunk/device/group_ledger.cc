#include "chunk/device/group_ledger.h"

#include <algorithm>

#include "base/planted.h"
#include "chunk/placement/placing.h"

namespace kiseki::chunk::detail {

GroupLedger::Admission::~Admission() {
  if (owner_ == nullptr) return;
  owner_->writes_.erase(place_);
  owner_->ended_.wake_all();
}

Result<> GroupLedger::learn(std::uint8_t bits, std::span<const GroupRecord> groups) {
  for (const GroupRecord& group : groups) {
    const auto found = known_.find({group.pool, bits, group.number});
    if (found != known_.end() && found->second.record.epoch > group.epoch) {
      return fail(Errc::stale, fmt::format("group {} of pool {}: the device knows a newer epoch",
                                           group.number.value(), group.pool.value()));
    }
  }
  for (const GroupRecord& group : groups) {
    bits_[group.pool].insert(bits);
    const auto [place, fresh] = known_.try_emplace({group.pool, bits, group.number});
    if (!fresh && place->second.record.epoch == group.epoch) continue;
    place->second = {group, bits, false};
  }
  return {};
}

void GroupLedger::serve(std::uint8_t bits, std::span<const GroupRecord> groups) {
  for (const GroupRecord& group : groups) {
    Known& known = known_.at({group.pool, bits, group.number});
    // Another may have been learnt meanwhile.
    if (known.record.epoch == group.epoch) known.is_served = true;
  }
}

Task<> GroupLedger::drained() {
  if (KISEKI_PLANTED("8.3 an epoch is acknowledged while older writes are under way")) co_return;
  while (std::ranges::any_of(writes_, [this](const auto& write) { return is_outdated(write); })) {
    co_await ended_.wait();
  }
}

Result<GroupLedger::Admission> GroupLedger::admit(const ChunkName& chunk, GroupVersion version) {
  const Known* known = newest(chunk);
  const bool right = known == nullptr ? version.epoch.is_none() && !bits_.contains(chunk.pool)
                                      : known->is_served && known->bits == version.bits &&
                                            known->record.epoch == version.epoch;
  if (!right && !KISEKI_PLANTED("8.3 a device takes writes of another epoch")) {
    return fail(Errc::stale,
                fmt::format("pool {}: a write by another map than the device's", chunk.pool.value()));
  }
  return Admission(*this, writes_.insert(writes_.end(), {chunk, version.epoch}));
}

const GroupLedger::Known* GroupLedger::newest(const ChunkName& chunk) const {
  const auto pool = bits_.find(chunk.pool);
  if (pool == bits_.end()) return nullptr;
  const Known* best = nullptr;
  for (const std::uint8_t bits : pool->second) {
    const auto found = known_.find({chunk.pool, bits, group_of(chunk.id, bits)});
    if (found == known_.end()) continue;
    if (best == nullptr || best->record.epoch < found->second.record.epoch) best = &found->second;
  }
  return best;
}

bool GroupLedger::is_outdated(const Admission::Write& write) const {
  const Known* known = newest(write.chunk);
  return known != nullptr && write.epoch < known->record.epoch;
}

}  // namespace kiseki::chunk::detail
