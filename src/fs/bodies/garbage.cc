#include "fs/bodies/garbage.h"

#include "base/codec.h"
#include "base/planted.h"
#include "fs/bodies/body_rows.h"
#include "fs/names/sealer.h"
#include "fs/tree/rows.h"

namespace kiseki::fs::detail {

namespace {

constexpr std::uint8_t owner_format = 1;
constexpr std::uint32_t rows_a_turn = 256;

/// Where one commit of one shard reaches both: in the leaf of the entry, or in another that the shard has.
bool is_at_hand(Tree& tree, const EntrySlot& slot) {
  const shard::LeafAddress home{slot.key.leaf.ns, slot.record->home.container, slot.record->home.leaf};
  return home == slot.key.leaf || tree.services().client->are_together(home, slot.key.leaf);
}

/// Every leaf up to the end of a body holds a page, so the first one without is beyond the end. Zero: no
/// page.
Task<Result<std::uint32_t>> last_page_leaf(Tree& tree, NamespaceId ns, InodeId file) {
  for (std::uint32_t leaf = 1;; ++leaf) {
    auto pages = co_await scan_rows(tree, {{ns, file, LeafId{leaf}}, shard::Kind::map_page, {}, 1});
    if (!pages) co_return fail(pages.error());
    if (pages->rows.empty()) co_return leaf - 1;
  }
}

}  // namespace

shard::Record garbage_record(InodeId id, shard::EntryType type, shard::Home home, shard::Body body) {
  shard::Record record;
  record.id = id;
  record.type = type;
  record.home = home;
  record.body = body;
  return record;
}

void add_garbage(shard::Transaction& transaction, shard::LeafAddress leaf, InodeId file, shard::Home home,
                 shard::Body body) {
  transaction.put_stamped(shard::key(leaf, shard::Kind::garbage, shard::item_of(file.value())),
                          garbage_record(file, shard::EntryType::object, home, body));
}

void free_body(Tree& tree, shard::Transaction& transaction, const EntrySlot& slot) {
  const shard::Record& old = *slot.record;
  const bool has_rows = old.body == shard::Body::inline_row || old.body == shard::Body::pages;
  if (!has_rows) return;
  if (old.body == shard::Body::inline_row && is_at_hand(tree, slot)) {
    transaction.erase(inline_key(slot.directory.ns->id, old.home, old.id));
    return;
  }
  if (KISEKI_PLANTED("3.2 no garbage row")) return;
  add_garbage(transaction, slot.key.leaf, old.id, old.home, old.body);
}

Task<Result<>> free_rows(Tree& tree, shard::Transaction& transaction, const EntrySlot& slot) {
  const shard::Record& old = *slot.record;
  const NamespaceId ns = slot.directory.ns->id;
  if (old.body == shard::Body::inline_row) transaction.erase(inline_key(ns, old.home, old.id));
  if (old.body != shard::Body::pages) co_return Result<>();
  auto last = co_await last_page_leaf(tree, ns, old.id);
  if (!last) co_return fail(last.error());
  for (std::uint32_t leaf = 1; leaf <= *last; ++leaf) {
    std::string from;
    for (bool more = true; more;) {
      auto pages = co_await scan_rows(tree, {{ns, old.id, LeafId{leaf}}, shard::Kind::map_page, from});
      if (!pages) co_return fail(pages.error());
      more = pages->more;
      if (more) from = pages->rows.back().key.item + '\0';
      for (shard::Row& page : pages->rows) transaction.erase(std::move(page.key));
    }
  }
  co_return Result<>();
}

shard::Record pending_record(InodeId id, shard::EntryType type) {
  const auto body = type == shard::EntryType::object ? shard::Body::pages : shard::Body::none;
  return garbage_record(id, type, {id, LeafId{0}}, body);
}

std::string encode(const RowOwner& owner) {
  std::string value;
  Encoder(value)
      .integer(owner_format)
      .id(owner.upload)
      .integer(owner.part)
      .integer(static_cast<std::uint16_t>(owner.name.size()))
      .raw(as_view(owner.name));
  return value;
}

Result<RowOwner> open_owner(const NamespaceContext& ns, const shard::Row& row) {
  const auto value = unseal(*ns.keys, row.key, row.record);
  if (!value) return fail(value.error());
  Decoder in(as_view(*value));
  if (in.integer<std::uint8_t>() != owner_format) return fail(Errc::wrong_format, "pending row");
  RowOwner owner;
  owner.upload = in.id<InodeId>();
  owner.part = in.integer<std::uint32_t>();
  owner.name = as_text(in.raw(in.integer<std::uint16_t>()));
  KISEKI_TRY(in.finish("pending row"));
  return owner;
}

/// From the last leaf down, so that after a crash the leaves that are left are still found from the first on.
Task<Result<>> erase_pages(Tree& tree, NamespacePtr ns, InodeId file) {
  auto last = co_await last_page_leaf(tree, ns->id, file);
  if (!last) co_return fail(last.error());
  for (std::uint32_t leaf = *last; leaf > 0; --leaf) {
    for (bool more = true; more;) {
      auto pages =
          co_await scan_rows(tree, {{ns->id, file, LeafId{leaf}}, shard::Kind::map_page, {}, rows_a_turn});
      if (!pages) co_return fail(pages.error());
      more = pages->more;
      std::vector<shard::Key> rows;
      for (shard::Row& page : pages->rows) rows.push_back(std::move(page.key));
      if (!rows.empty()) KISEKI_CO_TRY(co_await erase_rows(tree, ns, std::move(rows)));
    }
  }
  co_return Result<>();
}

}  // namespace kiseki::fs::detail
