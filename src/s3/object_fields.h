#pragma once

#include "fs/objects.h"
#include "s3/error.h"
#include "s3/http_message.h"
#include "s3/uri.h"

// How an object's properties travel in the fields of requests and responses.

namespace kiseki::s3 {

/// User metadata and the headers kept with an object. `metadata_too_large` above 2 KiB of the one or 4 KiB of
/// the other.
S3Result<fs::Properties> properties_from(const HttpHead& head);

/// ETag, Last-Modified, kept headers and user metadata. A value that is not ASCII goes as an encoded word of
/// RFC 2047.
void add_object_fields(HttpResponse& response, const fs::Attributes& attributes);

/// The checksum of an object or a part, if it has one.
void add_checksum_fields(HttpResponse& response, const fs::Properties& properties);
/// The same, and its type.
void add_typed_checksum_fields(HttpResponse& response, const fs::Properties& properties);

/// Of a multipart object, from its ETag ("hex-N"); 0: it is none.
std::uint32_t parts_count(std::string_view etag) noexcept;

/// `response-content-type` and its like in the query replace the kept headers.
void override_headers(fs::Properties& properties, const Query& query);

/// An ETag in its quotes.
std::string etag_field(std::string_view etag);

/// What must hold of the present object, from If-Match and If-None-Match. A form that cannot be honoured is
/// refused, never ignored.
S3Result<fs::Condition> write_condition(const HttpHead& head);

}  // namespace kiseki::s3
