#include "s3/xml_requests.h"

#include <pugixml.hpp>

#include "base/encoding.h"
#include "s3/checksum.h"
#include "s3/conditions.h"

namespace kiseki::s3 {

namespace {

constexpr std::size_t delete_items_max = 1000;
constexpr std::size_t parts_max = 10'000;
constexpr std::size_t tag_key_max = 128, tag_value_max = 256;  // characters

/// The name without its prefix: clients differ in how they write the namespace.
std::string_view local_name(const pugi::xml_node& node) {
  const std::string_view name = node.name();
  return name.substr(name.find(':') + 1);
}

/// Parses in place; `root` must be the document's element. A document type declaration is refused: no client
/// needs one.
S3Result<pugi::xml_node> parse(pugi::xml_document& tree, std::string& document, std::string_view root) {
  const auto options = pugi::parse_escapes | pugi::parse_cdata | pugi::parse_ws_pcdata | pugi::parse_doctype;
  const auto parsed =
      tree.load_buffer_inplace(document.data(), document.size(), options, pugi::encoding_utf8);
  if (!parsed) return refuse(S3Code::malformed_xml);
  pugi::xml_node found;
  for (const pugi::xml_node& child : tree.children()) {
    if (child.type() == pugi::node_doctype) return refuse(S3Code::malformed_xml);
    if (child.type() != pugi::node_element) continue;
    if (found) return refuse(S3Code::malformed_xml);
    found = child;
  }
  if (!found || local_name(found) != root) return refuse(S3Code::malformed_xml);
  return found;
}

/// All character data of an element that holds nothing else.
std::string text_of(const pugi::xml_node& node) {
  std::string text;
  for (const pugi::xml_node& child : node.children()) text += child.value();
  return text;
}

/// Without white space around it, line ends included.
std::string stripped(std::string_view text) { return std::string(trimmed(text, " \t\r\n")); }

DeleteRequest::Item parse_delete_item(const pugi::xml_node& node) {
  DeleteRequest::Item item;
  for (const pugi::xml_node& field : node.children()) {
    const std::string_view name = local_name(field);
    if (name == "Key") item.key = text_of(field);
    if (name == "VersionId") item.version = stripped(text_of(field));
    if (name == "ETag") item.etag = stripped(text_of(field));
  }
  return item;
}

S3Result<CompleteRequest::Part> parse_part(const pugi::xml_node& node) {
  CompleteRequest::Part part;
  for (const pugi::xml_node& field : node.children()) {
    const std::string_view name = local_name(field);
    const std::string text = stripped(text_of(field));
    if (name == "PartNumber") {
      const auto number = parse_decimal<decltype(part.number)>(text);
      if (!number) return refuse(S3Code::malformed_xml);
      part.number = *number;
    } else if (name == "ETag") {
      part.etag = unquoted(text);
    } else if (const auto algorithm = algorithm_of_element(name)) {
      part.checksums.emplace_back(name_of(*algorithm), text);
    }
  }
  if (part.number == 0 || part.etag.empty()) return refuse(S3Code::malformed_xml);
  return part;
}

using Tags = std::vector<std::pair<std::string, std::string>>;

/// Characters of UTF-8 text.
std::size_t character_count(std::string_view text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

S3Result<> check_tag(const Tags& before, const std::string& key, const std::string& value) {
  if (key.empty() || character_count(key) > tag_key_max)
    return refuse(S3Code::invalid_tag, "The TagKey you have provided is invalid");
  if (character_count(value) > tag_value_max)
    return refuse(S3Code::invalid_tag, "The TagValue you have provided is invalid");
  if (key.starts_with("aws:"))
    return refuse(S3Code::invalid_tag, "System tags cannot be added/updated by requester");
  if (std::ranges::find(before, key, &Tags::value_type::first) != before.end())
    return refuse(S3Code::invalid_tag, "Cannot provide multiple Tags with the same key");
  return {};
}

S3Result<> add_tag(const pugi::xml_node& node, Tags& tags) {
  std::string key, value;
  for (const pugi::xml_node& field : node.children()) {
    if (local_name(field) == "Key") key = text_of(field);
    if (local_name(field) == "Value") value = text_of(field);
  }
  KISEKI_S3_TRY(check_tag(tags, key, value));
  tags.emplace_back(std::move(key), std::move(value));
  return {};
}

}  // namespace

S3Result<std::string> parse_create_bucket(std::string document) {
  if (stripped(document).empty()) return std::string();
  pugi::xml_document tree;
  const auto root = parse(tree, document, "CreateBucketConfiguration");
  if (!root) return refuse(root.error());
  std::string constraint;
  for (const pugi::xml_node& field : root->children()) {
    if (field.type() != pugi::node_element) continue;
    if (local_name(field) != "LocationConstraint") {
      return refuse(not_built("Element", local_name(field)));
    }
    constraint = stripped(text_of(field));
  }
  return constraint;
}

S3Result<DeleteRequest> parse_delete(std::string document) {
  pugi::xml_document tree;
  const auto root = parse(tree, document, "Delete");
  if (!root) return refuse(root.error());
  DeleteRequest request;
  for (const pugi::xml_node& field : root->children()) {
    const std::string_view name = local_name(field);
    if (name == "Quiet") request.quiet = stripped(text_of(field)) == "true";
    if (name != "Object") continue;
    if (request.items.size() == delete_items_max)
      return refuse(S3Code::malformed_xml, "A request deletes at most 1,000 keys.");
    request.items.push_back(parse_delete_item(field));
    if (request.items.back().key.empty())
      return refuse(S3Code::malformed_xml, "An object to delete has no key.");
  }
  if (request.items.empty()) return refuse(S3Code::malformed_xml);
  return request;
}

S3Result<CompleteRequest> parse_complete(std::string document) {
  pugi::xml_document tree;
  const auto root = parse(tree, document, "CompleteMultipartUpload");
  if (!root) return refuse(root.error());
  CompleteRequest request;
  for (const pugi::xml_node& field : root->children()) {
    if (local_name(field) != "Part") continue;
    auto part = parse_part(field);
    if (!part) return refuse(std::move(part).error());
    if (request.parts.size() == parts_max)
      return refuse(S3Code::malformed_xml, "An object has at most 10,000 parts.");
    request.parts.push_back(std::move(*part));
  }
  if (request.parts.empty()) return refuse(S3Code::malformed_xml);
  return request;
}

S3Result<Tags> parse_tagging(std::string document, std::size_t tags_max) {
  pugi::xml_document tree;
  const auto root = parse(tree, document, "Tagging");
  if (!root) return refuse(root.error());
  Tags tags;
  bool has_set = false;
  for (const pugi::xml_node& set : root->children()) {
    if (local_name(set) != "TagSet") continue;
    has_set = true;
    for (const pugi::xml_node& tag : set.children()) {
      if (local_name(tag) != "Tag") continue;
      if (tags.size() == tags_max)
        return refuse(S3Code::invalid_tag, fmt::format("There may be at most {} tags.", tags_max));
      KISEKI_S3_TRY(add_tag(tag, tags));
    }
  }
  if (!has_set) return refuse(S3Code::malformed_xml);
  return tags;
}

}  // namespace kiseki::s3
