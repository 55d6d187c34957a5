#include "s3/copy_source.h"
#include "s3/multipart.h"
#include "s3/object_fields.h"
#include "s3/routes.h"
#include "s3/time_format.h"
#include "s3/xml.h"

// CopyObject and UploadPartCopy.

namespace kiseki::s3 {

namespace {

constexpr std::string_view source_prefix = "x-amz-copy-source-";
constexpr std::string_view version_null = "?versionId=null";
constexpr int copy_attempts = 3;

enum class Directive : std::uint8_t { copy, replace };

S3Result<Directive> metadata_directive(const HttpHead& head) {
  const std::string_view field = head.get("x-amz-metadata-directive");
  if (field.empty() || field == "COPY") return Directive::copy;
  if (field == "REPLACE") return Directive::replace;
  return refuse(bad_argument("x-amz-metadata-directive", field, "Unknown metadata directive."));
}

struct Conditions {
  ReadConditions source;
  fs::Condition target;

  bool of_source() const noexcept {
    return source.if_match || source.if_none_match || source.if_modified_since || source.if_unmodified_since;
  }
  bool of_target() const noexcept { return target.absent || target.etag; }
};

/// What a client chose of a copy.
struct CopyChoice {
  Directive directive;
  Conditions conditions;
};

S3Result<Conditions> copy_conditions(const HttpHead& head) {
  auto target = write_condition(head);
  if (!target) return refuse(std::move(target).error());
  return Conditions{read_conditions(head, source_prefix), std::move(*target)};
}

S3Result<> check_source(const Conditions& conditions, const fs::Attributes& source) {
  const auto modified = static_cast<std::int64_t>(source.modified_ms / 1000);
  const auto result = evaluate(conditions.source, source.properties.etag, modified);
  if (result == ConditionResult::holds) return {};
  return refuse(
      S3Error{S3Code::precondition_failed,
              {},
              {{"Condition", std::string(source_prefix).append(deciding_field(conditions.source, result))}}});
}

/// An error about the source, which is named in place of the target.
S3Error explain_source(const Address& source, const Error& error, Subject subject) {
  return with_names(translate(error, subject), {.bucket = source.bucket, .key = source.key});
}

Task<S3Result<fs::Namespace>> find_source(Call& call, const Address& source) {
  auto ns = co_await call.namespaces.find(call.tenant(), source.bucket);
  if (!ns) co_return refuse(explain_source(source, ns.error(), Subject::bucket));
  co_return std::move(*ns);
}

/// MD5 and a checksum over bytes that are read here.
class ContentDigests {
 public:
  explicit ContentDigests(ChecksumAlgorithm algorithm) : checksum_(algorithm) {}

  void update(View bytes) {
    md5_.update(bytes);
    checksum_.update(bytes);
  }
  /// ETag and checksum. Once.
  void finish(fs::Properties& properties) {
    properties.etag = to_hex(md5_.finish<16>());
    properties.checksums = {{std::string(name_of(checksum_.algorithm())), checksum_.finish()}};
    properties.checksum_type = fs::ChecksumType::full_object;
  }

