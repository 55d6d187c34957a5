#include "s3/object_fields.h"

#include <array>
#include <fmt/format.h>

#include "base/encoding.h"
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
    const std::string_view one = trimmed(codings.substr(0, end));
    codings.remove_prefix(std::min(end + 1, codings.size()));
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

/// RFC 2047 section 2. Bytes that are no UTF-8 are taken for ISO 8859-1, as HTTP once had it.
std::string mail_safe(const std::string& value) {
  const bool is_ascii =
      std::ranges::all_of(value, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
  if (is_ascii) return value;
  std::string text;
  if (is_utf8(value)) {
    text = value;
  } else {
    for (const char c : value) {
      const auto point = static_cast<unsigned char>(c);
      if (point >= 0x80) text.push_back(static_cast<char>(0xc0U | point >> 6));
      text.push_back(static_cast<char>(point >= 0x80 ? 0x80U | (point & 0x3fU) : point));
    }
  }
  return fmt::format("=?UTF-8?B?{}?=", base64_encode(as_view(text)));
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
  if (const std::size_t size = size_of(properties.metadata); size > metadata_max)
    return refuse(bad_size(S3Code::metadata_too_large, size, metadata_max));
  if (const std::size_t size = size_of(properties.headers); size > headers_max)
    return refuse(bad_size(S3Code::metadata_too_large, size, headers_max));
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
    response.add(std::string(metadata_prefix).append(name), mail_safe(value));
  }
}

void add_checksum_fields(HttpResponse& response, const fs::Properties& properties) {
  for (const auto& [name, value] : properties.checksums) {
    if (const auto algorithm = algorithm_of(name)) response.add(field_of(*algorithm), value);
  }
}

void add_typed_checksum_fields(HttpResponse& response, const fs::Properties& properties) {
  add_checksum_fields(response, properties);
  if (!properties.checksums.empty()) response.add("x-amz-checksum-type", name_of(properties.checksum_type));
}

std::uint32_t parts_count(std::string_view etag) noexcept {
  const std::size_t dash = etag.find('-');
  if (dash == etag.npos) return 0;
  return parse_decimal<std::uint32_t>(etag.substr(dash + 1)).value_or(0);
}

void override_headers(fs::Properties& properties, const Query& query) {
  for (const KeptHeader& kept : kept_headers) {
    const std::string* value = query.find(kept.override_parameter);
    if (value == nullptr) continue;
    std::erase_if(properties.headers, [&kept](const auto& header) { return header.first == kept.name; });
    properties.headers.emplace_back(kept.name, *value);
  }
}

std::string etag_field(std::string_view etag) {
  std::string field;
  field.reserve(etag.size() + 2);
  return field.append("\"").append(etag).append("\"");
}

S3Result<fs::Condition> write_condition(const HttpHead& head) {
  fs::Condition condition;
  if (const auto none = head.find("if-none-match")) {
    if (*none != "*") {
      return refuse(not_built("Header", "If-None-Match"));
    }
    condition.absent = true;
  }
  if (const auto match = head.find("if-match")) {
    if (condition.absent || match->empty() || match->find(',') != match->npos || match->starts_with("W/")) {
      return refuse(not_built("Header", "If-Match"));
    }
    condition.etag = unquoted(*match);
  }
  for (const std::string_view name : {"if-modified-since", "if-unmodified-since"}) {
    if (head.find(name)) return refuse(not_built("Header", name));
  }
  return condition;
}

}  // namespace kiseki::s3
