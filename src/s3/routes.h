#pragma once

#include <string>

#include "s3/operation.h"

namespace kiseki::s3 {

inline constexpr std::size_t key_size_max = 1024;

/// What a request is about, from its path and host: a service, a bucket or an object in one.
struct Address {
  std::string bucket;
  std::string key;
};

/// `invalid_bucket_name`, `key_too_long`. `host` counts only when it ends in `domain`.
S3Result<Address> resolve_address(std::string_view path, std::string_view host, std::string_view domain);

/// The bucket in a Host field such as "bucket.s3.example.org:9000"; empty when it names none.
std::string_view bucket_of_host(std::string_view host, std::string_view domain) noexcept;

/// What a request does, and what it needs leave for.
struct Action {
  std::string_view operation;   ///< As the API names it: "HeadObject".
  std::string_view permission;  ///< As policies name it: "s3:GetObject"; empty: nothing.
};

/// What is whole in memory while an operation runs, besides bodies of objects.
enum class Document : std::uint8_t {
  none,
  page,  ///< A page of a listing, in the answer.
  body,  ///< The body of the request.
};

/// An operation, how its body is to be checked, and what is asked of who sent it.
struct Selection {
  Operation operation;
  ChecksumOf checksum_of;
  Action action;
  Document document;
};

/// The operation a request asks for, by method, path and the one query parameter or field that selects it.
/// `not_implemented` when it names a subresource that the operation does not have; a parameter that names
/// none says nothing.
S3Result<Selection> find_operation(const HttpHead& head, const Address& address, const Query& query);

/// Refuses fields that ask for what is not implemented, or that expect another owner.
S3Result<> check_fields(const HttpHead& head, std::string_view owner);

}  // namespace kiseki::s3