 private:
  crypto::Hasher md5_{crypto::HashKind::md5};
  Checksum checksum_;
};

/// The checksum a copy gets: the one asked for, else of the source's algorithm.
S3Result<std::optional<ChecksumAlgorithm>> copy_checksum(const HttpHead& head, const fs::Properties& source) {
  if (const auto name = head.find("x-amz-checksum-algorithm")) {
    const auto algorithm = algorithm_of(*name);
    if (!algorithm) return refuse(S3Code::invalid_request, "Checksum algorithm provided is unsupported.");
    return algorithm;
  }
  if (source.checksums.empty()) return std::optional<ChecksumAlgorithm>();
  return algorithm_of(source.checksums.front().first);
}

/// Whether ETag and checksum of a copy are those of its source. What came in parts has an ETag of its parts;
/// the copy comes whole.
bool digests_stay(const fs::Properties& source, std::optional<ChecksumAlgorithm> wanted) {
  if (parts_count(source.etag) > 0) return false;
  return !wanted || (!source.checksums.empty() && source.checksums.front().first == name_of(*wanted));
}

/// Reads the source through and sets ETag and checksum of its bytes. `precondition_failed` when it is no
/// longer the one with this ETag.
Task<Result<>> digest_source(Call& call, const fs::CopyRequest& request, const std::string& etag,
                             ContentDigests& digests) {
  const auto object = co_await call.objects.open(request.from, request.from_key);
  if (!object) co_return fail(object.error());
  const fs::Attributes& attributes = (*object)->attributes();
  if (attributes.properties.etag != etag)
    co_return fail(Errc::precondition_failed, "the source was replaced");
  for (Bytes offset = 0; offset < attributes.size;) {
    const auto piece = co_await (*object)->read(offset, attributes.size - offset);
    if (!piece) co_return fail(piece.error());
    digests.update(piece->view());
    offset += piece->size();
  }
  co_return Result<>();
}

/// One try: what the source is now decides about its conditions, and about what of it stays.
Task<S3Result<Result<fs::Attributes>>> try_copy(Call& call, fs::CopyRequest request, const Address& from,
                                                const CopyChoice& choice) {
  const auto source = co_await call.objects.stat(request.from, request.from_key);
  if (!source) co_return refuse(explain_source(from, source.error(), Subject::object));
  KISEKI_S3_CO_TRY(check_source(choice.conditions, *source));
  if (source->size > fs::Uploads::part_size_max) {
    co_return refuse(S3Code::invalid_request,
                     "The specified copy source is larger than the maximum allowable size for a copy source: "
                     "5368709120.");
  }
  const fs::Properties& kept = source->properties;
  const auto algorithm = copy_checksum(call.head, kept);
  if (!algorithm) co_return refuse(algorithm.error());
  const bool stays = digests_stay(kept, *algorithm);
  if (choice.directive == Directive::replace || !stays) {
    auto properties = choice.directive == Directive::replace ? properties_from(call.head) : kept;
    if (!properties) co_return refuse(std::move(properties).error());
    properties->etag = kept.etag;
    properties->checksums = kept.checksums;
    if (!stays) {
      ContentDigests digests(algorithm->value_or(ChecksumAlgorithm::crc64nvme));
      const auto read = co_await digest_source(call, request, kept.etag, digests);
      if (!read) co_return Result<fs::Attributes>(fail(read.error()));
      digests.finish(*properties);
    }
    request.replace = *std::move(properties);
  }
  if (request.replace || choice.conditions.of_source()) request.source_etag = kept.etag;
  co_return co_await call.objects.copy(std::move(request));
}

/// The bytes of a range of an object, as the source of a part.
class RangeSource final : public fs::Source {
 public:
  RangeSource(fs::Object& object, ByteRange range, ChecksumAlgorithm algorithm)
      : object_(object), range_(range), left_(range.length), digests_(algorithm) {}

  std::optional<Bytes> size() const override { return range_.length; }

  Task<Result<std::size_t>> read(MutableView into) override {
    std::size_t filled = 0;
    while (filled < into.size() && left_ > 0) {
      auto piece = co_await object_.read(range_.offset + range_.length - left_,
                                         std::min<Bytes>(left_, into.size() - filled));
      if (!piece) co_return fail(std::move(piece).error());
      std::memcpy(into.data() + filled, piece->data(), piece->size());
      digests_.update(piece->view());
      filled += piece->size();
      left_ -= piece->size();
    }
    co_return filled;
  }

  Result<fs::Properties> finish() override {
    fs::Properties properties;
    digests_.finish(properties);
    return properties;
  }

