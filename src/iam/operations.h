#pragma once

#include <span>
#include <string_view>

#include "iam/actions.h"
#include "iam/context.h"

namespace kiseki::iam {

/// One thing that an operation of S3 needs leave for. Every row of an operation must be allowed.
struct Requirement {
  enum class Of : std::uint8_t {
    service,
    bucket,
    object,  ///< Of DeleteObjects each.
    source,  ///< Of a copy or a rename.
  };

  std::string_view operation;  ///< As the API names it: "PutObject".
  Of of;
  Action action;
  Action of_version;  ///< Instead, when the request names a version.
  /// The field that asks for it, a prefix when it ends in '-'; empty: every request does.
  std::string_view field = {};
};

/// All of an operation; none: it is not known, and nobody may do it.
std::span<const Requirement> requirements_of(std::string_view operation) noexcept;

/// The ARN that policies see for `Of::service`.
inline constexpr std::string_view service_arn = "arn:aws:s3:::*";

/// What conditions may ask about a request that does this, beside what every request says of itself (who,
/// when, from where, signed how).
ContextKeys keys_of(Action action) noexcept;

}  // namespace kiseki::iam
