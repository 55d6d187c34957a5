#pragma once

#include <string>

#include "base/buffer.h"
#include "base/result.h"
#include "fs/properties.h"

namespace kiseki::fs {

/// What is set for a namespace as a whole: sealed in one record, read once and kept with the namespace's keys
/// until its configuration epoch rises (docs/formats/namespace-configuration.md).
struct Configuration {
  static constexpr std::size_t size_max = 61'440;

  std::string region{};      ///< Where it was made: the location that S3 tells.
  Properties::Pairs tags{};  ///< Of the namespace: key, value.
  std::string later{};  ///< Sections that a later version wrote and this one need not know, as they came.

  friend bool operator==(const Configuration&, const Configuration&) = default;

  /// At most `size_max` bytes, or `decode` refuses it.
  std::string encode() const;
  /// `wrong_format` for another format or a section that has to be known; `corrupted`; `too_large`.
  static Result<Configuration> decode(View bytes);
};

/// A configuration and the epoch it is of.
struct Configured {
  Configuration configuration;
  std::uint32_t epoch = 1;
};

}  // namespace kiseki::fs
