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
    call.is_known = code != Errc::cancelled && code != Errc::fenced && code != Errc::timed_out;
    call.error = code;
    ended = true;
  }
};

/// How a put makes its object, by the first letter of its content.
enum class Writer : char { plain = '0', copy = 'c', completion = 'u' };
inline Writer writer_of(std::string_view content) {
  if (content.starts_with('c')) return Writer::copy;
  return content.starts_with('u') ? Writer::completion : Writer::plain;
}

/// What copies are made of: an object with a map page.
inline constexpr std::string_view copied_key = "source", copied_content = "c0";
Task<Result<>> put_copied(Gateway& on, NamespaceId ns);

/// Makes the call; every object but copies has 700 bytes that its content names.
Task<> race(Racer& racer);

}  // namespace kiseki::fs
