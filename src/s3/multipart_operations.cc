#include <charconv>

#include "s3/listing.h"
#include "s3/multipart_checksum.h"
#include "s3/object_fields.h"
#include "s3/operation.h"
#include "s3/part_number.h"
#include "s3/time_format.h"
#include "s3/xml.h"
#include "s3/xml_requests.h"

namespace kiseki::s3 {

namespace {

constexpr std::uint32_t parts_max = 10'000;
constexpr std::uint32_t page_max = 1000;

std::string upload_id(const Call& call) { return std::string(call.query.get("uploadId")); }

/// The algorithm and type that parts will come with; told back so that a client knows they are checked.
S3Result<> add_checksum_algorithm(const HttpHead& head, HttpResponse& response) {
  const auto name = head.find("x-amz-checksum-algorithm");
  const std::string_view type = head.get("x-amz-checksum-type");
  if (!name) return type.empty() ? S3Result<>() : refuse(S3Code::invalid_request);
  const auto algorithm = algorithm_of(*name);
  if (!algorithm) return refuse(S3Code::invalid_request, "Checksum algorithm provided is unsupported.");
  const bool is_sha = *algorithm == ChecksumAlgorithm::sha1 || *algorithm == ChecksumAlgorithm::sha256;
  const bool fits = type.empty() || (type == "COMPOSITE" && *algorithm != ChecksumAlgorithm::crc64nvme) ||
                    (type == "FULL_OBJECT" && !is_sha);
  if (!fits) {
    return refuse(
        S3Code::invalid_request,
        fmt::format("The {} checksum type cannot be used with the {} checksum algorithm.", type, *name));
  }
  response.add("x-amz-checksum-algorithm", *name);
  const std::string_view implied = *algorithm == ChecksumAlgorithm::crc64nvme ? "FULL_OBJECT" : "COMPOSITE";
  response.add("x-amz-checksum-type", type.empty() ? implied : type);
  return {};
}

S3Result<> check_order(const CompleteRequest& request) {
  std::uint32_t last = 0;
  for (const CompleteRequest::Part& part : request.parts) {
    if (part.number <= last) return refuse(S3Code::invalid_part_order);
    if (part.number > parts_max) return refuse(S3Code::invalid_part);
    last = part.number;
  }
  return {};
}

/// MD5 of the parts' MD5s, and their number.
S3Result<std::string> multipart_etag(const CompleteRequest& request) {
  crypto::Hasher md5(crypto::HashKind::md5);
  for (const CompleteRequest::Part& part : request.parts) {
    const auto digest = hex_decode(part.etag);
    if (!digest || digest->size() != sizeof(crypto::DigestMd5)) return refuse(S3Code::invalid_part);
    md5.update(as_view(*digest));
  }
  return fmt::format("{}-{}", to_hex(md5.finish<16>()), request.parts.size());
}

PartChecksum kept_checksum(const fs::PartInfo& part) {
  PartChecksum kept{part.attributes.size, std::nullopt, {}};
  for (const auto& [name, value] : part.attributes.properties.checksums) {
    kept.algorithm = algorithm_of(name);
    kept.value = value;
  }
  return kept;
}

/// What is kept of the parts a request lists, in its order.
Task<S3Result<std::vector<PartChecksum>>> find_parts(Call& call, const fs::Namespace& ns,
                                                     const CompleteRequest& request) {
  std::vector<PartChecksum> kept;
  std::uint32_t after = 0;
  while (kept.size() < request.parts.size()) {
    const auto page = co_await call.uploads.parts(ns.id, call.key, upload_id(call), after, page_max);
    if (!page) co_return refuse(translate(page.error(), Subject::upload));
    for (const fs::PartInfo& part : page->parts) {
      if (kept.size() == request.parts.size() || part.number > request.parts[kept.size()].number) break;
      if (part.number == request.parts[kept.size()].number) kept.push_back(kept_checksum(part));
    }
    if (!page->more) break;
    after = page->parts.back().number;
  }
  if (kept.size() < request.parts.size()) co_return refuse(S3Code::invalid_part);
  co_return kept;
}

Task<S3Result<CompleteRequest>> read_complete(Call& call) {
  auto document = co_await call.body.read_all(xml_large_max);
  if (!document) co_return refuse(std::move(document).error());
  auto request = parse_complete(std::move(*document));
  if (!request) co_return refuse(std::move(request).error());
  KISEKI_S3_CO_TRY(check_order(*request));
  co_return std::move(*request);
}

std::vector<fs::CompletePart> parts_of(const CompleteRequest& request) {
  std::vector<fs::CompletePart> parts;
  parts.reserve(request.parts.size());
  for (const CompleteRequest::Part& part : request.parts) parts.push_back({part.number, part.etag});
  return parts;
}

/// An upload that is gone is NoSuchUpload; what is wrong with the list of parts has codes of its own.
S3Error translate_complete(const Error& error) {
  return translate(error, error.code() == Errc::not_found ? Subject::upload : Subject::part);
}

void add_part(XmlWriter& xml, const fs::PartInfo& part) {
  xml.open("Part")
      .element("PartNumber", part.number)
      .element("LastModified", iso_time(part.attributes.modified_ms));
  xml.element("ETag", etag_field(part.attributes.properties.etag)).element("Size", part.attributes.size);
  for (const auto& [name, value] : part.attributes.properties.checksums) {
    if (const auto algorithm = algorithm_of(name)) xml.element(element_of(*algorithm), value);
  }
  xml.close();
}

void add_people(XmlWriter& xml, TenantId tenant) {
  for (const std::string_view role : {"Initiator", "Owner"})
    xml.open(role).element("ID", owner_id(tenant)).close();
  xml.element("StorageClass", "STANDARD");
}

}  // namespace

S3Result<std::uint32_t> part_number(const Query& query) {
  const std::string_view text = query.get("partNumber");
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc{} && end == text.data() + text.size() && number >= 1 && number <= parts_max)
    return number;
  return refuse(S3Error{S3Code::invalid_argument,
                        "Part number must be an integer between 1 and 10000, inclusive.",
                        {{"ArgumentName", "partNumber"}, {"ArgumentValue", std::string(text)}}});
}

