#include "chunk/pools/activation.h"

#include <algorithm>

#include "base/assert.h"
#include "base/planted.h"

namespace kiseki::chunk::detail {

Result<DeviceRecord> activate(DeviceRecord record, const DeviceIdentity& found) {
  KISEKI_ASSERT(record.id == found.id);
  const auto refuse = [&](std::string_view why) {
    return fail(Errc::precondition_failed, fmt::format("device {} {}", to_hex(found.id), why));
  };
  if (record.state == DeviceState::gone) return refuse("was given up: format it anew");
  const auto& starts = found.starts;
  KISEKI_ASSERT(!starts.empty());
  // Those before this one that no map has confirmed count: a crash may have come in between.
  const bool known = record.start == 0 || std::ranges::find(starts, record.start) != starts.end();
  if (!known && !KISEKI_PLANTED("8.8 an older copy of a device is let in")) {
    return refuse("is an older copy of itself, or runs in two places: the map knows a later start of it");
  }
  record.start = starts.back();
  return record;
}

}  // namespace kiseki::chunk::detail
