#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace kiseki {

/// The whole vocabulary of operating errors. Values are on the wire and in logs: they never change, and none
/// is used again (docs/formats/errors.md). Each face maps every one in a switch without `default`.
enum class Errc : std::uint8_t {
  // Retriable: the same request may succeed later.
  unavailable = 1,      ///< The service or peer does not answer now.
  busy = 2,             ///< A limit is reached; slow down.
  conflict = 3,         ///< Lost a race against another transaction; start again from the read.
  key_unavailable = 5,  ///< The key service does not answer.
  timed_out = 6,        ///< A deadline passed; the outcome may be unknown.
  not_leader = 7,       ///< This replica may not answer; ask the leader.
  stale = 8,            ///< A generation, epoch, sequence or cached route is out of date.
  cancelled = 9,        ///< The caller or the process is stopping.
  would_block = 10,     ///< Asked not to wait for the disk, and would have to; never leaves the node.

  // Permanent: the same request will fail again.
  invalid_argument = 20,
  not_found = 21,
  exists = 22,
  precondition_failed = 23,
  not_empty = 24,
  is_directory = 25,
  not_directory = 26,
  too_large = 27,
  out_of_range = 28,
  no_space = 29,
  quota_exceeded = 30,
  retained = 31,       ///< Retention or legal hold forbids it.
  corrupted = 32,      ///< Stored bytes fail their check; nothing of them was given out.
  io_error = 33,       ///< The device or the operating system refused.
  wrong_format = 34,   ///< Another format or version than this build reads.
  not_supported = 35,  ///< Not implemented, and said so.

  // Security.
  denied = 51,
  fenced = 52,  ///< This session's identity was revoked.
};

enum class ErrorClass : std::uint8_t { retriable, permanent, security };

ErrorClass class_of(Errc code) noexcept;
std::string_view name_of(Errc code) noexcept;

/// A code plus words: what failed, on what, why. Below the boundary the words never hold a key, token, name
/// or payload of a tenant.
class Error {
 public:
  explicit Error(Errc code, std::string words = {}) : code_(code), words_(std::move(words)) {}

  Errc code() const noexcept { return code_; }
  const std::string& words() const noexcept { return words_; }
  /// "not_found: put: shard 7: short read"
  std::string to_string() const;

  /// The same error with a scope in front of its words: `scope: words`.
  Error in(std::string_view scope) &&;

 private:
  Errc code_;
  std::string words_;
};

template <class T = void>
using Result = std::expected<T, Error>;

inline std::unexpected<Error> fail(Errc code, std::string words = {}) {
  return std::unexpected<Error>(std::in_place, code, std::move(words));
}
inline std::unexpected<Error> fail(Error error) { return std::unexpected<Error>(std::move(error)); }

}  // namespace kiseki

/// Returns the error of a `Result` expression from a plain function.
#define KISEKI_TRY(expression)                                          \
  do {                                                                  \
    if (auto kiseki_result = (expression); !kiseki_result) [[unlikely]] \
      return ::kiseki::fail(std::move(kiseki_result).error());          \
  } while (false)

/// The same inside a coroutine; `expression` may hold co_await.
#define KISEKI_CO_TRY(expression)                                 \
  do {                                                            \
    auto kiseki_result = (expression);                            \
    if (!kiseki_result) [[unlikely]]                              \
      co_return ::kiseki::fail(std::move(kiseki_result).error()); \
  } while (false)