Task<S3Result<Reply>> create_multipart_upload(Call& call) {
  auto properties = properties_from(call.head);
  if (!properties) co_return refuse(std::move(properties).error());
  HttpResponse head(200);
  KISEKI_S3_CO_TRY(add_checksum_algorithm(call.head, head));
  const auto ns = co_await find_bucket(call);
  if (!ns) co_return refuse(ns.error());
  const auto upload = co_await call.uploads.create(ns->id, call.key, std::move(*properties));
  if (!upload) co_return refuse(translate(upload.error(), Subject::object));
  XmlWriter xml("InitiateMultipartUploadResult");
  xml.element("Bucket", call.bucket).element("Key", call.key).element("UploadId", *upload);
  Reply reply = document_reply(xml.finish());
  head.add("Content-Type", "application/xml");
  reply.head = std::move(head);
  co_return reply;
}

Task<S3Result<Reply>> upload_part(Call& call) {
  const auto number = part_number(call.query);
  if (!number) co_return refuse(number.error());
  const auto& length = call.body.rules().length;
  if (!length) co_return refuse(S3Code::missing_content_length);
  if (*length > fs::Uploads::part_size_max) co_return refuse(S3Code::entity_too_large);
  const auto ns = co_await recall_bucket(call);
  if (!ns) co_return refuse(ns.error());
  call.body.set_properties({}, Body::Md5::always);
  const auto part = co_await call.uploads.put_part(ns->id, call.key, upload_id(call), *number, call.body);
  if (call.body.failure()) co_return refuse(*call.body.failure());
  if (!part) co_return refuse(co_await explain(call, *ns, part.error(), Subject::upload));
  Reply reply;
  reply.head.add("ETag", etag_field(part->properties.etag));
  add_checksum_fields(reply.head, part->properties);
  co_return reply;
}

