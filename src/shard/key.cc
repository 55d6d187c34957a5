#include "shard/key.h"

#include "base/assert.h"
#include "base/codec.h"
#include "crypto/hash.h"

namespace kiseki::shard {

namespace {

constexpr std::uint8_t first_scanned = 0x20, last_scanned = 0x25;

std::string address_bytes(const LeafAddress& leaf) {
  std::string bytes;
  Encoder(bytes).id(leaf.ns).id(leaf.container).id(leaf.leaf);
  return bytes;
}

LeafAddress decode_address(Decoder& in) {
  const auto ns = in.id<NamespaceId>();
  const auto container = in.id<InodeId>();
  const auto leaf = in.id<LeafId>();
  return {ns, container, leaf};
}

}  // namespace

Slot slot_of(const LeafAddress& address) {
  if (address.ns.is_none()) return 0;
  // A transaction names few leaves many times; the hash costs more than all else in a key.
  thread_local std::array<std::pair<LeafAddress, Slot>, 64> recent{};
  auto& [known, slot] =
      recent[(address.container.value() * 31 + address.leaf.value() + address.ns.value()) % recent.size()];
  if (slot == 0 || known != address) {
    const std::string bytes = address_bytes(address);
    const auto digest = crypto::sha256(as_view(bytes));
    Decoder in(View(digest).first(8));
    known = address;
    slot = static_cast<Slot>(1 + in.integer<std::uint64_t>() % 65535);
  }
  return slot;
}

bool is_scanned(Kind kind) noexcept {
  return static_cast<std::uint8_t>(kind) >= first_scanned && static_cast<std::uint8_t>(kind) <= last_scanned;
}

bool is_stamped(Kind kind) noexcept {
  return kind == Kind::slice || kind == Kind::cut || kind == Kind::version;
}

bool is_known(std::uint8_t kind) noexcept {
  return (kind >= 0x01 && kind <= 0x15) || (kind >= first_scanned && kind <= last_scanned) ||
         (kind >= 0x30 && kind <= 0x38) || kind == 0x3f;
}

std::string Key::encode() const {
  KISEKI_ASSERT(item.size() <= item_max && leaf.ns.value() < namespace_end);
  std::string bytes;
  bytes.reserve(31 + item.size());
  Encoder out(bytes);
  out.integer(slot_of(leaf));
  if (is_scanned(kind)) {
    out.enumerator(kind).id(stamp).id(leaf.ns).id(leaf.container).id(leaf.leaf).raw(as_view(item));
    return bytes;
  }
  out.id(leaf.ns).id(leaf.container).id(leaf.leaf).enumerator(kind).raw(as_view(item));
  if (is_stamped(kind)) out.id(stamp);
  return bytes;
}

Result<Key> Key::decode(View bytes) {
  Decoder in(bytes);
  Key key;
  const auto slot = in.integer<Slot>();
  // The first byte of a namespace is zero, so a scanned kind in its place tells the two forms apart.
  const bool scanned = bytes.size() > sizeof(Slot) && bytes[sizeof(Slot)] != std::byte{0};
  std::uint8_t kind = 0;
  if (scanned) {
    kind = in.integer<std::uint8_t>();
    key.stamp = in.id<Stamp>();
    key.leaf = decode_address(in);
  } else {
    key.leaf = decode_address(in);
    kind = in.integer<std::uint8_t>();
  }
  key.kind = static_cast<Kind>(kind);
  const bool ends_with_stamp = !scanned && is_stamped(key.kind);
  if (ends_with_stamp && in.remaining() < sizeof(std::uint64_t)) in.reject();
  key.item = as_text(in.raw(in.remaining() - (ends_with_stamp && !in.failed() ? sizeof(std::uint64_t) : 0)));
  if (ends_with_stamp) key.stamp = in.id<Stamp>();
  const bool possible = is_known(kind) && is_scanned(key.kind) == scanned && key.item.size() <= item_max &&
                        key.leaf.ns.value() < namespace_end && slot_of(key.leaf) == slot;
  if (!possible) in.reject();
  KISEKI_TRY(in.finish("key"));
  return key;
}

Key key(const LeafAddress& leaf, Kind kind, std::string item) {
  return Key{.leaf = leaf, .kind = kind, .item = std::move(item), .stamp = {}};
}

std::string item_of(std::uint64_t number) {
  std::string item;
  Encoder(item).integer(number);
  return item;
}

Key lock_key(const LeafAddress& home, InodeId file, SessionId holder) {
  std::string item;
  Encoder(item).id(file).id(holder);
  return key(home, Kind::lock, std::move(item));
}

std::optional<SessionId> lock_holder(const Key& row) {
  if (row.kind != Kind::lock) return std::nullopt;
  Decoder in(as_view(row.item));
  in.id<InodeId>();
  const auto holder = in.id<SessionId>();
  if (!in.finish("lock") || holder.is_none()) return std::nullopt;
  return holder;
}

Key system_key(Kind kind, std::string item) { return key(LeafAddress{}, kind, std::move(item)); }

}  // namespace kiseki::shard
