#include "s3/routes.h"

#include "fs/namespaces.h"

namespace kiseki::s3 {

namespace {

enum class Level : std::uint8_t { service, bucket, object };
enum class Copy : std::uint8_t { no, yes };

struct Route {
  std::string_view method;
  Level level;
  std::string_view selector;    ///< The query parameter whose presence chooses this row; empty: none.
  std::string_view parameters;  ///< What else may stand in the query, between blanks.
  std::string_view name;        ///< As the API has it.
  std::string_view permission;  ///< As policies have it; empty: none is needed.
  Operation operation;
  Copy copy = Copy::no;  ///< With x-amz-copy-source.
  ChecksumOf checksum_of = ChecksumOf::body;
  Document document = Document::none;
};

/// A configuration that cannot be set here, so that it is always absent.
template <S3Code code>
Task<S3Result<Reply>> absent_configuration(Call& call) {
  const auto bucket = co_await find_bucket(call);
  if (!bucket) co_return refuse(bucket.error());
  co_return refuse(with_names(S3Error{code}, {.bucket = call.bucket}));
}

/// A browser asks before it sends a request of another origin. No bucket has rules that would allow one.
Task<S3Result<Reply>> preflight(Call&) {
  co_return refuse(S3Code::access_forbidden, "CORSResponse: CORS is not enabled for this bucket.");
}

/// A browser's form says itself who vouches for it, so that the route needs no leave.
Task<S3Result<Reply>> post_object(Call&) {
  co_return refuse(S3Code::not_implemented, "Uploads by browser forms (POST) are not implemented.");
}

constexpr std::string_view list_v1 = " prefix delimiter marker max-keys encoding-type ";
constexpr std::string_view list_v2 =
    " prefix delimiter continuation-token start-after max-keys encoding-type fetch-owner ";
constexpr std::string_view list_versions =
    " prefix delimiter key-marker version-id-marker max-keys encoding-type ";
constexpr std::string_view list_uploads = " prefix key-marker upload-id-marker max-uploads encoding-type ";
constexpr std::string_view overrides =
    " versionId partNumber response-content-type response-content-language response-expires "
    "response-cache-control "
    "response-content-disposition response-content-encoding ";

// A row with a selector stands before the row of the same method without one.
constexpr Route routes[] = {
    {"GET", Level::service, "", " prefix max-buckets continuation-token bucket-region ", "ListBuckets",
     "s3:ListAllMyBuckets", list_buckets, Copy::no, ChecksumOf::body, Document::page},

    {"GET", Level::bucket, "location", "", "GetBucketLocation", "s3:GetBucketLocation", get_bucket_location},
    {"GET", Level::bucket, "versioning", "", "GetBucketVersioning", "s3:GetBucketVersioning",
     get_bucket_versioning},
    {"GET", Level::bucket, "versions", list_versions, "ListObjectVersions", "s3:ListBucketVersions",
     list_object_versions, Copy::no, ChecksumOf::body, Document::page},
    {"GET", Level::bucket, "uploads", list_uploads, "ListMultipartUploads", "s3:ListBucketMultipartUploads",
     list_multipart_uploads, Copy::no, ChecksumOf::body, Document::page},
    {"GET", Level::bucket, "list-type", list_v2, "ListObjectsV2", "s3:ListBucket", list_objects_v2, Copy::no,
     ChecksumOf::body, Document::page},
    {"GET", Level::bucket, "policy", "", "GetBucketPolicy", "s3:GetBucketPolicy",
     absent_configuration<S3Code::no_such_bucket_policy>},
    {"GET", Level::bucket, "cors", "", "GetBucketCors", "s3:GetBucketCORS",
     absent_configuration<S3Code::no_such_cors_configuration>},
    {"GET", Level::bucket, "lifecycle", "", "GetBucketLifecycleConfiguration", "s3:GetLifecycleConfiguration",
     absent_configuration<S3Code::no_such_lifecycle_configuration>},
    {"GET", Level::bucket, "tagging", "", "GetBucketTagging", "s3:GetBucketTagging", get_bucket_tagging},
    {"GET", Level::bucket, "object-lock", "", "GetObjectLockConfiguration",
     "s3:GetBucketObjectLockConfiguration", absent_configuration<S3Code::no_such_object_lock_configuration>},
    {"GET", Level::bucket, "website", "", "GetBucketWebsite", "s3:GetBucketWebsite",
     absent_configuration<S3Code::no_such_website_configuration>},
    {"GET", Level::bucket, "replication", "", "GetBucketReplication", "s3:GetReplicationConfiguration",
     absent_configuration<S3Code::no_such_replication_configuration>},
    {"GET", Level::bucket, "encryption", "", "GetBucketEncryption", "s3:GetEncryptionConfiguration",
     absent_configuration<S3Code::no_such_server_side_encryption>},
    {"GET", Level::bucket, "publicAccessBlock", "", "GetPublicAccessBlock", "s3:GetBucketPublicAccessBlock",
     absent_configuration<S3Code::no_such_public_access_block>},
    {"GET", Level::bucket, "", list_v1, "ListObjects", "s3:ListBucket", list_objects, Copy::no,
     ChecksumOf::body, Document::page},
    {"HEAD", Level::bucket, "", "", "HeadBucket", "s3:ListBucket", head_bucket},
    {"PUT", Level::bucket, "tagging", "", "PutBucketTagging", "s3:PutBucketTagging", put_bucket_tagging,
     Copy::no, ChecksumOf::body, Document::body},
    {"PUT", Level::bucket, "", "", "CreateBucket", "s3:CreateBucket", create_bucket, Copy::no,
     ChecksumOf::body, Document::body},
    {"DELETE", Level::bucket, "tagging", "", "DeleteBucketTagging", "s3:PutBucketTagging",
     delete_bucket_tagging},
    {"DELETE", Level::bucket, "", "", "DeleteBucket", "s3:DeleteBucket", delete_bucket},
    {"OPTIONS", Level::bucket, "", "", "OptionsObject", "", preflight},
    {"POST", Level::bucket, "delete", "", "DeleteObjects", "s3:DeleteObject", delete_objects, Copy::no,
     ChecksumOf::body, Document::body},
    {"POST", Level::bucket, "", "", "PostObject", "", post_object},

    {"GET", Level::object, "uploadId", " max-parts part-number-marker ", "ListParts",
     "s3:ListMultipartUploadParts", list_parts, Copy::no, ChecksumOf::body, Document::page},
    {"GET", Level::object, "tagging", " versionId ", "GetObjectTagging", "s3:GetObjectTagging",
     get_object_tagging},
    {"GET", Level::object, "", overrides, "GetObject", "s3:GetObject", get_object},
    {"HEAD", Level::object, "", overrides, "HeadObject", "s3:GetObject", head_object},
    {"PUT", Level::object, "uploadId", " partNumber ", "UploadPart", "s3:PutObject", upload_part},
    {"PUT", Level::object, "uploadId", " partNumber ", "UploadPartCopy", "s3:PutObject", upload_part_copy,
     Copy::yes},
    {"PUT", Level::object, "", "", "PutObject", "s3:PutObject", put_object},
    {"PUT", Level::object, "", "", "CopyObject", "s3:PutObject", copy_object, Copy::yes},
    {"OPTIONS", Level::object, "", "", "OptionsObject", "", preflight},
    {"DELETE", Level::object, "uploadId", "", "AbortMultipartUpload", "s3:AbortMultipartUpload",
     abort_multipart_upload},
    {"DELETE", Level::object, "", " versionId ", "DeleteObject", "s3:DeleteObject", delete_object},
    {"POST", Level::object, "uploads", "", "CreateMultipartUpload", "s3:PutObject", create_multipart_upload},
    {"POST", Level::object, "uploadId", "", "CompleteMultipartUpload", "s3:PutObject",
     complete_multipart_upload, Copy::no, ChecksumOf::object, Document::body},
};

const char* resource_type(Level level) noexcept {
  switch (level) {
    case Level::service:
      return "SERVICE";
    case Level::bucket:
      return "BUCKET";
    case Level::object:
      return "OBJECT";
  }
  return "";
}

Level level_of(const Address& address) noexcept {
  if (address.bucket.empty()) return Level::service;
  return address.key.empty() ? Level::bucket : Level::object;
}

/// What the API has besides plain objects and buckets. A request that names one asks for something else than
/// the plain operation, also where it is not built.
constexpr std::string_view subresources =
    " abac accelerate acl analytics attributes cors delete encryption intelligent-tiering inventory "
    "legal-hold "
    "lifecycle location logging metadataConfiguration metadataInventoryTable metadataJournalTable "
    "metadataTable "
    "metrics notification object-lock ownershipControls partNumber policy policyStatus publicAccessBlock "
    "renameObject replication requestPayment restore retention select select-type session tagging torrent "
    "uploadId uploads versioning versions website ";
/// Fields that clients put into a presigned URL and that change nothing there.
constexpr std::string_view idle_fields = " x-amz-checksum-mode x-amz-user-agent ";

bool is_listed(std::string_view list, std::string_view name) {
  return !name.empty() && name.find(' ') == name.npos && list.find(fmt::format(" {} ", name)) != list.npos;
}

S3Result<> check_version(const Route& route, const Address& address, const Query& query) {
  const std::string* version = query.find("versionId");
  if (version == nullptr || route.level != Level::object) return {};
  if (!is_listed(route.parameters, "versionId"))
    return refuse(bad_argument("versionId", *version, "This operation does not accept a version-id."));
  if (*version == "null") return {};
  return refuse(S3Error{S3Code::no_such_version, {}, {{"Key", address.key}, {"VersionId", *version}}});
}

S3Result<> check_parameters(const Route& route, const Query& query) {
  for (const QueryParameter& one : query.all()) {
    if (one.name == route.selector || is_listed(route.parameters, one.name)) continue;
    const bool is_field = one.name.starts_with("x-amz-") && !is_listed(idle_fields, one.name);
    if (is_field || is_listed(subresources, one.name)) return refuse(not_built("Parameter", one.name));
  }
  return {};
}

struct FieldRule {
  std::string_view name;     ///< A prefix when it ends in '-'.
  std::string_view allowed;  ///< Values that ask for what is anyway so, between blanks.
  S3Code code = S3Code::not_implemented;
};

constexpr FieldRule field_rules[] = {
    {"x-amz-acl", " private bucket-owner-full-control bucket-owner-read "},
    {"x-amz-grant-", ""},
    {"x-amz-server-side-encryption", " AES256 "},
    {"x-amz-server-side-encryption-", ""},
    {"x-amz-copy-source-server-side-encryption-", ""},
    {"x-amz-tagging", ""},
    {"x-amz-tagging-directive", " COPY "},
    {"x-amz-website-redirect-location", ""},
    {"x-amz-object-lock-", ""},
    {"x-amz-bucket-object-lock-enabled", " false "},
    {"x-amz-object-ownership", " BucketOwnerEnforced "},
    {"x-amz-write-offset-bytes", ""},
    {"x-amz-rename-source", ""},
    {"x-amz-if-match-", ""},
    {"x-amz-storage-class", " STANDARD ", S3Code::invalid_storage_class},
};

bool applies(const FieldRule& rule, std::string_view name) noexcept {
  return rule.name.ends_with('-') ? name.starts_with(rule.name) : name == rule.name;
}

}  // namespace

std::string_view bucket_of_host(std::string_view host, std::string_view domain) noexcept {
  host = host.substr(0, host.rfind(':'));
  if (domain.empty() || host.size() <= domain.size() + 1 || !host.ends_with(domain)) return {};
  host.remove_suffix(domain.size());
  return host.ends_with('.') ? host.substr(0, host.size() - 1) : std::string_view{};
}

S3Result<Address> resolve_address(std::string_view path, std::string_view host, std::string_view domain) {
  Address address;
  path.remove_prefix(1);
  if (const std::string_view bucket = bucket_of_host(host, domain); !bucket.empty()) {
    address = {std::string(bucket), std::string(path)};
  } else {
    const std::size_t slash = path.find('/');
    address.bucket = path.substr(0, slash);
    if (slash != path.npos) address.key = path.substr(slash + 1);
  }
  if (address.bucket.empty() && address.key.empty()) return address;
  if (!fs::check_namespace_name(address.bucket))
    return refuse(with_names(S3Error{S3Code::invalid_bucket_name}, {.bucket = address.bucket}));
  if (address.key.size() > key_size_max)
    return refuse(bad_size(S3Code::key_too_long, address.key.size(), key_size_max));
  return address;
}

S3Result<Selection> find_operation(const HttpHead& head, const Address& address, const Query& query) {
  const Level level = level_of(address);
  const Copy copy = head.find("x-amz-copy-source") ? Copy::yes : Copy::no;
  bool method_known = false;
  for (const Route& route : routes) {
    if (route.method != head.method() || route.level != level) continue;
    method_known = true;
    if (route.copy != copy || (!route.selector.empty() && !query.has(route.selector))) continue;
    KISEKI_S3_TRY(check_parameters(route, query));
    KISEKI_S3_TRY(check_version(route, address, query));
    return Selection{route.operation, route.checksum_of, {route.name, route.permission}, route.document};
  }
  return refuse(S3Error{method_known ? S3Code::not_implemented : S3Code::method_not_allowed,
                        {},
                        {{"Method", std::string(head.method())}, {"ResourceType", resource_type(level)}}});
}

S3Result<> check_fields(const HttpHead& head, std::string_view owner) {
  for (const HttpField& field : head.fields()) {
    for (const FieldRule& rule : field_rules) {
      if (!applies(rule, field.name) ||
          rule.allowed.find(fmt::format(" {} ", field.value)) != rule.allowed.npos) {
        continue;
      }
      if (rule.code != S3Code::invalid_storage_class) return refuse(not_built("Header", field.name));
      return refuse(S3Error{rule.code, {}, {{"StorageClassRequested", std::string(field.value)}}});
    }
    const bool names_owner =
        field.name == "x-amz-expected-bucket-owner" || field.name == "x-amz-source-expected-bucket-owner";
    if (names_owner && field.value != owner) return refuse(S3Code::access_denied);
  }
  return {};
}

}  // namespace kiseki::s3
