#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace kiseki::s3 {

/// The error codes this face answers with; their names are Amazon's wherever Amazon has one
/// (docs/conformance/s3.md).
enum class S3Code : std::uint8_t {
  access_denied,
  access_forbidden,
  authorization_header_malformed,
  authorization_query_parameters_error,
  bad_digest,
  bad_request,
  bucket_already_exists,
  bucket_already_owned_by_you,
  bucket_not_empty,
  entity_too_large,
  entity_too_small,
  http_version_not_supported,
  illegal_location_constraint,
  incomplete_body,
  internal_error,
  invalid_access_key_id,
  invalid_argument,
  invalid_bucket_name,
  invalid_digest,
  invalid_location_constraint,
  invalid_part,
  invalid_part_number,
  invalid_part_order,
  invalid_range,
  invalid_request,
  invalid_storage_class,
  invalid_tag,
  invalid_token,
  invalid_uri,
  key_too_long,
  malformed_trailer,
  malformed_xml,
  metadata_too_large,
  method_not_allowed,
  missing_content_length,
  no_such_bucket,
  no_such_bucket_policy,
  no_such_cors_configuration,
  no_such_key,
  no_such_lifecycle_configuration,
  no_such_object_lock_configuration,
  no_such_public_access_block,
  no_such_replication_configuration,
  no_such_server_side_encryption,
  no_such_tag_set,
  no_such_upload,
  no_such_version,
  no_such_website_configuration,
  not_implemented,
  precondition_failed,
  quota_exceeded,
  request_header_section_too_large,
  request_time_too_skewed,
  request_timeout,
  service_unavailable,
  signature_does_not_match,
  slow_down,
  storage_full,
  x_amz_content_sha256_mismatch,
};

struct CodeInfo {
  std::string_view name;
  unsigned status;
  std::string_view message;
};
const CodeInfo& describe(S3Code code) noexcept;

/// What a request is refused with. `details` become further elements of the error document.
struct S3Error {
  S3Code code;
  std::string message = {};  ///< Empty: the code's own words.
  std::vector<std::pair<std::string, std::string>> details = {};
  std::string cause = {};  ///< Of a failure: the whole chain of words, for the log alone.

  std::string_view words() const noexcept {
    return message.empty() ? describe(code).message : std::string_view(message);
  }
};

template <class T = void>
using S3Result = std::expected<T, S3Error>;

inline std::unexpected<S3Error> refuse(S3Code code, std::string message = {}) {
  return std::unexpected(S3Error{code, std::move(message)});
}
inline std::unexpected<S3Error> refuse(S3Error error) { return std::unexpected(std::move(error)); }

/// InvalidArgument, with the argument's name and what was given.
S3Error bad_argument(std::string_view name, std::string_view value, std::string message);

/// EntityTooLarge, EntityTooSmall, KeyTooLongError or MetadataTooLarge, with the size given and the limit.
S3Error bad_size(S3Code code, std::uint64_t given, std::uint64_t limit);

/// NotImplemented, naming the `kind` of thing that is refused ("Parameter", "Header") and which one it is.
S3Error not_built(std::string_view kind, std::string_view name);

/// What a refusal may be about, by name. An empty name is not said.
struct Names {
  std::string_view bucket = {};
  std::string_view key = {};
  std::string_view upload = {};
};

/// The error with those of the names that documents of its code carry.
S3Error with_names(S3Error error, const Names& names);

/// What an operating error is about: the same `not_found` has another name for a bucket, a key and an upload.
enum class Subject : std::uint8_t { service, bucket, object, upload, part };

/// The one table from the system's errors to this face's.
S3Error translate(const Error& error, Subject subject);

}  // namespace kiseki::s3

/// Returns the error of an `S3Result` from a plain function.
#define KISEKI_S3_TRY(expression)                                \
  do {                                                           \
    if (auto s3_result = (expression); !s3_result) [[unlikely]]  \
      return ::kiseki::s3::refuse(std::move(s3_result).error()); \
  } while (false)

/// The same inside a coroutine.
#define KISEKI_S3_CO_TRY(expression)                                \
  do {                                                              \
    auto s3_result = (expression);                                  \
    if (!s3_result) [[unlikely]]                                    \
      co_return ::kiseki::s3::refuse(std::move(s3_result).error()); \
  } while (false)
