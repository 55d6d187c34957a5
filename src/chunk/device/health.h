#pragma once

#include <optional>

#include "base/result.h"

namespace kiseki::chunk::detail {

/// Whether a device may still be written. After the first failed write or flush nobody knows what the disk
/// holds, so nothing more is acknowledged until a restart has looked.
class Health {
 public:
  /// Empty: it may be written.
  std::string words() const { return broken_ ? std::string(broken_->words()) : std::string(); }
  Result<> check() const {
    if (broken_) return fail(*broken_);
    return {};
  }
  /// The first reason stays.
  void fail_for_good(const Error& reason);

 private:
  std::optional<Error> broken_;
};

}  // namespace kiseki::chunk::detail
