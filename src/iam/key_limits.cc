#include "iam/key_limits.h"

#include <algorithm>
#include <fmt/format.h>
#include <string_view>

namespace kiseki::iam {

namespace {

bool is_bucket_name(std::string_view name) noexcept {
  return name.size() >= 3 && name.size() <= 63 && std::ranges::all_of(name, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
         });
}

bool is_plain(std::string_view prefix) noexcept {
  constexpr std::string_view signs = "*?$\"\\";
  return std::ranges::all_of(prefix, [signs](char c) {
    return static_cast<unsigned char>(c) >= ' ' && signs.find(c) == signs.npos;
  });
}

constexpr std::string_view reads = R"("s3:GetObject*","s3:ListMultipartUploadParts")";
constexpr std::string_view writes = R"(,"s3:PutObject*","s3:DeleteObject*","s3:AbortMultipartUpload")";
constexpr std::string_view looks =
    R"("s3:ListBucket","s3:ListBucketVersions","s3:ListBucketMultipartUploads")";

std::string statements_of(std::string_view bucket, std::string_view prefix, bool reads_only) {
  std::string text = fmt::format(R"({{"Effect":"Allow","Action":[{}{}],"Resource":"arn:aws:s3:::{}/{}*"}},)",
                                 reads, reads_only ? "" : writes, bucket, prefix);
  const std::string condition =
      prefix.empty() ? "" : fmt::format(R"(,"Condition":{{"StringLike":{{"s3:prefix":"{}*"}}}})", prefix);
  text += fmt::format(R"({{"Effect":"Allow","Action":[{}],"Resource":"arn:aws:s3:::{}"{}}},)", looks, bucket,
                      condition);
  text += fmt::format(R"({{"Effect":"Allow","Action":"s3:GetBucketLocation","Resource":"arn:aws:s3:::{}"}})",
                      bucket);
  return text;
}

}  // namespace

Result<std::string> key_limits(std::span<const std::string> limits) {
  constexpr std::string_view read_only = "ro:";
  std::string statements;
  for (std::string_view limit : limits) {
    const bool reads_only = limit.starts_with(read_only);
    if (reads_only) limit.remove_prefix(read_only.size());
    const std::size_t slash = std::min(limit.find('/'), limit.size());
    const std::string_view bucket = limit.substr(0, slash);
    const std::string_view prefix = limit.substr(std::min(slash + 1, limit.size()));
    if (!is_bucket_name(bucket) || !is_plain(prefix))
      return fail(Errc::invalid_argument, fmt::format("\"{}\" is no limit: [ro:]bucket[/prefix]", limit));
    if (!statements.empty()) statements += ",";
    statements += statements_of(bucket, prefix, reads_only);
  }
  if (statements.empty()) return fail(Errc::invalid_argument, "a limited key needs a bucket");
  return fmt::format(R"({{"Version":"2012-10-17","Statement":[{}]}})", statements);
}

}  // namespace kiseki::iam
