#include "chunk/device/health.h"

#include "base/logging.h"
#include "base/metrics.h"

namespace kiseki::chunk::detail {

namespace {

metrics::Gauge failed("kiseki_device_failed", "1: a device takes no more writes until a restart.");

}  // namespace

void Health::fail_for_good(const Error& reason) {
  if (broken_) return;
  broken_ = Error(Errc::io_error, "the device is read-only after an error: " + reason.to_string());
  log::error("chunk", "{}", broken_->words());
  failed.set(1);
}

}  // namespace kiseki::chunk::detail
