#include "s3/checksum.h"
#include "s3/listing.h"
#include "s3/object_fields.h"
#include "s3/operation.h"
#include "s3/time_format.h"
#include "s3/xml.h"

// ListObjects, ListObjectsV2 and ListObjectVersions.

namespace kiseki::s3 {

namespace {

enum class ShowOwner : std::uint8_t { no, yes };

void add_owner(XmlWriter& xml, TenantId tenant) { xml.open("Owner").element("ID", owner_id(tenant)).close(); }

/// What most items take in a document, beside their names.
constexpr std::size_t item_size = 320;

/// What an entry of every kind of listing tells of an object.
void add_attributes(XmlWriter& xml, IsoTimes& times, const fs::Attributes& attributes) {
  xml.plain("LastModified", times.of(attributes.modified_ms));
  xml.open("ETag").text("\"").text(attributes.properties.etag).text("\"").close();
  for (const auto& [name, value] : attributes.properties.checksums) {
    if (const auto algorithm = algorithm_of(name)) {
      xml.plain("ChecksumAlgorithm", constant_of(*algorithm))
          .plain("ChecksumType", name_of(attributes.properties.checksum_type));
    }
  }
  xml.element("Size", attributes.size).plain("StorageClass", "STANDARD");
}

void add_contents(XmlWriter& xml, const ListingRequest& request, const fs::ListReply& page, TenantId tenant,
                  ShowOwner owner) {
  IsoTimes times;
  for (const fs::ListReply::Item& item : page.items) {
    if (item.is_prefix) continue;
    xml.open("Contents").element("Key", request.encoded(item.name));
    add_attributes(xml, times, item.attributes);
    if (owner == ShowOwner::yes) add_owner(xml, tenant);
    xml.close();
  }
}

void add_prefixes(XmlWriter& xml, const ListingRequest& request, const fs::ListReply& page) {
  for (const fs::ListReply::Item& item : page.items) {
    if (item.is_prefix) xml.open("CommonPrefixes").element("Prefix", request.encoded(item.name)).close();
  }
}

void add_request(XmlWriter& xml, const Call& call, const ListingRequest& request, const fs::ListReply& page) {
  std::size_t names = 0;
  for (const fs::ListReply::Item& item : page.items) names += item.name.size();
  xml.reserve(page.items.size() * item_size + names);
  xml.element("Name", call.bucket).element("Prefix", request.encoded(request.prefix));
  if (!request.delimiter.empty()) xml.element("Delimiter", request.encoded(request.delimiter));
  xml.element("MaxKeys", request.limit).flag("IsTruncated", page.truncated);
  if (request.encoding == ListingRequest::Encoding::url) xml.element("EncodingType", "url");
}

Task<S3Result<fs::ListReply>> list_bucket(Call& call, ListingRequest request) {
  const auto ns = co_await recall_bucket(call);
  if (!ns) co_return refuse(ns.error());
  auto page = co_await list_page(call.objects, ns->id, std::move(request));
  if (!page) co_return refuse(co_await explain(call, *ns, page.error(), Subject::service));
  // A bucket that has gone holds nothing either.
  if (page->items.empty()) {
    const auto now = co_await find_bucket(call);
    if (!now) co_return refuse(now.error());
  }
  co_return std::move(*page);
}

}  // namespace

Task<S3Result<Reply>> list_objects(Call& call) {
  auto request = listing_request(call.query, "max-keys");
  if (!request) co_return refuse(std::move(request).error());
  request->after = call.query.get("marker");
  const auto page = co_await list_bucket(call, *request);
  if (!page) co_return refuse(page.error());
  XmlWriter xml("ListBucketResult");
  add_request(xml, call, *request, *page);
  xml.element("Marker", request->encoded(request->after));
  if (page->truncated) xml.element("NextMarker", request->encoded(page->items.back().name));
  add_contents(xml, *request, *page, call.tenant(), ShowOwner::yes);
  add_prefixes(xml, *request, *page);
  co_return document_reply(xml.finish());
}

Task<S3Result<Reply>> list_objects_v2(Call& call) {
  if (call.query.get("list-type") != "2")
    co_return refuse(bad_argument("list-type", call.query.get("list-type"), "Invalid List Type specified."));
  auto request = listing_request(call.query, "max-keys");
  if (!request) co_return refuse(std::move(request).error());
  request->after = call.query.get("start-after");
  const std::string* token = call.query.find("continuation-token");
  if (token != nullptr) {
    auto name = read_token(*token);
    if (!name) {
      co_return refuse(
          bad_argument("continuation-token", *token, "The continuation token provided is incorrect."));
    }
    request->after = std::move(*name);
  }
  const auto page = co_await list_bucket(call, *request);
  if (!page) co_return refuse(page.error());
  XmlWriter xml("ListBucketResult");
  add_request(xml, call, *request, *page);
  xml.element("KeyCount", page->items.size());
  if (token != nullptr) xml.element("ContinuationToken", *token);
  if (page->truncated) xml.element("NextContinuationToken", make_token(page->items.back().name));
  if (call.query.has("start-after"))
    xml.element("StartAfter", request->encoded(call.query.get("start-after")));
  const ShowOwner owner = call.query.get("fetch-owner") == "true" ? ShowOwner::yes : ShowOwner::no;
  add_contents(xml, *request, *page, call.tenant(), owner);
  add_prefixes(xml, *request, *page);
  co_return document_reply(xml.finish());
}

/// Versioning cannot be enabled, so every object is its own one version, "null".
Task<S3Result<Reply>> list_object_versions(Call& call) {
  auto request = listing_request(call.query, "max-keys");
  if (!request) co_return refuse(std::move(request).error());
  request->after = call.query.get("key-marker");
  const auto page = co_await list_bucket(call, *request);
  if (!page) co_return refuse(page.error());
  XmlWriter xml("ListVersionsResult");
  add_request(xml, call, *request, *page);
  xml.element("KeyMarker", request->encoded(request->after));
  xml.element("VersionIdMarker", call.query.get("version-id-marker"));
  if (page->truncated) {
    xml.element("NextKeyMarker", request->encoded(page->items.back().name))
        .element("NextVersionIdMarker", "null");
  }
  IsoTimes times;
  for (const fs::ListReply::Item& item : page->items) {
    if (item.is_prefix) continue;
    xml.open("Version").element("Key", request->encoded(item.name)).element("VersionId", "null");
    xml.flag("IsLatest", true);
    add_attributes(xml, times, item.attributes);
    add_owner(xml, call.tenant());
    xml.close();
  }
  add_prefixes(xml, *request, *page);
  co_return document_reply(xml.finish());
}

}  // namespace kiseki::s3
