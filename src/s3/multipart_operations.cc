
#include "base/encoding.h"
#include "s3/listing.h"
#include "s3/multipart.h"
#include "s3/object_fields.h"
#include "s3/operation.h"
#include "s3/time_format.h"
#include "s3/xml.h"
#include "s3/xml_requests.h"

namespace kiseki::s3 {

namespace {

constexpr std::uint32_t parts_max = fs::Uploads::parts_max;
constexpr std::uint32_t page_max = 1000;

std::string upload_id(const Call& call) { return std::string(call.query.get("uploadId")); }

S3Error with_upload(const Call& call, S3Error error) {
  return with_names(std::move(error), {.upload = call.query.get("uploadId")});
}

S3Error wrong_part(const CompleteRequest::Part& part) {
  return {S3Code::invalid_part, {}, {{"PartNumber", fmt::format("{}", part.number)}, {"ETag", part.etag}}};
}

S3Result<> check_order(const CompleteRequest& request) {
  std::uint32_t last = 0;
  for (const CompleteRequest::Part& part : request.parts) {
    if (part.number <= last) return refuse(S3Code::invalid_part_order);
    if (part.number > parts_max) return refuse(wrong_part(part));
    last = part.number;
  }
  return {};
}

/// MD5 of the parts' MD5s, and their number.
S3Result<std::string> multipart_etag(const CompleteRequest& request) {
  crypto::Hasher md5(crypto::HashKind::md5);
  for (const CompleteRequest::Part& part : request.parts) {
    const auto digest = hex_decode(part.etag);
    if (!digest || digest->size() != sizeof(crypto::DigestMd5)) return refuse(wrong_part(part));
    md5.update(as_view(*digest));
  }
  return fmt::format("{}-{}", to_hex(md5.finish<16>()), request.parts.size());
}

PartChecksum checksum_of(const fs::PartInfo& part) {
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
  for (std::uint32_t after = 0; kept.size() < request.parts.size();) {
    const auto page = co_await call.uploads.parts(ns.id, call.key, upload_id(call), after, page_max);
    if (!page) co_return refuse(translate(page.error(), Subject::upload));
    for (const fs::PartInfo& part : page->parts) {
      const CompleteRequest::Part& wanted = request.parts[kept.size()];
      after = part.number;
      if (part.number < wanted.number) continue;
      if (part.number > wanted.number || part.attributes.properties.etag != wanted.etag) {
        co_return refuse(wrong_part(wanted));
      }
      kept.push_back(checksum_of(part));
      if (kept.size() == request.parts.size()) break;
    }
    if (!page->more || page->parts.empty()) break;
  }
  if (kept.size() < request.parts.size()) co_return refuse(wrong_part(request.parts[kept.size()]));
  co_return kept;
}

/// Every part but the last has a least size, the whole a greatest.
S3Result<> check_sizes(const CompleteRequest& request, const std::vector<PartChecksum>& kept) {
  constexpr Bytes part_min = fs::Uploads::part_size_min;
  Bytes whole = 0;
  for (std::size_t i = 0; i < kept.size(); ++i) {
    whole += kept[i].size;
    if (kept[i].size >= part_min || i + 1 == kept.size()) continue;
    S3Error error = bad_size(S3Code::entity_too_small, kept[i].size, part_min);
    error.details.emplace_back("PartNumber", fmt::format("{}", request.parts[i].number));
    error.details.emplace_back("ETag", request.parts[i].etag);
    return refuse(std::move(error));
  }
  if (whole <= fs::Objects::size_max) return {};
  return refuse(bad_size(S3Code::entity_too_large, whole, fs::Objects::size_max));
}

/// The checksum of the whole that a request would make, everything it claims checked. Nothing when the upload
/// is not there.
Task<S3Result<std::optional<WholeChecksum>>> check_complete(Call& call, const fs::Namespace& ns,
                                                            const CompleteRequest& request) {
  const auto upload = co_await call.uploads.find(ns.id, call.key, upload_id(call));
  if (!upload && upload.error().code() == Errc::not_found) co_return std::optional<WholeChecksum>();
  if (!upload) co_return refuse(translate(upload.error(), Subject::upload));
  const auto kept = co_await find_parts(call, ns, request);
  if (!kept && kept.error().code == S3Code::no_such_upload) co_return std::optional<WholeChecksum>();
  if (!kept) co_return refuse(kept.error());
  KISEKI_S3_CO_TRY(check_sizes(request, *kept));
  auto whole = checksum_of_whole(call.head, request, kept_checksum(upload->properties), *kept);
  if (!whole) co_return refuse(std::move(whole).error());
  co_return std::optional<WholeChecksum>(*std::move(whole));
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

/// What is wrong with the list of parts has codes of its own. Not found is the upload; or, while that is
/// there, the object that If-Match speaks of.
Task<S3Error> explain_complete(Call& call, const fs::Namespace& ns, Error error) {
  if (error.code() != Errc::not_found) co_return refusal(call, error, Subject::part);
  if (!call.head.find("if-match")) co_return refusal(call, error, Subject::upload);
  const auto upload = co_await call.uploads.find(ns.id, call.key, upload_id(call));
  co_return refusal(call, error, upload ? Subject::object : Subject::upload);
}

void add_checksums(XmlWriter& xml, const fs::Properties& properties) {
  for (const auto& [name, value] : properties.checksums) {
    if (const auto algorithm = algorithm_of(name)) xml.element(element_of(*algorithm), value);
  }
}

void add_checksum_kind(XmlWriter& xml, const UploadChecksum& checksum) {
  xml.element("ChecksumAlgorithm", constant_of(checksum.algorithm));
  xml.element("ChecksumType", name_of(checksum.type));
}

void add_part(XmlWriter& xml, const fs::PartInfo& part) {
  xml.open("Part")
      .element("PartNumber", part.number)
      .element("LastModified", iso_time(part.attributes.modified_ms));
  xml.element("ETag", etag_field(part.attributes.properties.etag)).element("Size", part.attributes.size);
  add_checksums(xml, part.attributes.properties);
  xml.close();
}

void add_people(XmlWriter& xml, TenantId tenant) {
  for (const std::string_view role : {"Initiator", "Owner"})
    xml.open(role).element("ID", owner_id(tenant)).close();
  xml.element("StorageClass", "STANDARD");
}

/// One page as a client asks for it: the file system may give less at once.
Task<S3Result<fs::PartPage>> list_page_of_parts(Call& call, const fs::Namespace& ns, std::uint32_t after,
                                                std::uint32_t limit) {
  fs::PartPage all;
  for (all.more = limit > 0; all.more && all.parts.size() < limit;) {
    const auto left = static_cast<std::uint32_t>(limit - all.parts.size());
    auto page = co_await call.uploads.parts(ns.id, call.key, upload_id(call), after, left);
    if (!page) co_return refuse(refusal(call, page.error(), Subject::upload));
    all.more = page->more && !page->parts.empty();
    if (!page->parts.empty()) after = page->parts.back().number;
    std::ranges::move(page->parts, std::back_inserter(all.parts));
  }
  co_return all;
}

}  // namespace

Task<S3Result<UploadChecksum>> find_upload_checksum(Call& call, const fs::Namespace& ns) {
  const auto upload = co_await call.uploads.find(ns.id, call.key, upload_id(call));
  if (!upload) co_return refuse(co_await explain(call, ns, upload.error(), Subject::upload));
  co_return kept_checksum(upload->properties);
}

S3Result<std::uint32_t> part_number(const Query& query) {
  const std::string_view text = query.get("partNumber");
  const auto number = parse_decimal<std::uint32_t>(text);
  if (number && *number >= 1 && *number <= parts_max) return *number;
  return refuse(
      bad_argument("partNumber", text, "Part number must be an integer between 1 and 10000, inclusive."));
}

Task<S3Result<Reply>> create_multipart_upload(Call& call) {
  auto properties = properties_from(call.head);
  if (!properties) co_return refuse(std::move(properties).error());
  const auto checksum = requested_checksum(call.head);
  if (!checksum) co_return refuse(checksum.error());
  keep(*checksum, *properties);
  const auto ns = co_await find_bucket(call);
  if (!ns) co_return refuse(ns.error());
  const auto upload = co_await call.uploads.create(ns->id, call.key, std::move(*properties));
  if (!upload) co_return refuse(refusal(call, upload.error(), Subject::object));
  XmlWriter xml("InitiateMultipartUploadResult");
  xml.element("Bucket", call.bucket).element("Key", call.key).element("UploadId", *upload);
  Reply reply = document_reply(xml.finish());
  if (checksum->named) {
    reply.head.add("x-amz-checksum-algorithm", constant_of(checksum->algorithm));
    reply.head.add("x-amz-checksum-type", name_of(checksum->type));
  }
  co_return reply;
}

Task<S3Result<Reply>> upload_part(Call& call) {
  const auto number = part_number(call.query);
  if (!number) co_return refuse(number.error());
  const auto& length = call.body.rules().length;
  if (!length) co_return refuse(S3Code::missing_content_length);
  if (*length > fs::Uploads::part_size_max) {
    co_return refuse(bad_size(S3Code::entity_too_large, *length, fs::Uploads::part_size_max));
  }
  const auto ns = co_await recall_bucket(call);
  if (!ns) co_return refuse(ns.error());
  const auto checksum = co_await find_upload_checksum(call, *ns);
  if (!checksum) co_return refuse(checksum.error());
  KISEKI_S3_CO_TRY(check_part_algorithm(*checksum, call.body.rules().checksum));
  call.body.set_properties({}, Body::Md5::always);
  call.body.compute_checksum(checksum->algorithm);
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
  if (!request) co_return refuse(with_upload(call, request.error()));
  auto etag = multipart_etag(*request);
  if (!etag) co_return refuse(with_upload(call, std::move(etag).error()));
  const auto ns = co_await find_bucket(call);
  if (!ns) co_return refuse(ns.error());
  auto checksums = co_await check_complete(call, *ns, *request);
  if (!checksums) co_return refuse(with_upload(call, std::move(checksums).error()));
  fs::CompleteUpload whole{ns->id, call.key, upload_id(call), parts_of(*request), std::move(*etag)};
  whole.condition = std::move(*condition);
  // The upload may be gone because this very request was done before.
  if (*checksums) {
    whole.checksums = std::move((*checksums)->checksums);
    whole.checksum_type = (*checksums)->type;
  }
  const auto done = co_await call.uploads.complete(std::move(whole));
  if (!done) co_return refuse(co_await explain_complete(call, *ns, done.error()));
  XmlWriter xml("CompleteMultipartUploadResult");
  xml.element("Location", fmt::format("http://{}/{}/{}", call.head.get("host"), call.bucket,
                                      uri_encode(call.key, Slash::kept)));
  xml.element("Bucket", call.bucket)
      .element("Key", call.key)
      .element("ETag", etag_field(done->properties.etag));
  add_checksums(xml, done->properties);
  if (!done->properties.checksums.empty())
    xml.element("ChecksumType", name_of(done->properties.checksum_type));
  co_return document_reply(xml.finish());
}

Task<S3Result<Reply>> abort_multipart_upload(Call& call) {
  const auto ns = co_await find_bucket(call);
  if (!ns) co_return refuse(ns.error());
  const auto aborted = co_await call.uploads.abort(ns->id, call.key, upload_id(call));
  if (!aborted) co_return refuse(refusal(call, aborted.error(), Subject::upload));
  co_return Reply{.head = HttpResponse(204), .document = {}, .object = {}, .range = {}};
}

Task<S3Result<Reply>> list_parts(Call& call) {
  const auto limit = number_parameter(call.query, "max-parts", 0, page_max, page_max);
  if (!limit) co_return refuse(limit.error());
  const auto after = number_parameter(call.query, "part-number-marker", 0, parts_max, 0);
  if (!after) co_return refuse(after.error());
  const auto ns = co_await find_bucket(call);
  if (!ns) co_return refuse(ns.error());
  const auto checksum = co_await find_upload_checksum(call, *ns);
  if (!checksum) co_return refuse(checksum.error());
  const auto page = co_await list_page_of_parts(call, *ns, *after, *limit);
  if (!page) co_return refuse(page.error());
  XmlWriter xml("ListPartsResult");
  xml.element("Bucket", call.bucket).element("Key", call.key).element("UploadId", upload_id(call));
  add_people(xml, call.tenant());
  xml.element("PartNumberMarker", *after);
  xml.element("NextPartNumberMarker", page->parts.empty() ? *after : page->parts.back().number);
  xml.element("MaxParts", *limit).flag("IsTruncated", page->more);
  add_checksum_kind(xml, *checksum);
  for (const fs::PartInfo& part : page->parts) add_part(xml, part);
  co_return document_reply(xml.finish());
}

Task<S3Result<Reply>> list_multipart_uploads(Call& call) {
  const auto request = listing_request(call.query, "max-uploads");
  if (!request) co_return refuse(request.error());
  const std::string key_marker(call.query.get("key-marker"));
  const std::string upload_marker(call.query.get("upload-id-marker"));
  const auto ns = co_await find_bucket(call);
  if (!ns) co_return refuse(ns.error());
  const auto page =
      co_await call.uploads.list(ns->id, request->prefix, key_marker, upload_marker, request->limit);
  if (!page) co_return refuse(refusal(call, page.error(), Subject::service));
  XmlWriter xml("ListMultipartUploadsResult");
  xml.element("Bucket", call.bucket).element("KeyMarker", request->encoded(key_marker));
  xml.element("UploadIdMarker", upload_marker).element("Prefix", request->encoded(request->prefix));
  if (page->more && !page->uploads.empty()) {
    xml.element("NextKeyMarker", request->encoded(page->uploads.back().key));
    xml.element("NextUploadIdMarker", page->uploads.back().upload);
  }
  xml.element("MaxUploads", request->limit).flag("IsTruncated", page->more);
  if (request->encoding == ListingRequest::Encoding::url) xml.element("EncodingType", "url");
  for (const fs::UploadInfo& one : page->uploads) {
    xml.open("Upload").element("Key", request->encoded(one.key)).element("UploadId", one.upload);
    add_people(xml, call.tenant());
    xml.element("Initiated", iso_time(one.created_ms));
    add_checksum_kind(xml, kept_checksum(one.properties));
    xml.close();
  }
  co_return document_reply(xml.finish());
}

}  // namespace kiseki::s3
