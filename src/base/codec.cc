#include "base/codec.h"

#include <fmt/format.h>

namespace kiseki {

Result<> Decoder::finish(std::string_view what) const {
  if (failed_) return fail(Errc::corrupted, fmt::format("{}: short or impossible field", what));
  if (!rest_.empty()) return fail(Errc::corrupted, fmt::format("{}: {} bytes too many", what, rest_.size()));
  return {};
}

}  // namespace kiseki
