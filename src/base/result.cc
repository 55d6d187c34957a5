#include "base/result.h"

#include <fmt/format.h>

namespace kiseki {

ErrorClass class_of(Errc code) noexcept {
  const auto value = static_cast<std::uint8_t>(code);
  if (value < static_cast<std::uint8_t>(Errc::invalid_argument)) return ErrorClass::retriable;
  return value < static_cast<std::uint8_t>(Errc::denied) ? ErrorClass::permanent : ErrorClass::security;
}

std::string_view name_of(Errc code) noexcept {
  switch (code) {
    case Errc::unavailable:
      return "unavailable";
    case Errc::busy:
      return "busy";
    case Errc::conflict:
      return "conflict";
    case Errc::key_unavailable:
      return "key_unavailable";
    case Errc::timed_out:
      return "timed_out";
    case Errc::not_leader:
      return "not_leader";
    case Errc::stale:
      return "stale";
    case Errc::cancelled:
      return "cancelled";
    case Errc::would_block:
      return "would_block";
    case Errc::invalid_argument:
      return "invalid_argument";
    case Errc::not_found:
      return "not_found";
    case Errc::exists:
      return "exists";
    case Errc::precondition_failed:
      return "precondition_failed";
    case Errc::not_empty:
      return "not_empty";
    case Errc::is_directory:
      return "is_directory";
    case Errc::not_directory:
      return "not_directory";
    case Errc::too_large:
      return "too_large";
    case Errc::out_of_range:
      return "out_of_range";
    case Errc::no_space:
      return "no_space";
    case Errc::quota_exceeded:
      return "quota_exceeded";
    case Errc::retained:
      return "retained";
    case Errc::corrupted:
      return "corrupted";
    case Errc::io_error:
      return "io_error";
    case Errc::wrong_format:
      return "wrong_format";
    case Errc::not_supported:
      return "not_supported";
    case Errc::denied:
      return "denied";
    case Errc::fenced:
      return "fenced";
  }
  return "unknown";
}

std::string Error::to_string() const {
  return words_.empty() ? std::string(name_of(code_)) : fmt::format("{}: {}", name_of(code_), words_);
}

Error Error::in(std::string_view scope) && {
  return Error(code_, words_.empty() ? std::string(scope) : fmt::format("{}: {}", scope, words_));
}

}  // namespace kiseki
