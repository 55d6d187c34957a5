#include "s3/listing.h"

#include "base/encoding.h"
#include "s3/checksum.h"
#include "s3/operation.h"

namespace kiseki::s3 {

namespace {

constexpr std::uint32_t page_max = 1000;
constexpr char token_version = '1';

/// Sorts after every key that begins with `prefix`: no UTF-8 text holds this byte.
std::string beyond(std::string_view prefix) { return std::string(prefix).append("\xff"); }

/// The common prefix a key falls under; empty: none.
std::string_view common_prefix(std::string_view key, const ListingRequest& request) {
  const std::size_t found = key.find(request.delimiter, request.prefix.size());
  return found == key.npos ? std::string_view{} : key.substr(0, found + request.delimiter.size());
}

/// Takes from a page what fits below `wanted` items; returns where to go on.
std::string fold(fs::ListReply page, const ListingRequest& request, std::size_t wanted,
                 fs::ListReply& folded) {
  std::string after = request.after;
  for (fs::ListReply::Item& item : page.items) {
    if (folded.items.size() == wanted) break;
    if (item.name <= after) continue;  // below a prefix already given
    const std::string_view prefix = common_prefix(item.name, request);
    if (prefix.empty()) {
      after = item.name;
      folded.items.push_back(std::move(item));
      continue;
    }
    after = beyond(prefix);
    fs::ListReply::Item one;
    one.name = prefix;
    one.is_prefix = true;
    folded.items.push_back(std::move(one));
  }
  return after;
}

Task<Result<fs::ListReply>> list_folded(fs::Objects& objects, NamespaceId ns, ListingRequest request) {
  fs::ListReply folded;
  // One item more than asked tells whether there is more.
  const std::size_t wanted = request.limit + std::size_t{1};
  const std::string_view given = common_prefix(request.after, request);
  if (!given.empty() && given == request.after) {
    request.after = beyond(request.after);
  }
  while (folded.items.size() < wanted) {
    auto page = co_await objects.list(ns, fs::ListRequest{request.prefix, false, request.after, page_max});
    if (!page) co_return fail(std::move(page).error());
    const bool more = page->truncated;
    std::string last = page->items.empty() ? std::string() : page->items.back().name;
    request.after = fold(std::move(*page), request, wanted, folded);
    if (!more) break;
    if (request.after < last) request.after = std::move(last);
  }
  if (folded.items.size() == wanted) {
    folded.items.pop_back();
    folded.truncated = true;
  }
  co_return folded;
}

}  // namespace

std::string ListingRequest::encoded(std::string_view name) const {
  return encoding == Encoding::url ? uri_encode(name, Slash::kept) : std::string(name);
}

S3Result<ListingRequest> listing_request(const Query& query, std::string_view limit_parameter) {
  ListingRequest request;
  request.prefix = query.get("prefix");
  request.delimiter = query.get("delimiter");
  const auto limit = number_parameter(query, limit_parameter, 0, page_max, page_max);
  if (!limit) return refuse(limit.error());
  request.limit = *limit;
  if (const std::string* encoding = query.find("encoding-type")) {
    if (*encoding != "url")
      return refuse(
          bad_argument("encoding-type", *encoding, "Invalid Encoding Method specified in Request."));
    request.encoding = ListingRequest::Encoding::url;
  }
  return request;
}

Task<Result<fs::ListReply>> list_page(fs::Objects& objects, NamespaceId ns, ListingRequest request) {
  if (request.limit == 0) co_return fs::ListReply{};
  if (!request.delimiter.empty() && request.delimiter != "/") {
    co_return co_await list_folded(objects, ns, std::move(request));
  }
  co_return co_await objects.list(
      ns, fs::ListRequest{request.prefix, !request.delimiter.empty(), request.after, request.limit});
}

std::string make_token(std::string_view name) {
  std::string token = base64_encode(as_view(std::string(1, token_version).append(name)));
  std::ranges::replace(token, '+', '-');
  std::ranges::replace(token, '/', '_');
  return token;
}

std::optional<std::string> read_token(std::string_view token) {
  std::string text(token);
  std::ranges::replace(text, '-', '+');
  std::ranges::replace(text, '_', '/');
  const auto decoded = base64_decode(text);
  if (!decoded || decoded->size() < 2 || decoded->front() != token_version) return std::nullopt;
  return decoded->substr(1);
}

}  // namespace kiseki::s3