 private:
  fs::Object& object_;
  ByteRange range_;
  Bytes left_;
  ContentDigests digests_;
};

S3Result<ByteRange> part_range(const HttpHead& head, Bytes size) {
  if (const auto field = head.find("x-amz-copy-source-range")) return parse_copy_range(*field, size);
  if (size <= fs::Uploads::part_size_max) return ByteRange{0, size};
  return refuse(bad_size(S3Code::entity_too_large, size, fs::Uploads::part_size_max));
}

enum class ShowType : std::uint8_t { no, yes };

Reply copy_reply(std::string_view root, const fs::Attributes& attributes, ShowType show) {
  XmlWriter xml(root);
  xml.element("LastModified", iso_time(attributes.modified_ms));
  xml.element("ETag", etag_field(attributes.properties.etag));
  for (const auto& [name, value] : attributes.properties.checksums) {
    if (const auto algorithm = algorithm_of(name)) xml.element(element_of(*algorithm), value);
    if (show == ShowType::yes) xml.element("ChecksumType", name_of(attributes.properties.checksum_type));
  }
  return document_reply(xml.finish());
}

}  // namespace

S3Result<Address> copy_source(const HttpHead& head) {
  constexpr const char* malformed =
      "Copy Source must mention the source bucket and key: sourcebucket/sourcekey.";
  const std::string_view field = head.get("x-amz-copy-source");
  const std::size_t question = field.find('?');
  auto path = percent_decode(field.substr(0, question));
  if (!path || !is_utf8(*path) || path->find('\0') != path->npos)
    return refuse(bad_argument("x-amz-copy-source", field, malformed));
  if (!path->starts_with('/')) path->insert(0, "/");
  auto address = resolve_address(*path, {}, {});
  if (!address) return refuse(std::move(address).error());
  if (address->key.empty()) return refuse(bad_argument("x-amz-copy-source", field, malformed));
  if (question != field.npos && field.substr(question) != version_null) {
    const std::string_view version = field.substr(std::min(field.find('=', question), field.size() - 1) + 1);
    return refuse(
        S3Error{S3Code::no_such_version, {}, {{"Key", address->key}, {"VersionId", std::string(version)}}});
  }
  return address;
}

Task<S3Result<Reply>> copy_object(Call& call) {
  const auto source = copy_source(call.head);
  if (!source) co_return refuse(source.error());
  const auto directive = metadata_directive(call.head);
  if (!directive) co_return refuse(directive.error());
  auto conditions = copy_conditions(call.head);
  if (!conditions) co_return refuse(conditions.error());
  const CopyChoice choice{*directive, *std::move(conditions)};
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
  const fs::CopyRequest request{from->id, source->key, to->id, call.key, {}, {}, choice.conditions.target};
  for (int attempt = 1;; ++attempt) {
    const auto tried = co_await try_copy(call, request, *source, choice);
    if (!tried) co_return refuse(tried.error());
    const Result<fs::Attributes>& copied = *tried;
    if (copied) co_return copy_reply("CopyObjectResult", *copied, ShowType::yes);
    // The source changed after it was looked at: what it is now is judged again.
    const bool raced = copied.error().code() == Errc::precondition_failed && !choice.conditions.of_target();
    if (raced && attempt < copy_attempts) continue;
    if (raced) co_return refuse(S3Code::slow_down);
    // If-Match speaks of the target; without it only the source can be missing.
    const bool of_source = copied.error().code() == Errc::not_found && !choice.conditions.target.etag;
    co_return refuse(of_source ? explain_source(*source, copied.error(), Subject::object)
                               : refusal(call, copied.error(), Subject::object));
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
  const auto checksum = co_await find_upload_checksum(call, *to);
  if (!checksum) co_return refuse(checksum.error());
  const auto object = co_await call.objects.open(from->id, source->key);
  if (!object) co_return refuse(explain_source(*source, object.error(), Subject::object));
  const fs::Attributes& attributes = (*object)->attributes();
  KISEKI_S3_CO_TRY(check_source(*conditions, attributes));
  const auto range = part_range(call.head, attributes.size);
  if (!range) co_return refuse(range.error());
  RangeSource bytes(**object, *range, checksum->algorithm);
  const std::string upload(call.query.get("uploadId"));
  const auto part = co_await call.uploads.put_part(to->id, call.key, upload, *number, bytes);
  if (!part) co_return refuse(refusal(call, part.error(), Subject::upload));
  co_return copy_reply("CopyPartResult", *part, ShowType::no);
}

}  // namespace kiseki::s3
