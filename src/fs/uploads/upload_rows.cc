#include "fs/uploads/upload_rows.h"

#include <charconv>

#include "base/codec.h"
#include "fs/bodies/body_rows.h"
#include "fs/names/sealer.h"

namespace kiseki::fs::detail {

namespace {

constexpr std::uint8_t upload_format = 1;
constexpr std::size_t name_size = 32;

}  // namespace

std::string Upload::name() const { return fmt::format("{:016x}{:016x}", id.value(), random); }
std::string Upload::entry_name() const { return upload_entry_name(key, name()); }

std::string upload_entry_name(std::string_view key, std::string_view upload) {
  std::string name(key);
  name += '\0';
  name += upload;
  return name;
}

Result<UploadEntryName> split_upload_entry_name(std::string_view name) {
  if (name.size() < name_size + 1) return fail(Errc::corrupted, "name of an upload's entry");
  const std::size_t key_size = name.size() - name_size - 1;
  return UploadEntryName{std::string(name.substr(0, key_size)), std::string(name.substr(key_size + 1))};
}

std::optional<InodeId> upload_id_of(std::string_view name) {
  if (name.size() != name_size) return std::nullopt;
  std::uint64_t id = 0;
  const char* end = name.data() + 16;
  const auto parsed = std::from_chars(name.data(), end, id, 16);
  if (parsed.ec != std::errc() || parsed.ptr != end || id == 0) return std::nullopt;
  return InodeId(id);
}

shard::Key upload_key(NamespaceId ns, InodeId upload) {
  return shard::key(own_leaf(ns, upload), shard::Kind::upload, shard::item_of(upload.value()));
}

shard::Key part_key(NamespaceId ns, InodeId upload, std::uint32_t number) {
  std::string item;
  Encoder(item).id(upload).integer(number);
  return shard::key(own_leaf(ns, upload), shard::Kind::part, std::move(item));
}

std::uint32_t part_number(const shard::Key& key) {
  Decoder in(as_view(key.item));
  in.integer<std::uint64_t>();
  return in.integer<std::uint32_t>();
}

shard::Record make_upload_row(Tree& tree, const Upload& upload) {
  shard::Record record;
  record.id = upload.id;
  record.home = {upload.id, LeafId{0}};
  record.type = shard::EntryType::upload;
  std::string value;
  Encoder(value)
      .integer(upload_format)
      .enumerator(upload.state)
      .integer(upload.random)
      .integer(upload.created_ms)
      .integer(static_cast<std::uint16_t>(upload.key.size()))
      .raw(as_view(upload.key));
  tree.seal_row(upload.ns, upload_key(upload.ns->id, upload.id), record, as_view(value));
  return record;
}

Result<Upload> open_upload_row(NamespacePtr ns, InodeId id, const shard::Record& record) {
  auto value = unseal(*ns->keys, upload_key(ns->id, id), record);
  if (!value) return fail(std::move(value).error().in("upload row"));
  Decoder in(as_view(*value));
  if (in.integer<std::uint8_t>() != upload_format) return fail(Errc::wrong_format, "upload row");
  Upload upload;
  const auto state = in.integer<std::uint8_t>();
  if (state != 1 && state != 2) in.reject();
  upload.state = static_cast<UploadState>(state);
  upload.random = in.integer<std::uint64_t>();
  upload.created_ms = in.integer<std::uint64_t>();
  upload.key = as_text(in.raw(in.integer<std::uint16_t>()));
  KISEKI_TRY(in.finish("upload row"));
  upload.ns = std::move(ns);
  upload.id = id;
  upload.version = record.version;
  return upload;
}

Task<Result<UploadRead>> read_upload(Tree& tree, NamespaceId ns, std::string key, std::string name,
                                     std::vector<shard::Key> others) {
  auto context = co_await tree.namespaces().get(ns);
  if (!context) co_return fail(context.error());
  const auto id = upload_id_of(name);
  if (!id) co_return fail(Errc::not_found, "there is no such upload");
  shard::ReadRequest request;
  request.gets.push_back(shard::Get{upload_key(ns, *id)});
  for (shard::Key& other : others) request.gets.push_back(shard::Get{std::move(other)});
  auto reply = co_await tree.services().client->read(std::move(request));
  if (!reply) co_return fail(reply.error());
  const auto& row = reply->gets.front().record;
  if (!row) co_return fail(Errc::not_found, "there is no such upload");
  auto upload = open_upload_row(*context, *id, *row);
  if (!upload) co_return fail(upload.error());
  if (upload->key != key || upload->name() != name)
    co_return fail(Errc::not_found, "there is no such upload");
  UploadRead read{*std::move(upload), {}};
  for (std::size_t i = 1; i < reply->gets.size(); ++i) {
    read.others.push_back(std::move(reply->gets[i].record));
  }
  co_return std::move(read);
}

}  // namespace kiseki::fs::detail
