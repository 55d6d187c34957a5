#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "admin_api/account_request.h"
#include "base/result.h"

namespace kiseki::admin_api {

// What an administrator can ask for (docs/formats/admin-socket.md).

struct Status {
  friend bool operator==(const Status&, const Status&) = default;
};
struct ListKeys {
  friend bool operator==(const ListKeys&, const ListKeys&) = default;
};
/// Of the tenant itself, or of a user.
struct CreateKey {
  std::string user = {};
  std::vector<std::string> limits = {};  ///< "[ro:]bucket[/prefix]"; none: all that its user may.
  std::uint64_t expires_seconds = 0;     ///< From now; 0: never.
  friend bool operator==(const CreateKey&, const CreateKey&) = default;
};
struct RemoveKey {
  std::string id;
  friend bool operator==(const RemoveKey&, const RemoveKey&) = default;
};
struct DisableKey {
  std::string id;
  friend bool operator==(const DisableKey&, const DisableKey&) = default;
};
struct EnableKey {
  std::string id;
  friend bool operator==(const EnableKey&, const EnableKey&) = default;
};
struct ListBuckets {
  friend bool operator==(const ListBuckets&, const ListBuckets&) = default;
};
struct CreateBucket {
  std::string name;
  friend bool operator==(const CreateBucket&, const CreateBucket&) = default;
};
struct RemoveBucket {
  std::string name;
  friend bool operator==(const RemoveBucket&, const RemoveBucket&) = default;
};

using Request = std::variant<Status, ListKeys, CreateKey, RemoveKey, DisableKey, EnableKey, ListBuckets,
                             CreateBucket, RemoveBucket, AccountRequest>;

/// A line without its end. `invalid_argument`: no JSON object, an unknown command, a missing or a surplus
/// field.
Result<Request> parse_request(std::string_view line);
/// The line that `parse_request` reads as `request`, with its end.
std::string format_request(const Request& request);

}  // namespace kiseki::admin_api