Task<S3Result<Reply>> complete_multipart_upload(Call& call) {
  auto condition = write_condition(call.head);
  if (!condition) co_return refuse(std::move(condition).error());
  const auto request = co_await read_complete(call);
  if (!request) co_return refuse(request.error());
  auto etag = multipart_etag(*request);
  if (!etag) co_return refuse(std::move(etag).error());
  const auto ns = co_await find_bucket(call);
  if (!ns) co_return refuse(ns.error());
  fs::CompleteUpload whole{ns->id, call.key, upload_id(call), parts_of(*request), std::move(*etag)};
  whole.condition = std::move(*condition);
  if (has_claims(call.head, *request)) {
    const auto kept = co_await find_parts(call, *ns, *request);
    if (!kept) co_return refuse(kept.error());
    auto checksums = check_claims(call.head, *request, *kept);
    if (!checksums) co_return refuse(std::move(checksums).error());
    whole.checksums = std::move(*checksums);
  }
  const auto done = co_await call.uploads.complete(std::move(whole));
  if (!done) co_return refuse(translate_complete(done.error()));
  XmlWriter xml("CompleteMultipartUploadResult");
  xml.element("Location", fmt::format("http://{}/{}/{}", call.head.get("host"), call.bucket,
                                      uri_encode(call.key, Slash::kept)));
  xml.element("Bucket", call.bucket)
      .element("Key", call.key)
      .element("ETag", etag_field(done->properties.etag));
  co_return document_reply(xml.finish());
}

Task<S3Result<Reply>> abort_multipart_upload(Call& call) {
  const auto ns = co_await find_bucket(call);
  if (!ns) co_return refuse(ns.error());
  const auto aborted = co_await call.uploads.abort(ns->id, call.key, upload_id(call));
  if (!aborted) co_return refuse(translate(aborted.error(), Subject::upload));
  co_return Reply{.head = HttpResponse(204), .document = {}, .object = {}, .range = {}};
}

Task<S3Result<Reply>> list_parts(Call& call) {
  const auto limit = number_parameter(call.query, "max-parts", 0, page_max, page_max);
  if (!limit) co_return refuse(limit.error());
  const auto after = number_parameter(call.query, "part-number-marker", 0, parts_max, 0);
  if (!after) co_return refuse(after.error());
  const auto ns = co_await find_bucket(call);
  if (!ns) co_return refuse(ns.error());
  auto parts = co_await call.uploads.parts(ns->id, call.key, upload_id(call), *after, *limit);
  if (!parts) co_return refuse(translate(parts.error(), Subject::upload));
  XmlWriter xml("ListPartsResult");
  xml.element("Bucket", call.bucket).element("Key", call.key).element("UploadId", upload_id(call));
  add_people(xml, call.tenant());
  xml.element("PartNumberMarker", *after);
  xml.element("NextPartNumberMarker", parts->parts.empty() ? *after : parts->parts.back().number);
  xml.element("MaxParts", *limit).flag("IsTruncated", parts->more);
  for (const fs::PartInfo& part : parts->parts) add_part(xml, part);
  co_return document_reply(xml.finish());
}

Task<S3Result<Reply>> list_multipart_uploads(Call& call) {
  const auto request = listing_request(call.query, "max-uploads");
  if (!request) co_return refuse(request.error());
  const std::string key_marker(call.query.get("key-marker"));
  const std::string upload_marker(call.query.get("upload-id-marker"));
  const auto ns = co_await find_bucket(call);
  if (!ns) co_return refuse(ns.error());
  auto uploads =
      co_await call.uploads.list(ns->id, request->prefix, key_marker, upload_marker, request->limit);
  if (!uploads) co_return refuse(translate(uploads.error(), Subject::service));
  XmlWriter xml("ListMultipartUploadsResult");
  xml.element("Bucket", call.bucket).element("KeyMarker", request->encoded(key_marker));
  xml.element("UploadIdMarker", upload_marker).element("Prefix", request->encoded(request->prefix));
  if (uploads->more && !uploads->uploads.empty()) {
    xml.element("NextKeyMarker", request->encoded(uploads->uploads.back().key));
    xml.element("NextUploadIdMarker", uploads->uploads.back().upload);
  }
  xml.element("MaxUploads", request->limit).flag("IsTruncated", uploads->more);
  if (request->encoding == ListingRequest::Encoding::url) xml.element("EncodingType", "url");
  for (const fs::UploadInfo& one : uploads->uploads) {
    xml.open("Upload").element("Key", request->encoded(one.key)).element("UploadId", one.upload);
    add_people(xml, call.tenant());
    xml.element("Initiated", iso_time(one.created_ms)).close();
  }
  co_return document_reply(xml.finish());
}

}  // namespace kiseki::s3
