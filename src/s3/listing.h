#pragma once

#include <string>
#include <vector>

#include "fs/objects.h"
#include "s3/error.h"
#include "s3/uri.h"

namespace kiseki::s3 {

/// What all listings of objects have in common, from the query.
struct ListingRequest {
  enum class Encoding : std::uint8_t { none, url };

  std::string prefix;
  std::string delimiter;
  std::string after;  ///< Only what comes after it.
  std::uint32_t limit = 1000;
  Encoding encoding = Encoding::none;

  /// A name as the client wants it written.
  std::string encoded(std::string_view name) const;
};

/// All but `after`. `invalid_argument`.
S3Result<ListingRequest> listing_request(const Query& query, std::string_view limit_parameter);

/// One page. A delimiter of '/' is the file system's own; any other is folded here, with at most one reading
/// per item.
Task<Result<fs::ListReply>> list_page(fs::Objects& objects, NamespaceId ns, ListingRequest request);

/// An opaque text that stands for a name in a continuation, and back; nothing when it is none of ours.
std::string make_token(std::string_view name);
std::optional<std::string> read_token(std::string_view token);

}  // namespace kiseki::s3
