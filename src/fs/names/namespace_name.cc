#include <algorithm>

#include "fs/namespaces.h"

namespace kiseki::fs {

namespace {

bool is_letter_or_digit(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

bool is_address(std::string_view name) {
  return std::ranges::all_of(name, [](char c) { return (c >= '0' && c <= '9') || c == '.'; }) &&
         std::ranges::count(name, '.') == 3;
}

}  // namespace

Result<> check_namespace_name(std::string_view name) {
  const bool length = name.size() >= 3 && name.size() <= 63;
  if (!length) return fail(Errc::invalid_argument, "a name has 3 to 63 characters");
  const bool characters =
      std::ranges::all_of(name, [](char c) { return is_letter_or_digit(c) || c == '.' || c == '-'; });
  if (!characters || !is_letter_or_digit(name.front()) || !is_letter_or_digit(name.back())) {
    return fail(Errc::invalid_argument,
                "a name is made of a-z, 0-9, '.' and '-', and begins and ends with a letter or digit");
  }
  for (const std::string_view prefix : {"xn--", "sthree-", "amzn-s3-demo-"}) {
    if (name.starts_with(prefix))
      return fail(Errc::invalid_argument, "a name with a prefix that S3 reserves");
  }
  for (const std::string_view suffix : {"-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"}) {
    if (name.ends_with(suffix)) return fail(Errc::invalid_argument, "a name with a suffix that S3 reserves");
  }
  if (name.contains("..") || is_address(name)) {
    return fail(Errc::invalid_argument, "a name has no two dots in a row and is not an IP address");
  }
  return {};
}

}  // namespace kiseki::fs
