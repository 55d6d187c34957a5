#pragma once

#include <string>

#include "fs/accounts.h"

// Rows of users, groups, roles and policies (docs/formats/accounts.md).

namespace kiseki::fs::detail {

shard::Key account_key(const keys::KeyService& keys, const AccountName& name);
/// Before the first row of this type, and behind the last.
std::string account_items_begin(TenantId tenant, AccountItem::Type type);
std::string account_items_end(TenantId tenant, AccountItem::Type type);

/// `invalid_argument`, `too_large`: beyond what docs/formats/accounts.md allows; a document that is no
/// policy.
Result<> check_account_item(const AccountItem& item);

/// The sealed value of a row.
std::string encode_account_item(keys::KeyService& keys, const shard::Key& key, const AccountItem& item);
Result<AccountItem> decode_account_item(const keys::KeyService& keys, const shard::Key& key, View value);

/// What is sealed, for tests and fuzzers.
std::string write_account_item(const AccountItem& item);
Result<AccountItem> read_account_item(View bytes);

}  // namespace kiseki::fs::detail
