#pragma once

#include <map>
#include <string>

#include "base/buffer.h"
#include "base/ids.h"
#include "base/result.h"

namespace kiseki::keys::detail {

/// docs/formats/key-descriptor.md, with every secret still wrapped.
struct KeyDescriptor {
  static constexpr std::size_t epochs_max = 65'535;
  static constexpr std::size_t wrapped_size_max = 65'536;

  TenantId tenant;
  NamespaceId ns;
  std::string permanent;
  std::map<KeyEpoch, std::string> epochs;  ///< Never empty.

  std::string encode() const;
  /// `wrong_format`; `corrupted`.
  static Result<KeyDescriptor> parse(View bytes);
};

}  // namespace kiseki::keys::detail
