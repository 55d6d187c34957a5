#include <charconv>

#include "base/scope.h"
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

/// Nothing when the object is to be given; 304 is a reply, 412 an error.
S3Result<std::optional<Reply>> check_read(const HttpHead& head, const fs::Attributes& attributes) {
  const std::string& etag = attributes.properties.etag;
  switch (evaluate(read_conditions(head, ""), etag, modified_seconds(attributes))) {
    case ConditionResult::holds:
      return std::optional<Reply>();
    case ConditionResult::failed:
      return refuse(S3Code::precondition_failed);
    case ConditionResult::not_modified:
      break;
  }
  Reply reply{.head = HttpResponse(304), .document = {}, .object = {}, .range = {}};
  reply.head.add("ETag", etag_field(etag)).add("Last-Modified", http_date(modified_seconds(attributes)));
  return std::optional<Reply>(std::move(reply));
}

/// Whether a range counts: without If-Range always, with it only for the object it names.
bool range_counts(const HttpHead& head, const fs::Attributes& attributes) {
  const auto field = head.find("if-range");
  if (!field) return true;
  if (const auto date = parse_http_date(*field)) return *date == modified_seconds(attributes);
  return unquoted(*field) == attributes.properties.etag;
}

S3Result<std::optional<ByteRange>> requested_range(const HttpHead& head, const fs::Attributes& attributes) {
  const auto field = head.find("range");
  if (!field || !range_counts(head, attributes)) return std::optional<ByteRange>();
  auto range = parse_range(*field, attributes.size);
  if (range) return range;
  return refuse(S3Error{
      range.error().code,
      {},
      {{"RangeRequested", std::string(*field)}, {"ActualObjectSize", fmt::format("{}", attributes.size)}}});
}

/// Head of a reply to GET and HEAD, with the range it is about.
S3Result<Reply> object_reply(Call& call, fs::Attributes attributes) {
  auto done = check_read(call.head, attributes);
  if (!done) return refuse(std::move(done).error());
  if (*done) return std::move(**done);
  const auto range = requested_range(call.head, attributes);
  if (!range) return refuse(range.error());
  override_headers(attributes.properties, call.query);
  Reply reply{
      .head = HttpResponse(*range ? 206 : 200), .document = {}, .object = {}, .range = {0, attributes.size}};
  add_object_fields(reply.head, attributes);
  if (*range) {
    reply.range = **range;
    reply.head.add("Content-Range",
                   fmt::format("bytes {}-{}/{}", reply.range.offset,
                               reply.range.offset + reply.range.length - 1, attributes.size));
  } else if (call.head.get("x-amz-checksum-mode") == "ENABLED") {
    add_checksum_fields(reply.head, attributes.properties);
  }
  reply.head.set_length(reply.range.length);
  return reply;
}

/// One batch of deletions: the workers share it.
struct Deletion {
  fs::Objects& objects;
  NamespaceId ns;
  DeleteRequest request;
  std::vector<std::optional<S3Error>> errors;  // one per item
  std::size_t next = 0;
};

Task<std::optional<S3Error>> delete_item(Deletion& batch, std::size_t index) {
  const DeleteRequest::Item& item = batch.request.items[index];
  if (item.key.size() > key_size_max) co_return S3Error{S3Code::key_too_long};
  if (!item.version.empty() && item.version != "null") co_return S3Error{S3Code::no_such_version};
  fs::Condition condition;
  if (!item.etag.empty()) condition.etag = unquoted(item.etag);
  const auto removed = co_await batch.objects.remove(batch.ns, item.key, condition);
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
    const std::string& key = batch.request.items[i].key;
    if (const auto& error = batch.errors[i]) {
      xml.open("Error").element("Key", key).element("Code", describe(error->code).name);
      xml.element("Message", error->words()).close();
    } else if (!batch.request.quiet) {
      xml.open("Deleted").element("Key", key).close();
    }
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
  if (*length > fs::Uploads::part_size_max) co_return refuse(S3Code::entity_too_large);
  const auto ns = co_await recall_bucket(call);
  if (!ns) co_return refuse(ns.error());
  call.body.set_properties(std::move(*properties), Body::Md5::always);
  const auto put = co_await call.objects.put(ns->id, call.key, call.body, std::move(*condition));
  if (call.body.failure()) co_return refuse(*call.body.failure());
  if (!put) co_return refuse(co_await explain(call, *ns, put.error(), Subject::object));
  Reply reply;
  reply.head.add("ETag", etag_field(put->properties.etag));
  add_checksum_fields(reply.head, put->properties);
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
  auto document = co_await call.body.read_all(xml_large_max);
  if (!document) co_return refuse(std::move(document).error());
  auto request = parse_delete(std::move(*document));
  if (!request) co_return refuse(std::move(request).error());
  const auto ns = co_await find_bucket(call);
  if (!ns) co_return refuse(ns.error());
  const std::size_t count = request->items.size();
  Deletion batch{call.objects, ns->id, std::move(*request), {}, 0};
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
  if (!attributes) co_return refuse(translate(attributes.error(), Subject::object));
  co_return document_reply(XmlWriter("Tagging").open("TagSet").finish());
}

}  // namespace kiseki::s3
