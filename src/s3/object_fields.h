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

/// ETag, Last-Modified, kept headers and user metadata.
void add_object_fields(HttpResponse& response, const fs::Attributes& attributes);

/// The checksum kept with the object, if it has one.
void add_checksum_fields(HttpResponse& response, const fs::Properties& properties);

/// `response-content-type` and its like in the query replace the kept headers.
void override_headers(fs::Properties& properties, const Query& query);

/// An ETag in its quotes.
std::string etag_field(std::string_view etag);

/// What must hold of the present object, from If-Match and If-None-Match. A form that cannot be honoured is
/// refused, never ignored.
S3Result<fs::Condition> write_condition(const HttpHead& head);

}  // namespace kiseki::s3
