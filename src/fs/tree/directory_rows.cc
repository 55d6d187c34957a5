#include "fs/tree/directory_rows.h"

#include "base/assert.h"
#include "base/codec.h"

namespace kiseki::fs::detail {

namespace {

constexpr std::uint8_t format = 1;
constexpr std::uint8_t flag_bounded = 1, flag_frozen = 2;
constexpr std::size_t name_max = 4096;

Result<Decoder> begin(const std::string& bytes) {
  Decoder in(as_view(bytes));
  const auto found = in.integer<std::uint8_t>();
  if (!in.failed() && found != format) return fail(Errc::wrong_format, "a directory's row of another format");
  return in;
}

std::string text(View view) { return std::string(as_text(view)); }

}  // namespace

shard::Key header_key(NamespaceId ns, InodeId directory) {
  return shard::key({ns, directory, LeafId{}}, shard::Kind::header);
}
shard::Key guard_key(const shard::LeafAddress& leaf) { return shard::key(leaf, shard::Kind::guard); }
shard::Key tombstone_key(const shard::LeafAddress& leaf) { return shard::key(leaf, shard::Kind::tombstone); }
shard::Key entry_key(const shard::LeafAddress& leaf, const shard::Token& token) {
  return shard::key(leaf, shard::Kind::entry, item_of(token));
}
shard::Key pending_key(const shard::LeafAddress& leaf, SessionId session) {
  return shard::key(leaf, shard::Kind::pending, shard::item_of(session.value()));
}
shard::Key feed_key(const shard::LeafAddress& leaf, shard::Event event) {
  return shard::key(leaf, shard::Kind::feed, std::string(1, static_cast<char>(event)));
}

Result<Header> open_header(const NamespaceContext& ns, InodeId directory, const shard::Record& record) {
  const auto value = unseal(*ns.keys, header_key(ns.id, directory), record);
  if (!value) return fail(value.error());
  auto in = begin(*value);
  if (!in) return fail(std::move(in).error());
  const View name_key = in->raw(crypto::Key256::size);
  std::string name = text(in->sized());
  KISEKI_TRY(in->finish("directory header"));
  if (!record.link) return fail(Errc::corrupted, "a directory header without its link");
  auto key = crypto::Key256::copy_of(name_key);
  if (!key) return fail(std::move(key).error());
  return Header{std::move(*key), std::move(name), *record.link, record.version};
}

shard::Record make_header(Rng& rng, const NamespaceContext& ns, InodeId directory, const Header& header) {
  shard::Record record;
  record.account = ns.id.value();
  record.id = directory;
  record.type = shard::EntryType::directory;
  record.link = header.link;
  std::string value;
  Encoder(value).integer(format).raw(header.name_key.view()).sized(as_view(header.name));
  seal(rng, *ns.keys, header_key(ns.id, directory), record, as_view(value));
  crypto::wipe(std::as_writable_bytes(std::span(value)));
  return record;
}

Result<Guard> open_guard(const NamespaceContext& ns, const shard::LeafAddress& leaf,
                         const shard::Record& record) {
  const auto value = unseal(*ns.keys, guard_key(leaf), record);
  if (!value) return fail(value.error());
  auto in = begin(*value);
  if (!in) return fail(std::move(in).error());
  const auto flags = in->integer<std::uint8_t>();
  Guard guard;
  guard.low = text(in->sized());
  std::string high = text(in->sized());
  KISEKI_TRY(in->finish("guard"));
  if (!record.guard) return fail(Errc::corrupted, "a guard without its link");
  if ((flags & flag_bounded) != 0) guard.high = std::move(high);
  guard.frozen = (flags & flag_frozen) != 0;
  guard.origin = record.guard->origin;
  guard.right = record.guard->right;
  guard.generation = record.version;
  if (guard.high.has_value() == guard.right.is_none()) {
    return fail(Errc::corrupted, "a guard's fence and sibling disagree");
  }
  return guard;
}

shard::Record make_guard(Rng& rng, const NamespaceContext& ns, const shard::LeafAddress& leaf,
                         const Guard& guard) {
  shard::Record record;
  record.account = ns.id.value();
  record.guard = shard::GuardLink{.birth = Stamp{}, .origin = guard.origin, .right = guard.right};
  std::string value;
  const auto flags =
      static_cast<std::uint8_t>((guard.high ? flag_bounded : 0) | (guard.frozen ? flag_frozen : 0));
  Encoder(value)
      .integer(format)
      .integer(flags)
      .sized(as_view(guard.low))
      .sized(as_view(guard.high.value_or("")));
  seal(rng, *ns.keys, guard_key(leaf), record, as_view(value));
  return record;
}

Result<Tombstone> open_tombstone(const NamespaceContext& ns, const shard::LeafAddress& leaf,
                                 const shard::Record& record) {
  const auto value = unseal(*ns.keys, tombstone_key(leaf), record);
  if (!value) return fail(value.error());
  auto in = begin(*value);
  if (!in) return fail(std::move(in).error());
  const auto dropped = in->id<LeafId>();
  Tombstone tombstone;
  tombstone.left = in->id<LeafId>();
  tombstone.right = in->id<LeafId>();
  KISEKI_TRY(in->finish("tombstone"));
  if (dropped != leaf.leaf) return fail(Errc::corrupted, "a tombstone of another leaf");
  return tombstone;
}

shard::Record make_tombstone(Rng& rng, const NamespaceContext& ns, const shard::LeafAddress& leaf,
                             const Tombstone& tombstone) {
  shard::Record record;
  record.account = ns.id.value();
  std::string value;
  Encoder(value).integer(format).id(leaf.leaf).id(tombstone.left).id(tombstone.right);
  seal(rng, *ns.keys, tombstone_key(leaf), record, as_view(value));
  return record;
}

std::string encode_entry(std::string_view name, std::string_view rest) {
  KISEKI_ASSERT(name.size() <= name_max);
  std::string out;
  Encoder(out).integer(format).sized(as_view(name)).raw(as_view(rest));
  return out;
}

Result<EntryValue> decode_entry(std::string bytes) {
  Decoder in(as_view(bytes));
  const auto found = in.integer<std::uint8_t>();
  if (!in.failed() && found != format) return fail(Errc::wrong_format, "an entry of another format");
  EntryValue value;
  value.name = text(in.sized());
  const std::size_t rest = in.remaining();
  if (in.failed() || value.name.size() > name_max) return fail(Errc::corrupted, "an entry");
  bytes.erase(0, bytes.size() - rest);
  value.rest = std::move(bytes);
  return value;
}

Result<std::string> open_entry(const NamespaceContext& ns, const shard::Key& key, const shard::Record& record,
                               std::string_view name) {
  auto bytes = unseal(*ns.keys, key, record);
  if (!bytes) return bytes;
  Decoder in(as_view(*bytes));
  const auto found = in.integer<std::uint8_t>();
  if (!in.failed() && found != format) return fail(Errc::wrong_format, "an entry of another format");
  const bool same = as_text(in.sized()) == name;
  const std::size_t rest = in.remaining();
  if (in.failed() || !same) return fail(Errc::corrupted, "an entry under another name's token");
  bytes->erase(0, bytes->size() - rest);
  return bytes;
}

}  // namespace kiseki::fs::detail
