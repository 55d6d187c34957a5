#pragma once

#include "base/result.h"
#include "chunk/device.h"
#include "chunk/pool_map.h"

namespace kiseki::chunk::detail {

/// The record of a device that has started and is about to serve. `precondition_failed`, in words for whoever
/// runs it, for an older copy of itself, one that runs elsewhere and one that was given up.
///
/// The change asserts the record's version, so of two copies that start at once one is refused, now and at
/// every later start.
Result<DeviceRecord> activate(DeviceRecord record, const DeviceIdentity& found);

}  // namespace kiseki::chunk::detail
