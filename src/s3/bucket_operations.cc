
#include "base/encoding.h"
#include "s3/operation.h"
#include "s3/routes.h"
#include "s3/time_format.h"
#include "s3/xml.h"
#include "s3/xml_requests.h"

// ListBuckets, and the operations on one bucket that are no listing.

namespace kiseki::s3 {

namespace {

constexpr std::string_view first_region = "us-east-1";
constexpr std::uint32_t buckets_max = 10'000;
/// How often a change of a configuration starts again after another's.
constexpr int changes_max = 16;

/// An absent constraint is accepted everywhere: there is one region.
S3Result<> check_location(std::string_view constraint, std::string_view region) {
  if (constraint.empty() || constraint == region) return {};
  if (constraint == "EU" && region == "eu-west-1") return {};
  return refuse(
      S3Code::illegal_location_constraint,
      fmt::format("The {} location constraint is incompatible for the region specific endpoint this request "
                  "was sent to.",
                  constraint));
}

/// Buckets whose names match, in order, after the token.
std::vector<fs::Namespace> select_buckets(std::vector<fs::Namespace> all, const Query& query,
                                          std::string_view region) {
  const std::string_view prefix = query.get("prefix");
  const std::string_view after = query.get("continuation-token");
  const std::string* wanted = query.find("bucket-region");
  std::erase_if(all, [&](const fs::Namespace& ns) {
    return !ns.name.starts_with(prefix) || (!after.empty() && ns.name <= after) ||
           (wanted != nullptr && *wanted != region);
  });
  return all;
}

/// Where the bucket was made.
Task<S3Result<std::string>> region_of(Call& call) {
  const auto ns = co_await find_bucket(call);
  if (!ns) co_return refuse(ns.error());
  const auto known = co_await call.namespaces.recall_configuration(ns->id);
  if (!known) co_return refuse(refusal(call, known.error(), Subject::bucket));
  const std::string& region = known->configuration.region;
  co_return region.empty() ? call.options.region : region;
}

/// Replaces the bucket's tags, whatever else of its configuration another changes meanwhile.
Task<S3Result<Reply>> set_tags(Call& call, fs::Properties::Pairs tags) {
  const auto ns = co_await find_bucket(call);
  if (!ns) co_return refuse(ns.error());
  Result<std::uint32_t> done = fail(Errc::conflict);
  for (int i = 0; i < changes_max && !done && done.error().code() == Errc::conflict; ++i) {
    auto now = co_await call.namespaces.find_configuration(ns->id);
    if (!now) co_return refuse(refusal(call, now.error(), Subject::bucket));
    now->configuration.tags = tags;
    done = co_await call.namespaces.configure(ns->id, now->epoch, std::move(now->configuration));
  }
  if (!done) co_return refuse(refusal(call, done.error(), Subject::bucket));
  co_return Reply{.head = HttpResponse(204), .document = {}, .object = {}, .range = {}};
}

}  // namespace

Reply document_reply(std::string document) {
  Reply reply;
  reply.head.add("Content-Type", "application/xml");
  reply.document = std::move(document);
  return reply;
}

S3Error refusal(const Call& call, const Error& error, Subject subject) {
  S3Error said = with_names(translate(error, subject),
                            {.bucket = call.bucket, .key = call.key, .upload = call.query.get("uploadId")});
  // The file system checks conditions on what is written alone.
  if (said.code == S3Code::precondition_failed)
    said.details.emplace_back("Condition", call.head.find("if-none-match") ? "If-None-Match" : "If-Match");
  return said;
}

Task<S3Result<fs::Namespace>> find_bucket(Call& call) {
  auto ns = co_await call.namespaces.find(call.tenant(), call.bucket);
  if (!ns) co_return refuse(refusal(call, ns.error(), Subject::bucket));
  co_return std::move(*ns);
}

Task<S3Result<fs::Namespace>> recall_bucket(Call& call) {
  auto ns = co_await call.namespaces.recall(call.tenant(), call.bucket);
  if (!ns) co_return refuse(refusal(call, ns.error(), Subject::bucket));
  co_return std::move(*ns);
}

Task<S3Error> explain(Call& call, fs::Namespace recalled, Error error, Subject subject) {
  if (error.code() != Errc::not_found) co_return refusal(call, error, subject);
  const auto now = co_await find_bucket(call);
  if (!now) co_return now.error();
  // Another bucket of that name: the same request finds it.
  if (now->id != recalled.id)
    co_return S3Error{.code = S3Code::slow_down, .cause = "the bucket was made anew"};
  co_return refusal(call, error, subject);
}

std::string owner_id(TenantId tenant) { return fmt::format("{:064x}", tenant.value()); }

S3Result<std::uint32_t> number_parameter(const Query& query, std::string_view name, std::uint32_t least,
                                         std::uint32_t most, std::uint32_t otherwise) {
  const std::string* text = query.find(name);
  if (text == nullptr) return otherwise;
  const auto value = parse_decimal<std::uint32_t>(*text);
  if (!value || *value < least || *value > static_cast<std::uint32_t>(INT32_MAX)) {
    return refuse(bad_argument(name, *text,
                               fmt::format("Argument {} must be an integer of at least {}.", name, least)));
  }
  return std::min(*value, most);
}

Task<S3Result<Reply>> list_buckets(Call& call) {
  const auto limit = number_parameter(call.query, "max-buckets", 1, buckets_max, buckets_max);
  if (!limit) co_return refuse(limit.error());
  auto all = co_await call.namespaces.list(call.tenant());
  if (!all) co_return refuse(translate(all.error(), Subject::service));
  const auto selected = select_buckets(std::move(*all), call.query, call.options.region);
  XmlWriter xml("ListAllMyBucketsResult");
  xml.open("Owner").element("ID", owner_id(call.tenant())).close();
  xml.open("Buckets");
  const std::size_t count = std::min<std::size_t>(selected.size(), *limit);
  for (std::size_t i = 0; i < count; ++i) {
    xml.open("Bucket")
        .element("Name", selected[i].name)
        .element("CreationDate", iso_time(selected[i].created_ms));
    xml.element("BucketRegion", call.options.region).close();
  }
  xml.close();
  if (call.query.has("prefix")) xml.element("Prefix", call.query.get("prefix"));
  if (count < selected.size()) xml.element("ContinuationToken", selected[count - 1].name);
  co_return document_reply(xml.finish());
}

Task<S3Result<Reply>> create_bucket(Call& call) {
  auto document = co_await call.body.read_all(xml_small_max);
  if (!document) co_return refuse(std::move(document).error());
  const auto constraint = parse_create_bucket(std::move(*document));
  if (!constraint) co_return refuse(constraint.error());
  KISEKI_S3_CO_TRY(check_location(*constraint, call.options.region));
  fs::Configuration configuration{.region = call.options.region};
  const auto made = co_await call.namespaces.create(call.tenant(), call.bucket, std::move(configuration));
  // As Amazon has it: making an own bucket again is a success in the first region and a conflict elsewhere.
  const bool again = !made && made.error().code() == Errc::exists && call.options.region == first_region;
  if (!made && made.error().code() == Errc::denied)
    co_return refuse(with_names(S3Error{S3Code::bucket_already_exists}, {.bucket = call.bucket}));
  if (!made && !again) co_return refuse(refusal(call, made.error(), Subject::bucket));
  Reply reply;
  reply.head.add("Location", "/" + call.bucket);
  co_return reply;
}

Task<S3Result<Reply>> head_bucket(Call& call) {
  const auto region = co_await region_of(call);
  if (!region) co_return refuse(region.error());
  Reply reply;
  reply.head.add("x-amz-bucket-region", *region).add("Content-Type", "application/xml");
  co_return reply;
}

Task<S3Result<Reply>> delete_bucket(Call& call) {
  const auto removed = co_await call.namespaces.remove(call.tenant(), call.bucket);
  if (!removed) co_return refuse(refusal(call, removed.error(), Subject::bucket));
  co_return Reply{.head = HttpResponse(204), .document = {}, .object = {}, .range = {}};
}

Task<S3Result<Reply>> get_bucket_location(Call& call) {
  const auto region = co_await region_of(call);
  if (!region) co_return refuse(region.error());
  XmlWriter xml("LocationConstraint");
  if (*region != first_region) xml.text(*region);
  co_return document_reply(xml.finish());
}

Task<S3Result<Reply>> get_bucket_versioning(Call& call) {
  const auto ns = co_await find_bucket(call);
  if (!ns) co_return refuse(ns.error());
  co_return document_reply(XmlWriter("VersioningConfiguration").finish());
}

Task<S3Result<Reply>> get_bucket_tagging(Call& call) {
  const auto ns = co_await find_bucket(call);
  if (!ns) co_return refuse(ns.error());
  const auto now = co_await call.namespaces.find_configuration(ns->id);
  if (!now) co_return refuse(refusal(call, now.error(), Subject::bucket));
  if (now->configuration.tags.empty())
    co_return refuse(with_names(S3Error{S3Code::no_such_tag_set}, {.bucket = call.bucket}));
  XmlWriter xml("Tagging");
  xml.open("TagSet");
  for (const auto& [key, value] : now->configuration.tags)
    xml.open("Tag").element("Key", key).element("Value", value).close();
  co_return document_reply(xml.finish());
}

Task<S3Result<Reply>> put_bucket_tagging(Call& call) {
  auto document = co_await call.body.read_all(xml_tagging_max);
  if (!document) co_return refuse(std::move(document).error());
  auto tags = parse_tagging(std::move(*document), bucket_tags_max);
  if (!tags) co_return refuse(std::move(tags).error());
  co_return co_await set_tags(call, *std::move(tags));
}

Task<S3Result<Reply>> delete_bucket_tagging(Call& call) { co_return co_await set_tags(call, {}); }

}  // namespace kiseki::s3
