#include "s3/object_fields.h"

#include <array>
#include <fmt/format.h>

#include "s3/checksum.h"
#include "s3/conditions.h"
#include "s3/time_format.h"

namespace kiseki::s3 {

namespace {

constexpr std::string_view metadata_prefix = "x-amz-meta-";
constexpr std::size_t metadata_max = 2_KiB;
constexpr std::size_t headers_max = 4_KiB;

struct KeptHeader {
  std::string_view name;
  std::string_view field;
  std::string_view override_parameter;
};

constexpr std::array<KeptHeader, 6> kept_headers = {{
    {"content-type", "Content-Type", "response-content-type"},
    {"cache-control", "Cache-Control", "response-cache-control"},
    {"content-disposition", "Content-Disposition", "response-content-disposition"},
    {"content-encoding", "Content-Encoding", "response-content-encoding"},
    {"content-language", "Content-Language", "response-content-language"},
    {"expires", "Expires", "response-expires"},
}};

/// The codings besides aws-chunked, which is not the object's.
std::string without_aws_chunked(std::string_view codings) {
  std::string kept;
  while (!codings.empty()) {
    const std::size_t end = std::min(codings.find(','), codings.size());
    std::string_view one = codings.substr(0, end);
    codings.remove_prefix(std::min(end + 1, codings.size()));
    while (one.starts_with(' ')) one.remove_prefix(1);
    while (one.ends_with(' ')) one.remove_suffix(1);
    if (one.empty() || one == "aws-chunked") continue;
    if (!kept.empty()) kept += ",";
    kept += one;
  }
  return kept;
}

void add_metadata(fs::Properties& properties, std::string_view name, std::string_view value) {
  const auto same = std::ranges::find(properties.metadata, name,
                                      [](const auto& one) -> const std::string& { return one.first; });
  if (same == properties.metadata.end()) {
    properties.metadata.emplace_back(name, value);
  } else {
    same->second.append(",").append(value);
  }
}

std::size_t size_of(const std::vector<std::pair<std::string, std::string>>& fields) {
  std::size_t size = 0;
  for (const auto& [name, value] : fields) size += name.size() + value.size();
  return size;
}

const std::string* find(const std::vector<std::pair<std::string, std::string>>& fields,
                        std::string_view name) {
  for (const auto& [one, value] : fields) {
    if (one == name) return &value;
  }
  return nullptr;
}

}  // namespace

S3Result<fs::Properties> properties_from(const HttpHead& head) {
  fs::Properties properties;
  for (const HttpField& field : head.fields()) {
    if (field.name.starts_with(metadata_prefix)) {
      add_metadata(properties, field.name.substr(metadata_prefix.size()), field.value);
    }
  }
  for (const KeptHeader& kept : kept_headers) {
    const auto field = head.find(kept.name);
    if (!field) continue;
    std::string value(*field);
    if (kept.name == "content-encoding") value = without_aws_chunked(value);
    if (!value.empty()) properties.headers.emplace_back(kept.name, std::move(value));
  }
  if (size_of(properties.metadata) > metadata_max || size_of(properties.headers) > headers_max) {
    return refuse(S3Code::metadata_too_large);
  }
  return properties;
}

void add_object_fields(HttpResponse& response, const fs::Attributes& attributes) {
  const fs::Properties& properties = attributes.properties;
  response.add("ETag", etag_field(properties.etag));
  response.add("Last-Modified", http_date(static_cast<std::int64_t>(attributes.modified_ms / 1000)));
  response.add("Accept-Ranges", "bytes");
  for (const KeptHeader& kept : kept_headers) {
    const std::string* value = find(properties.headers, kept.name);
    if (value != nullptr) response.add(kept.field, *value);
    if (value == nullptr && kept.name == "content-type") response.add(kept.field, "binary/octet-stream");
  }
  for (const auto& [name, value] : properties.metadata) {
    response.add(std::string(metadata_prefix).append(name), value);
  }
}

void add_checksum_fields(HttpResponse& response, const fs::Properties& properties) {
  for (const auto& [name, value] : properties.checksums) {
    const auto algorithm = algorithm_of(name);
    if (!algorithm) continue;
    response.add(field_of(*algorithm), value);
    response.add("x-amz-checksum-type", value.find('-') == value.npos ? "FULL_OBJECT" : "COMPOSITE");
  }
}

void override_headers(fs::Properties& properties, const Query& query) {
  for (const KeptHeader& kept : kept_headers) {
    const std::string* value = query.find(kept.override_parameter);
    if (value == nullptr) continue;
    std::erase_if(properties.headers, [&kept](const auto& header) { return header.first == kept.name; });
    properties.headers.emplace_back(kept.name, *value);
  }
}

std::string etag_field(std::string_view etag) { return fmt::format("\"{}\"", etag); }

S3Result<fs::Condition> write_condition(const HttpHead& head) {
  fs::Condition condition;
  if (const auto none = head.find("if-none-match")) {
    if (*none != "*") {
      return refuse(S3Error{S3Code::not_implemented, {}, {{"Header", "If-None-Match"}}});
    }
    condition.absent = true;
  }
  if (const auto match = head.find("if-match")) {
    if (condition.absent || match->empty() || match->find(',') != match->npos || match->starts_with("W/")) {
      return refuse(S3Error{S3Code::not_implemented, {}, {{"Header", "If-Match"}}});
    }
    condition.etag = unquoted(*match);
  }
  for (const std::string_view name : {"if-modified-since", "if-unmodified-since"}) {
    if (head.find(name)) return refuse(S3Error{S3Code::not_implemented, {}, {{"Header", std::string(name)}}});
  }
  return condition;
}

}  // namespace kiseki::s3
