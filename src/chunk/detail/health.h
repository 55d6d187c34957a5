#pragma once

#include <optional>

#include "base/logging.h"
#include "base/result.h"

namespace kiseki::chunk::detail {

/// Whether a device may still be written. After the first failed write or flush nobody knows what the disk
/// holds, so nothing more is acknowledged until a restart has looked.
class Health {
 public:
  Result<> check() const {
    if (broken_) return fail(*broken_);
    return {};
  }
  /// The first reason stays.
  void fail_for_good(const Error& reason) {
    if (broken_) return;
    broken_ = Error(Errc::io_error, "the device is read-only after an error: " + reason.to_string());
    log::error("chunk", "{}", broken_->words());
  }

 private:
  std::optional<Error> broken_;
};

}  // namespace kiseki::chunk::detail
