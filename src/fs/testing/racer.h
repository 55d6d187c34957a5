#pragma once

#include "fs/testing/memory_world.h"
#include "fs/testing/race_model.h"

namespace kiseki::fs {

/// One call, by itself on a gateway.
struct Racer {
  Gateway* on = nullptr;
  NamespaceId ns;
  RacingCall call;
  bool ended = false;

  void answer(const Result<>& result) {
    const auto code = result ? std::optional<Errc>() : result.error().code();
    call.is_known = code != Errc::cancelled && code != Errc::fenced;
    call.error = code;
    ended = true;
  }
};

/// Makes the call; every object has 700 bytes that its content names.
Task<> race(Racer& racer);

}  // namespace kiseki::fs
