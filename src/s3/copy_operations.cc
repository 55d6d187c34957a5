#include "s3/object_fields.h"
#include "s3/operation.h"
#include "s3/part_number.h"
#include "s3/routes.h"
#include "s3/time_format.h"
#include "s3/xml.h"

// CopyObject and UploadPartCopy.

namespace kiseki::s3 {

namespace {

constexpr std::string_view source_prefix = "x-amz-copy-source-";
constexpr int copy_attempts = 3;

enum class Directive : std::uint8_t { copy, replace };

S3Result<Directive> metadata_directive(const HttpHead& head) {
  const std::string_view field = head.get("x-amz-metadata-directive");
  if (field.empty() || field == "COPY") return Directive::copy;
  if (field == "REPLACE") return Directive::replace;
  return refuse(S3Code::invalid_argument, "Unknown metadata directive.");
}

/// x-amz-copy-source: [/]bucket/key[?versionId=null], percent-encoded.
S3Result<Address> copy_source(const HttpHead& head) {
  constexpr const char* malformed =
      "Copy Source must mention the source bucket and key: sourcebucket/sourcekey.";
  const std::string_view field = head.get("x-amz-copy-source");
  const std::size_t question = field.find('?');
  if (question != field.npos && field.substr(question) != "?versionId=null")
    return refuse(S3Code::no_such_version);
  auto path = percent_decode(field.substr(0, question));
  if (!path || !is_utf8(*path) || path->find('\0') != path->npos)
    return refuse(S3Code::invalid_argument, malformed);
  if (!path->starts_with('/')) path->insert(0, "/");
  auto address = resolve_address(*path, {}, {});
  if (!address) return refuse(std::move(address).error());
  if (address->key.empty()) return refuse(S3Code::invalid_argument, malformed);
  return address;
}

struct Conditions {
  ReadConditions source;
  fs::Condition target;

  bool of_source() const noexcept {
    return source.if_match || source.if_none_match || source.if_modified_since || source.if_unmodified_since;
  }
  bool any() const noexcept { return of_source() || target.absent || target.etag; }
};

S3Result<Conditions> copy_conditions(const HttpHead& head) {
  auto target = write_condition(head);
  if (!target) return refuse(std::move(target).error());
  return Conditions{read_conditions(head, source_prefix), std::move(*target)};
}

S3Result<> check_source(const Conditions& conditions, const fs::Attributes& source) {
  const auto modified = static_cast<std::int64_t>(source.modified_ms / 1000);
  if (evaluate(conditions.source, source.properties.etag, modified) != ConditionResult::holds) {
    return refuse(S3Code::precondition_failed);
  }
  return {};
}

Task<S3Result<fs::Namespace>> find_source(Call& call, const Address& source) {
  auto ns = co_await call.namespaces.find(call.tenant(), source.bucket);
  if (!ns) co_return refuse(translate(ns.error(), Subject::bucket));
  co_return std::move(*ns);
}

/// One try: what the source is now decides about its conditions and, when the metadata is replaced, what
/// stays.
Task<S3Result<Result<fs::Attributes>>> try_copy(Call& call, fs::CopyRequest request,
                                                const Conditions& conditions, Directive directive) {
  const auto source = co_await call.objects.stat(request.from, request.from_key);
  if (!source) co_return refuse(translate(source.error(), Subject::object));
  KISEKI_S3_CO_TRY(check_source(conditions, *source));
  if (source->size > fs::Uploads::part_size_max) {
    co_return refuse(S3Code::invalid_request,
                     "The specified copy source is larger than the maximum allowable size for a copy source: "
                     "5368709120.");
  }
  if (directive == Directive::replace) {
    auto properties = properties_from(call.head);
    if (!properties) co_return refuse(std::move(properties).error());
    properties->etag = source->properties.etag;
    properties->checksums = source->properties.checksums;
    request.replace = std::move(*properties);
  }
  if (directive == Directive::replace || conditions.of_source())
    request.source_etag = source->properties.etag;
  co_return co_await call.objects.copy(std::move(request));
}

/// The bytes of a range of an object, as the source of a part.
class RangeSource final : public fs::Source {
 public:
  RangeSource(fs::Object& object, ByteRange range) : object_(object), range_(range), left_(range.length) {}

  std::optional<Bytes> size() const override { return range_.length; }

