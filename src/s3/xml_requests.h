#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/units.h"
#include "s3/error.h"

// The documents clients send. Parsed whole: bounded in size by the caller, in items here. `malformed_xml` for
// anything that is not the document asked for; entities are never expanded and nothing is ever fetched.

namespace kiseki::s3 {

inline constexpr std::size_t xml_small_max = 64_KiB;
inline constexpr std::size_t xml_tagging_max = 512_KiB;  // escapes may take six bytes a character
inline constexpr std::size_t xml_large_max = 4_MiB;

/// The LocationConstraint of a CreateBucketConfiguration, empty when it has none. An empty document is one
/// too.
S3Result<std::string> parse_create_bucket(std::string document);

struct DeleteRequest {
  struct Item {
    std::string key;
    std::string version;
    std::string etag;
  };
  std::vector<Item> items;  ///< 1 to 1,000.
  bool quiet = false;
};
S3Result<DeleteRequest> parse_delete(std::string document);

struct CompleteRequest {
  struct Part {
    std::uint32_t number = 0;
    std::string etag;                                            ///< Without quotes.
    std::vector<std::pair<std::string, std::string>> checksums;  ///< "crc32c" and the like.
  };
  std::vector<Part> parts;  ///< 1 to 10,000, as listed.
};
S3Result<CompleteRequest> parse_complete(std::string document);

inline constexpr std::size_t bucket_tags_max = 50;
/// The tags of a Tagging document, key and value: at most so many, each key once. `invalid_tag`.
S3Result<std::vector<std::pair<std::string, std::string>>> parse_tagging(std::string document,
                                                                         std::size_t tags_max);

}  // namespace kiseki::s3
