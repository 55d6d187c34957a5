#include <charconv>

#include "base/scope.h"
#include "s3/access.h"
#include "s3/multipart.h"
#include "s3/object_fields.h"
#include "s3/operation.h"
#include "s3/routes.h"
#include "s3/time_format.h"
#include "s3/xml.h"
#include "s3/xml_requests.h"

// Put, get, head and delete.

namespace kiseki::s3 {

namespace {

constexpr std::size_t delete_workers = 16;

std::int64_t modified_seconds(const fs::Attributes& attributes) {
  return static_cast<std::int64_t>(attributes.modified_ms / 1000);
}

/// A reply that tells all of the object but its bytes.
Reply attributes_reply(unsigned status, const fs::Attributes& attributes) {
  Reply reply{.head = HttpResponse(status), .document = {}, .object = {}, .range = {0, attributes.size}};
  add_object_fields(reply.head, attributes);
  return reply;
}

/// Whether a range counts: without If-Range always, with it only for the object it names.
bool range_counts(const HttpHead& head, const fs::Attributes& attributes) {
  const auto field = head.find("if-range");
  if (!field) return true;
  if (const auto date = parse_http_date(*field)) return *date == modified_seconds(attributes);
  return unquoted(*field) == attributes.properties.etag;
}

/// What is asked for of an object's bytes; nothing in `range`: all of them.
struct RequestedRange {
  std::optional<ByteRange> range = {};
  std::uint32_t parts = 0;  ///< Of a multipart object that was asked for by part.
};

/// One part of an object, as its parts are numbered from 1 on without gaps. An object that was put whole is
/// its own first part.
S3Result<RequestedRange> find_part(const Query& query, const fs::Attributes& attributes) {
  const auto number = part_number(query);
  if (!number) return refuse(number.error());
  const std::uint32_t count = parts_count(attributes.properties.etag);
  if (*number > std::max(count, std::uint32_t{1})) {
    return refuse(S3Error{S3Code::invalid_part_number,
                          {},
                          {{"PartNumberRequested", fmt::format("{}", *number)},
                           {"ActualPartCount", fmt::format("{}", std::max(count, std::uint32_t{1}))}}});
  }
  if (count == 0) return RequestedRange{ByteRange{0, attributes.size}, 0};
  std::uint32_t before = *number - 1;
  Bytes offset = 0;
  for (const fs::PartRun& run : attributes.parts) {
    if (before < run.count) return RequestedRange{ByteRange{offset + before * run.size, run.size}, count};
    before -= run.count;
    offset += run.count * run.size;
  }
  return refuse(S3Error{S3Code::not_implemented,
                        "The sizes of this object's parts are not kept: they are too many different ones.",
                        {{"Parameter", "partNumber"}}});
}

S3Result<RequestedRange> requested_range(const Call& call, const fs::Attributes& attributes) {
  const auto field = call.head.find("range");
  if (call.query.has("partNumber")) {
    if (!field) return find_part(call.query, attributes);
    return refuse(S3Code::invalid_request,
                  "Cannot specify both Range header and partNumber query parameter.");
  }
  if (!field || !range_counts(call.head, attributes)) return RequestedRange{};
  const auto range = parse_range(*field, attributes.size);
  if (range) return RequestedRange{*range, 0};
  return refuse(S3Error{
      range.error().code,
      {},
      {{"RangeRequested", std::string(*field)}, {"ActualObjectSize", fmt::format("{}", attributes.size)}}});
}

/// What is given of the object, and where it lies in it.
Reply range_reply(const HttpHead& head, const RequestedRange& asked, const fs::Attributes& attributes) {
  const ByteRange range = asked.range.value_or(ByteRange{0, attributes.size});
  // No Content-Range can say that nothing is given: an empty object is then given whole.
  const bool is_partial = asked.range && attributes.size > 0;
  Reply reply = attributes_reply(is_partial ? 206 : 200, attributes);
  reply.range = range;
  if (is_partial && range.length > 0) {
    reply.head.add("Content-Range", fmt::format("bytes {}-{}/{}", range.offset,
                                                range.offset + range.length - 1, attributes.size));
  }
  if (asked.parts > 0) reply.head.add("x-amz-mp-parts-count", fmt::format("{}", asked.parts));
  if (range.length == attributes.size && head.get("x-amz-checksum-mode") == "ENABLED")
    add_typed_checksum_fields(reply.head, attributes.properties);
  reply.head.set_length(range.length);
  return reply;
}

/// Head of a reply to GET and HEAD, with the range it is about.
S3Result<Reply> object_reply(const Call& call, fs::Attributes attributes) {
  override_headers(attributes.properties, call.query);
  const ReadConditions conditions = read_conditions(call.head, "");
  const auto result = evaluate(conditions, attributes.properties.etag, modified_seconds(attributes));
  switch (result) {
    case ConditionResult::holds:
      break;
    case ConditionResult::failed:
      return refuse(S3Error{
          S3Code::precondition_failed, {}, {{"Condition", std::string(deciding_field(conditions, result))}}});
    case ConditionResult::not_modified:
      return attributes_reply(304, attributes);
  }
  const auto asked = requested_range(call, attributes);
  if (!asked) return refuse(asked.error());
  return range_reply(call.head, *asked, attributes);
}

/// One batch of deletions: the workers share it.
struct Deletion {
  const Call& call;
  NamespaceId ns;
  DeleteRequest request;
  std::vector<std::optional<S3Error>> errors;  // one per item
  std::size_t next = 0;
};

Task<std::optional<S3Error>> delete_item(Deletion& batch, std::size_t index) {
  const DeleteRequest::Item& item = batch.request.items[index];
  if (item.key.size() > key_size_max) co_return bad_size(S3Code::key_too_long, item.key.size(), key_size_max);
  if (!may_delete(batch.call, item.key)) co_return S3Error{S3Code::access_denied};
  if (!item.version.empty() && item.version != "null") co_return S3Error{S3Code::no_such_version};
  fs::Condition condition;
  if (!item.etag.empty()) condition.etag = unquoted(item.etag);
  const auto removed = co_await batch.call.objects.remove(batch.ns, item.key, condition);
  if (removed) co_return std::nullopt;
  co_return translate(removed.error(), Subject::object);
}

Task<> delete_worker(Deletion& batch) {
  while (batch.next < batch.request.items.size()) {
    const std::size_t index = batch.next++;
    batch.errors[index] = co_await delete_item(batch, index);
  }
}

std::string deletion_document(const Deletion& batch) {
  XmlWriter xml("DeleteResult");
  for (std::size_t i = 0; i < batch.errors.size(); ++i) {
    const DeleteRequest::Item& item = batch.request.items[i];
    const auto& error = batch.errors[i];
    if (!error && batch.request.quiet) continue;
    xml.open(error ? "Error" : "Deleted").element("Key", item.key);
    if (!item.version.empty()) xml.element("VersionId", item.version);
    if (error) xml.element("Code", describe(error->code).name).element("Message", error->words());
    xml.close();
  }
  return xml.finish();
}

}  // namespace

Task<S3Result<Reply>> put_object(Call& call) {
  auto properties = properties_from(call.head);
  if (!properties) co_return refuse(std::move(properties).error());
  auto condition = write_condition(call.head);
  if (!condition) co_return refuse(std::move(condition).error());
  const auto& length = call.body.rules().length;
  if (!length) co_return refuse(S3Code::missing_content_length);
  if (*length > fs::Uploads::part_size_max) {
    co_return refuse(bad_size(S3Code::entity_too_large, *length, fs::Uploads::part_size_max));
  }
  const auto ns = co_await recall_bucket(call);
  if (!ns) co_return refuse(ns.error());
  call.body.set_properties(std::move(*properties), Body::Md5::always);
  const auto put = co_await call.objects.put(ns->id, call.key, call.body, std::move(*condition));
  if (call.body.failure()) co_return refuse(*call.body.failure());
  if (!put) co_return refuse(co_await explain(call, *ns, put.error(), Subject::object));
  Reply reply;
  reply.head.add("ETag", etag_field(put->properties.etag));
  add_typed_checksum_fields(reply.head, put->properties);
  co_return reply;
}

Task<S3Result<Reply>> get_object(Call& call) {
  const auto ns = co_await recall_bucket(call);
  if (!ns) co_return refuse(ns.error());
  auto object = co_await call.objects.open(ns->id, call.key);
  if (!object) co_return refuse(co_await explain(call, *ns, object.error(), Subject::object));
  auto reply = object_reply(call, (*object)->attributes());
  if (reply && reply->head.has_body()) reply->object = std::move(*object);
  co_return reply;
}

Task<S3Result<Reply>> head_object(Call& call) {
  const auto ns = co_await recall_bucket(call);
  if (!ns) co_return refuse(ns.error());
  auto attributes = co_await call.objects.stat(ns->id, call.key);
  if (!attributes) co_return refuse(co_await explain(call, *ns, attributes.error(), Subject::object));
  co_return object_reply(call, std::move(*attributes));
}

Task<S3Result<Reply>> delete_object(Call& call) {
  auto condition = write_condition(call.head);
  if (!condition) co_return refuse(std::move(condition).error());
  const auto ns = co_await recall_bucket(call);
  if (!ns) co_return refuse(ns.error());
  const auto removed = co_await call.objects.remove(ns->id, call.key, std::move(*condition));
  if (!removed) co_return refuse(co_await explain(call, *ns, removed.error(), Subject::object));
  co_return Reply{.head = HttpResponse(204), .document = {}, .object = {}, .range = {}};
}

Task<S3Result<Reply>> delete_objects(Call& call) {
  if (call.body.rules().md5.empty() && !call.body.rules().checksum)
    co_return refuse(S3Code::invalid_request, "Missing required header for this request: Content-MD5.");
  auto document = co_await call.body.read_all(xml_large_max);
  if (!document) co_return refuse(std::move(document).error());
  auto request = parse_delete(std::move(*document));
  if (!request) co_return refuse(std::move(request).error());
  auto ns = co_await find_bucket(call);
  if (!ns) co_return refuse(ns.error());
  const std::size_t count = request->items.size();
  Deletion batch{call, ns->id, std::move(*request), {}, 0};
  batch.errors.resize(count);
  Scope workers(call.executor);
  for (std::size_t i = 0; i < std::min(delete_workers, count); ++i) workers.spawn(delete_worker(batch));
  co_await workers.stop();
  co_return document_reply(deletion_document(batch));
}

/// Tags cannot be set, so every object that is there has none.
Task<S3Result<Reply>> get_object_tagging(Call& call) {
  const auto ns = co_await find_bucket(call);
  if (!ns) co_return refuse(ns.error());
  const auto attributes = co_await call.objects.stat(ns->id, call.key);
  if (!attributes) co_return refuse(refusal(call, attributes.error(), Subject::object));
  co_return document_reply(XmlWriter("Tagging").open("TagSet").finish());
}

}  // namespace kiseki::s3
