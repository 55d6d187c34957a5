#include "s3/error.h"

#include <fmt/format.h>

namespace kiseki::s3 {

namespace {

// One row per code, in the order of the enumeration.
constexpr CodeInfo table[] = {
    {"AccessDenied", 403, "Access Denied."},
    {"AccessForbidden", 403, "Access forbidden."},
    {"AuthorizationHeaderMalformed", 400, "The authorization header that you provided is not valid."},
    {"AuthorizationQueryParametersError", 400, "The authorization query parameters are not valid."},
    {"BadDigest", 400,
     "The Content-MD5 or checksum value that you specified did not match what the server received."},
    {"BadRequest", 400, "The request is not valid HTTP."},
    {"BucketAlreadyExists", 409,
     "The requested bucket name is not available. The bucket namespace is shared by all users of the system. "
     "Please select a different name and try again."},
    {"BucketAlreadyOwnedByYou", 409, "The bucket that you tried to create already exists, and you own it."},
    {"BucketNotEmpty", 409, "The bucket that you tried to delete is not empty."},
    {"EntityTooLarge", 400, "Your proposed upload exceeds the maximum allowed object size."},
    {"EntityTooSmall", 400, "Your proposed upload is smaller than the minimum allowed object size."},
    {"HttpVersionNotSupported", 505, "Speak HTTP/1.1."},
    {"IllegalLocationConstraintException", 400,
     "The location constraint is incompatible with the region this request was sent to."},
    {"IncompleteBody", 400, "The request body is not as long as the request says."},
    {"InternalError", 500, "We encountered an internal error. Please try again."},
    {"InvalidAccessKeyId", 403, "The access key ID that you provided does not exist in our records."},
    {"InvalidArgument", 400, "Invalid Argument."},
    {"InvalidBucketName", 400, "The specified bucket is not valid."},
    {"InvalidDigest", 400, "The Content-MD5 or checksum value that you specified is not valid."},
    {"InvalidLocationConstraint", 400, "The specified location (region) constraint is not valid."},
    {"InvalidPart", 400,
     "One or more of the specified parts could not be found. The part might not have been uploaded, or the "
     "specified entity tag might not have matched the part's entity tag."},
    {"InvalidPartNumber", 416, "The requested partnumber is not satisfiable."},
    {"InvalidPartOrder", 400,
     "The list of parts was not in ascending order. Parts must be ordered by part number."},
    {"InvalidRange", 416, "The requested range cannot be satisfied."},
    {"InvalidRequest", 400, "Invalid Request."},
    {"InvalidStorageClass", 400, "The storage class that you specified is not valid."},
    {"InvalidTag", 400, "The tag provided was not a valid tag."},
    {"InvalidToken", 400, "The provided token is malformed or otherwise not valid."},
    {"InvalidURI", 400, "The specified URI couldn't be parsed."},
    {"KeyTooLongError", 400, "Your key is too long."},
    {"MalformedTrailerError", 400,
     "The request contained trailing data that was not well formed or did not conform to our schema."},
    {"MalformedXML", 400,
     "The XML that you provided was not well formed or did not validate against our schema."},
    {"MetadataTooLarge", 400, "Your metadata headers exceed the maximum allowed metadata size."},
    {"MethodNotAllowed", 405, "The specified method is not allowed against this resource."},
    {"MissingContentLength", 411, "You must provide the Content-Length HTTP header."},
    {"NoSuchBucket", 404, "The specified bucket does not exist."},
    {"NoSuchBucketPolicy", 404, "The specified bucket does not have a bucket policy."},
    {"NoSuchCORSConfiguration", 404, "The specified bucket does not have a CORS configuration."},
    {"NoSuchKey", 404, "The specified key does not exist."},
    {"NoSuchLifecycleConfiguration", 404, "The lifecycle configuration does not exist."},
    {"ObjectLockConfigurationNotFoundError", 404,
     "Object Lock configuration does not exist for this bucket."},
    {"NoSuchPublicAccessBlockConfiguration", 404, "The public access block configuration was not found."},
    {"ReplicationConfigurationNotFoundError", 404, "The replication configuration was not found."},
    {"ServerSideEncryptionConfigurationNotFoundError", 404,
     "The server side encryption configuration was not found."},
    {"NoSuchTagSet", 404, "The TagSet does not exist."},
    {"NoSuchUpload", 404,
     "The specified multipart upload does not exist. The upload ID might not be valid, or the multipart "
     "upload "
     "might have been aborted or completed."},
    {"NoSuchVersion", 404, "The specified version does not exist: versioning is not enabled."},
    {"NoSuchWebsiteConfiguration", 404, "The specified bucket does not have a website configuration."},
    {"NotImplemented", 501,
     "A header or query parameter that you provided implies functionality that is not implemented."},
    {"PreconditionFailed", 412, "At least one of the preconditions that you specified did not hold."},
    {"QuotaExceeded", 403, "The quota does not allow this write."},
    {"RequestHeaderSectionTooLarge", 400,
     "Your request header and query parameters exceeded the maximum allowed size."},
    {"RequestTimeTooSkewed", 403,
     "The difference between the request time and the server's time is too large."},
    {"RequestTimeout", 400,
     "Your socket connection to the server was not read from or written to within the timeout period."},
    {"ServiceUnavailable", 503, "Service is unable to handle request. Please retry."},
    {"SignatureDoesNotMatch", 403,
     "The request signature we calculated does not match the signature you provided. Check your key and "
     "signing "
     "method."},
    {"SlowDown", 503, "Please reduce your request rate."},
    {"InsufficientStorage", 507, "The storage is full. Delete data or add devices."},
    {"XAmzContentSHA256Mismatch", 400,
     "The provided 'x-amz-content-sha256' header does not match what was computed."},
};
static_assert(std::size(table) == static_cast<std::size_t>(S3Code::x_amz_content_sha256_mismatch) + 1);

S3Code code_of_absent(Subject subject) noexcept {
  switch (subject) {
    case Subject::service:
    case Subject::bucket:
      return S3Code::no_such_bucket;
    case Subject::object:
      return S3Code::no_such_key;
    case Subject::upload:
    case Subject::part:
      return S3Code::no_such_upload;
  }
  return S3Code::internal_error;
}

S3Code code_of_invalid(Subject subject) noexcept {
  switch (subject) {
    case Subject::bucket:
      return S3Code::invalid_bucket_name;
    case Subject::part:
      return S3Code::invalid_part;
    case Subject::service:
    case Subject::object:
    case Subject::upload:
      return S3Code::invalid_argument;
  }
  return S3Code::internal_error;
}

S3Code code_of(Errc code, Subject subject) noexcept {
  switch (code) {
    case Errc::busy:
    case Errc::conflict:
    case Errc::would_block:
      return S3Code::slow_down;
    case Errc::unavailable:
    case Errc::key_unavailable:
    case Errc::timed_out:
    case Errc::not_leader:
    case Errc::stale:
    case Errc::cancelled:
    case Errc::fenced:
      return S3Code::service_unavailable;
    case Errc::invalid_argument:
      return code_of_invalid(subject);
    case Errc::not_found:
      return code_of_absent(subject);
    case Errc::exists:
      return subject == Subject::bucket ? S3Code::bucket_already_owned_by_you : S3Code::precondition_failed;
    case Errc::precondition_failed:
      return S3Code::precondition_failed;
    case Errc::not_empty:
      return S3Code::bucket_not_empty;
    case Errc::is_directory:
    case Errc::not_directory:
      return S3Code::invalid_request;
    case Errc::too_large:
      return S3Code::entity_too_large;
    case Errc::out_of_range:
      return subject == Subject::part ? S3Code::entity_too_small : S3Code::invalid_range;
    case Errc::no_space:
      return S3Code::storage_full;
    case Errc::quota_exceeded:
      return S3Code::quota_exceeded;
    case Errc::corrupted:
    case Errc::io_error:
    case Errc::wrong_format:
      return S3Code::internal_error;
    case Errc::not_supported:
      return S3Code::not_implemented;
    case Errc::retained:
    case Errc::denied:
      return S3Code::access_denied;
  }
  return S3Code::internal_error;
}

}  // namespace

const CodeInfo& describe(S3Code code) noexcept { return table[static_cast<std::size_t>(code)]; }

S3Error bad_argument(std::string_view name, std::string_view value, std::string message) {
  return {S3Code::invalid_argument,
          std::move(message),
          {{"ArgumentName", std::string(name)}, {"ArgumentValue", std::string(value)}}};
}

S3Error bad_size(S3Code code, std::uint64_t given, std::uint64_t limit) {
  const bool of_entity = code == S3Code::entity_too_large || code == S3Code::entity_too_small;
  return {
      code,
      {},
      {{of_entity ? "ProposedSize" : "Size", fmt::format("{}", given)},
       {code == S3Code::entity_too_small ? "MinSizeAllowed" : "MaxSizeAllowed", fmt::format("{}", limit)}}};
}

S3Error not_built(std::string_view kind, std::string_view name) {
  return {S3Code::not_implemented, {}, {{std::string(kind), std::string(name)}}};
}

S3Error with_names(S3Error error, const Names& names) {
  const auto add = [&error](const char* element, std::string_view name) {
    if (!name.empty()) error.details.emplace_back(element, name);
  };
  switch (error.code) {
    case S3Code::no_such_key:
    case S3Code::no_such_version:
      add("Key", names.key);
      break;
    case S3Code::no_such_upload:
    case S3Code::invalid_part:
    case S3Code::invalid_part_order:
      add("UploadId", names.upload);
      break;
    case S3Code::bucket_already_exists:
    case S3Code::bucket_already_owned_by_you:
    case S3Code::bucket_not_empty:
    case S3Code::invalid_bucket_name:
    case S3Code::no_such_bucket:
    case S3Code::no_such_bucket_policy:
    case S3Code::no_such_cors_configuration:
    case S3Code::no_such_lifecycle_configuration:
    case S3Code::no_such_object_lock_configuration:
    case S3Code::no_such_public_access_block:
    case S3Code::no_such_replication_configuration:
    case S3Code::no_such_server_side_encryption:
    case S3Code::no_such_tag_set:
    case S3Code::no_such_website_configuration:
      add("BucketName", names.bucket);
      break;
    default:
      break;
  }
  return error;
}

S3Error translate(const Error& error, Subject subject) {
  const S3Code code = code_of(error.code(), subject);
  const CodeInfo& info = describe(code);
  // Above 500 the words are the operator's; the caller learns the cause by its class.
  if (info.status < 500 || code == S3Code::not_implemented) return {code, {}, {}};
  return {code, fmt::format("{} Cause: {}.", info.message, name_of(error.code())), {}, error.to_string()};
}

}  // namespace kiseki::s3