  Task<Result<std::size_t>> read(MutableView into) override {
    std::size_t filled = 0;
    while (filled < into.size() && left_ > 0) {
      auto piece = co_await object_.read(range_.offset + range_.length - left_,
                                         std::min<Bytes>(left_, into.size() - filled));
      if (!piece) co_return fail(std::move(piece).error());
      std::memcpy(into.data() + filled, piece->data(), piece->size());
      md5_.update(piece->view());
      filled += piece->size();
      left_ -= piece->size();
    }
    co_return filled;
  }

  Result<fs::Properties> finish() override {
    fs::Properties properties;
    properties.etag = to_hex(md5_.finish<16>());
    return properties;
  }

 private:
  fs::Object& object_;
  ByteRange range_;
  Bytes left_;
  crypto::Hasher md5_{crypto::HashKind::md5};
};

S3Result<ByteRange> part_range(const HttpHead& head, Bytes size) {
  if (const auto field = head.find("x-amz-copy-source-range")) return parse_copy_range(*field, size);
  if (size > fs::Uploads::part_size_max) return refuse(S3Code::entity_too_large);
  return ByteRange{0, size};
}

Reply copy_reply(std::string_view root, const fs::Attributes& attributes) {
  XmlWriter xml(root);
  xml.element("LastModified", iso_time(attributes.modified_ms));
  xml.element("ETag", etag_field(attributes.properties.etag));
  for (const auto& [name, value] : attributes.properties.checksums) {
    if (const auto algorithm = algorithm_of(name)) xml.element(element_of(*algorithm), value);
  }
  return document_reply(xml.finish());
}

}  // namespace

Task<S3Result<Reply>> copy_object(Call& call) {
  const auto source = copy_source(call.head);
  if (!source) co_return refuse(source.error());
  const auto directive = metadata_directive(call.head);
  if (!directive) co_return refuse(directive.error());
  const auto conditions = copy_conditions(call.head);
  if (!conditions) co_return refuse(conditions.error());
  if (call.head.find("x-amz-checksum-algorithm")) co_return refuse(S3Code::not_implemented);
  if (*directive == Directive::copy && source->bucket == call.bucket && source->key == call.key) {
    co_return refuse(
        S3Code::invalid_request,
        "This copy request is illegal because it is trying to copy an object to itself without changing "
        "the object's metadata, storage class, website redirect location or encryption attributes.");
  }
  auto from = co_await find_source(call, *source);
  if (!from) co_return refuse(std::move(from).error());
  auto to = co_await find_bucket(call);
  if (!to) co_return refuse(std::move(to).error());
  const fs::CopyRequest request{from->id, source->key, to->id, call.key, {}, {}, conditions->target};
  for (int attempt = 1;; ++attempt) {
    const auto tried = co_await try_copy(call, request, *conditions, *directive);
    if (!tried) co_return refuse(tried.error());
    const Result<fs::Attributes>& copied = *tried;
    if (copied) co_return copy_reply("CopyObjectResult", *copied);
    // The source changed under a replacement of its metadata: nothing the client asked for stands against it.
    const bool raced = copied.error().code() == Errc::precondition_failed && !conditions->any();
    if (!raced || attempt == copy_attempts) {
      co_return refuse(raced ? S3Error{S3Code::slow_down} : translate(copied.error(), Subject::object));
    }
  }
}

Task<S3Result<Reply>> upload_part_copy(Call& call) {
  const auto number = part_number(call.query);
  if (!number) co_return refuse(number.error());
  const auto source = copy_source(call.head);
  if (!source) co_return refuse(source.error());
  const auto conditions = copy_conditions(call.head);
  if (!conditions) co_return refuse(conditions.error());
  const auto from = co_await find_source(call, *source);
  if (!from) co_return refuse(from.error());
  const auto to = co_await find_bucket(call);
  if (!to) co_return refuse(to.error());
  const auto object = co_await call.objects.open(from->id, source->key);
  if (!object) co_return refuse(translate(object.error(), Subject::object));
  const fs::Attributes& attributes = (*object)->attributes();
  KISEKI_S3_CO_TRY(check_source(*conditions, attributes));
  const auto range = part_range(call.head, attributes.size);
  if (!range) co_return refuse(range.error());
  RangeSource bytes(**object, *range);
  const std::string upload(call.query.get("uploadId"));
  const auto part = co_await call.uploads.put_part(to->id, call.key, upload, *number, bytes);
  if (!part) co_return refuse(translate(part.error(), Subject::upload));
  co_return copy_reply("CopyPartResult", *part);
}

}  // namespace kiseki::s3
