#pragma once

#include <memory>
#include <string>

#include "fs/namespaces.h"
#include "fs/uploads.h"
#include "s3/body.h"
#include "s3/conditions.h"
#include "s3/http_message.h"
#include "s3/service_options.h"

namespace kiseki::s3 {

/// One request that may be done, as its operation sees it.
struct Call {
  fs::Namespaces& namespaces;
  fs::Objects& objects;
  fs::Uploads& uploads;
  const ServiceOptions& options;
  Executor executor;
  const HttpHead& head;
  const Query& query;
  std::string bucket;  ///< Valid, where the operation has one.
  std::string key;     ///< Valid, where the operation has one.
  Identity identity;   ///< Of nobody where the operation needs no leave.
  std::string_view request_id;
  std::string_view source;  ///< Address of the peer, without its port; empty: not known.
  WallTime time;            ///< When it came.
  Body& body;

  TenantId tenant() const noexcept { return identity.key.tenant; }
};

/// What to answer with: a head, and a document or a piece of an object.
struct Reply {
  HttpResponse head{200};
  std::string document;
  std::unique_ptr<fs::Object> object;
  ByteRange range;
};

/// A use case: does what the call asks, and says what to answer. `call` outlives it.
using Operation = Task<S3Result<Reply>> (*)(Call& call);

/// An XML document as a reply.
Reply document_reply(std::string document);

/// An error of the file system in this face's words, with the names that the call has for what it is about.
S3Error refusal(const Call& call, const Error& error, Subject subject);

/// The bucket of the call.
Task<S3Result<fs::Namespace>> find_bucket(Call& call);
/// The same from memory, for what is done to one object. It may have gone since: `explain` tells.
Task<S3Result<fs::Namespace>> recall_bucket(Call& call);
/// What to answer with when an object of a recalled bucket could not be read or written.
Task<S3Error> explain(Call& call, fs::Namespace recalled, Error error, Subject subject);

/// The id of a tenant as owner of what it made.
std::string owner_id(TenantId tenant);

/// An integer parameter between `least` and `most`; `otherwise` when it is absent; above `most` it is `most`.
S3Result<std::uint32_t> number_parameter(const Query& query, std::string_view name, std::uint32_t least,
                                         std::uint32_t most, std::uint32_t otherwise);

// Service and buckets.
Task<S3Result<Reply>> list_buckets(Call& call);
Task<S3Result<Reply>> create_bucket(Call& call);
Task<S3Result<Reply>> head_bucket(Call& call);
Task<S3Result<Reply>> delete_bucket(Call& call);
Task<S3Result<Reply>> get_bucket_location(Call& call);
Task<S3Result<Reply>> get_bucket_versioning(Call& call);
Task<S3Result<Reply>> get_bucket_tagging(Call& call);
Task<S3Result<Reply>> put_bucket_tagging(Call& call);
Task<S3Result<Reply>> delete_bucket_tagging(Call& call);

// Listings.
Task<S3Result<Reply>> list_objects(Call& call);
Task<S3Result<Reply>> list_objects_v2(Call& call);
Task<S3Result<Reply>> list_object_versions(Call& call);

// Objects.
Task<S3Result<Reply>> put_object(Call& call);
Task<S3Result<Reply>> get_object(Call& call);
Task<S3Result<Reply>> head_object(Call& call);
Task<S3Result<Reply>> delete_object(Call& call);
Task<S3Result<Reply>> delete_objects(Call& call);
Task<S3Result<Reply>> copy_object(Call& call);
Task<S3Result<Reply>> get_object_tagging(Call& call);

// Multipart uploads.
Task<S3Result<Reply>> create_multipart_upload(Call& call);
Task<S3Result<Reply>> upload_part(Call& call);
Task<S3Result<Reply>> upload_part_copy(Call& call);
Task<S3Result<Reply>> complete_multipart_upload(Call& call);
Task<S3Result<Reply>> abort_multipart_upload(Call& call);
Task<S3Result<Reply>> list_parts(Call& call);
Task<S3Result<Reply>> list_multipart_uploads(Call& call);

}  // namespace kiseki::s3
