#include "fs/accounts/account_rows.h"

#include <algorithm>

#include "base/codec.h"

namespace kiseki::fs::detail {

namespace {

using Type = AccountItem::Type;

constexpr std::uint8_t format = 1;
constexpr std::size_t path_max = 512, attached_max = 10, groups_max = 10, keys_max = 8, tags_max = 50;
constexpr std::size_t tag_key_max = 128, tag_value_max = 256, inline_bytes_max = 10240, document_max = 20480;

std::size_t name_max(Type type) noexcept { return type == Type::user || type == Type::role ? 64 : 128; }

bool is_name(std::string_view name, std::size_t size_max) noexcept {
  constexpr std::string_view signs = "+=,.@_-";
  return !name.empty() && name.size() <= size_max && std::ranges::all_of(name, [signs](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           signs.find(c) != signs.npos;
  });
}

bool is_path(std::string_view path) noexcept {
  return path.size() <= path_max && path.starts_with('/') && path.ends_with('/') &&
         std::ranges::all_of(path, [](char c) { return c > ' ' && c < '\x7f'; });
}

std::string item_begin(TenantId tenant, Type type) {
  std::string item;
  Encoder(item).id(tenant).enumerator(type);
  return item;
}

std::string context_of(const shard::Key& key) { return "account item row " + key.item; }

template <class Entries, class Write>
void write_list(Encoder& out, const Entries& entries, Write write) {
  out.integer(static_cast<std::uint16_t>(entries.size()));
  for (const auto& entry : entries) write(out, entry);
}

void write_text(Encoder& out, const std::string& text) { out.sized(as_view(text)); }

template <class Entry, class Read>
std::vector<Entry> read_list(Decoder& in, Read read) {
  std::vector<Entry> entries;
  for (auto left = in.integer<std::uint16_t>(); left > 0 && !in.failed(); --left) entries.push_back(read(in));
  return entries;
}

std::string read_text(Decoder& in) { return std::string(as_text(in.sized())); }

Result<> check_documents(const AccountItem& item) {
  std::size_t bytes = 0;
  for (const NamedDocument& one : item.inline_policies) {
    bytes += one.document.size();
    if (!is_name(one.name, 128)) return fail(Errc::invalid_argument, "no name of a policy");
    const auto policy = iam::Policy::parse(one.document, iam::PolicyType::identity_inline);
    if (!policy) return fail(policy.error());
  }
  if (bytes > inline_bytes_max)
    return fail(Errc::too_large,
                fmt::format("inline policies have at most {} bytes together", inline_bytes_max));
  if (item.type == Type::user || item.type == Type::group) return {};
  if (item.document.size() > document_max)
    return fail(Errc::too_large, fmt::format("a document has at most {} bytes", document_max));
  const auto type = item.type == Type::role ? iam::PolicyType::trust : iam::PolicyType::managed;
  const auto policy = iam::Policy::parse(item.document, type);
  if (!policy) return fail(policy.error());
  return {};
}

}  // namespace

shard::Key account_key(const keys::KeyService& keys, const AccountName& name) {
  std::string named = "account item" + item_begin(name.tenant, name.type);
  std::ranges::transform(name.name, std::back_inserter(named),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return shard::system_key(shard::Kind::tenant, item_begin(name.tenant, name.type) +
                                                    std::string(as_text(keys.token(as_view(named)))));
}

std::string account_items_begin(TenantId tenant, Type type) { return item_begin(tenant, type); }

std::string account_items_end(TenantId tenant, Type type) {
  std::string end = item_begin(tenant, type);
  ++end.back();
  return end;
}

Result<> check_account_item(const AccountItem& item) {
  if (!is_name(item.name, name_max(item.type)))
    return fail(Errc::invalid_argument,
                fmt::format("a name has 1 to {} letters, digits and +=,.@_-", name_max(item.type)));
  if (!is_path(item.path)) return fail(Errc::invalid_argument, "a path begins and ends with /");
  if (item.attached.size() > attached_max || item.groups.size() > groups_max || item.keys.size() > keys_max ||
      item.tags.size() > tags_max) {
    return fail(Errc::too_large, fmt::format("at most {} attached policies, {} groups, {} keys, {} tags",
                                             attached_max, groups_max, keys_max, tags_max));
  }
  for (const AccountTag& tag : item.tags) {
    if (tag.key.empty() || tag.key.size() > tag_key_max || tag.value.size() > tag_value_max)
      return fail(Errc::invalid_argument, "a tag has a key of 1 to 128 bytes and a value of at most 256");
  }
  return check_documents(item);
}

std::string write_account_item(const AccountItem& item) {
  std::string bytes;
  Encoder out(bytes);
  out.integer(format).enumerator(item.type);
  for (const auto* text : {&item.name, &item.path, &item.id}) write_text(out, *text);
  out.integer(item.created_ms);
  for (const auto* text : {&item.document, &item.boundary}) write_text(out, *text);
  write_list(out, item.attached, write_text);
  write_list(out, item.inline_policies, [](Encoder& to, const NamedDocument& one) {
    write_text(to, one.name);
    write_text(to, one.document);
  });
  write_list(out, item.groups, write_text);
  write_list(out, item.keys, write_text);
  write_list(out, item.tags, [](Encoder& to, const AccountTag& tag) {
    write_text(to, tag.key);
    write_text(to, tag.value);
  });
  return bytes;
}

Result<AccountItem> read_account_item(View bytes) {
  Decoder in(bytes);
  if (in.integer<std::uint8_t>() != format)
    return fail(Errc::wrong_format, "an item of an account of another format");
  AccountItem item;
  const auto type = in.integer<std::uint8_t>();
  if (type < 1 || type > 4) in.reject();
  item.type = static_cast<Type>(type);
  for (auto* text : {&item.name, &item.path, &item.id}) *text = read_text(in);
  item.created_ms = in.integer<std::uint64_t>();
  for (auto* text : {&item.document, &item.boundary}) *text = read_text(in);
  item.attached = read_list<std::string>(in, read_text);
  item.inline_policies = read_list<NamedDocument>(in, [](Decoder& from) {
    NamedDocument one{.name = read_text(from), .document = {}};
    one.document = read_text(from);
    return one;
  });
  item.groups = read_list<std::string>(in, read_text);
  item.keys = read_list<std::string>(in, read_text);
  item.tags = read_list<AccountTag>(in, [](Decoder& from) {
    AccountTag tag{.key = read_text(from), .value = {}};
    tag.value = read_text(from);
    return tag;
  });
  KISEKI_TRY(in.finish("item of an account"));
  return item;
}

std::string encode_account_item(keys::KeyService& keys, const shard::Key& key, const AccountItem& item) {
  return keys.seal(as_view(context_of(key)), as_view(write_account_item(item)));
}

Result<AccountItem> decode_account_item(const keys::KeyService& keys, const shard::Key& key, View value) {
  const auto bytes = keys.open(as_view(context_of(key)), value);
  if (!bytes) return fail(bytes.error());
  return read_account_item(as_view(*bytes));
}

}  // namespace kiseki::fs::detail
