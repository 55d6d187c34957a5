#include "fs/detail/garbage.h"

#include "base/codec.h"
#include "base/planted.h"
#include "fs/detail/rows.h"
#include "fs/detail/sealer.h"
#include "fs/detail/upload_rows.h"

namespace kiseki::fs::detail {

namespace {

constexpr std::uint8_t owner_format = 1;
constexpr std::uint32_t rows_a_turn = 256;
constexpr std::uint32_t parts_a_turn = 32;

bool is_in_same_leaf(const Place& place) {
  const shard::Home& home = place.record->home;
  return home.container == place.directory.id && home.leaf == place.key.leaf.leaf;
}

shard::Record garbage_record(InodeId id, shard::EntryType type, shard::Home home, shard::Body body) {
  shard::Record record;
  record.id = id;
  record.type = type;
  record.home = home;
  record.body = body;
  return record;
}

Task<Result<>> erase_rows(Tree& tree, NamespacePtr ns, std::vector<shard::Key> rows) {
  shard::Transaction transaction = tree.begin(ns);
  for (shard::Key& row : rows) transaction.erase(std::move(row));
  auto outcome = co_await commit_rows(tree, std::move(ns), std::move(transaction));
  if (!outcome) co_return fail(outcome.error());
  co_return Result<>();
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

Task<Result<>> erase_parts(Tree& tree, NamespacePtr ns, InodeId upload) {
  for (bool more = true; more;) {
    auto parts = co_await scan_rows(tree, {own_leaf(ns->id, upload), shard::Kind::part, {}, parts_a_turn});
    if (!parts) co_return fail(parts.error());
    more = parts->more;
    std::vector<shard::Key> rows;
    for (shard::Row& part : parts->rows) {
      if (part.record.body == shard::Body::pages) {
        KISEKI_CO_TRY(co_await erase_pages(tree, ns, part.record.id));
      }
      rows.push_back(std::move(part.key));
    }
    if (!rows.empty()) KISEKI_CO_TRY(co_await erase_rows(tree, ns, std::move(rows)));
  }
  co_return Result<>();
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

/// Whether something names the body. The commit that names an object's erases the pending row, and none of
/// its session can follow: where the row stands now, nothing ever will.
Task<Result<bool>> is_named(Tree& tree, const shard::Row& row, const RowOwner& owner) {
  auto found = owner.upload.is_none()
                   ? co_await read_row(tree, row.key)
                   : co_await read_row(tree, part_key(row.key.leaf.ns, owner.upload, owner.part));
  if (!found) co_return fail(found.error());
  if (owner.upload.is_none()) co_return !*found;
  co_return *found && (*found)->id == row.record.id;
}

/// The upload's own row is gone and its completion died before it wrote the garbage row: that is done here.
Task<Result<>> sweep_pending_upload(Tree& tree, NamespacePtr ns, shard::Row row, RowOwner owner) {
  const InodeId id = row.record.id;
  const auto upload = co_await read_row(tree, upload_key(ns->id, id));
  if (!upload) co_return fail(upload.error());
  shard::Transaction transaction = tree.begin(ns);
  transaction.erase(std::move(row.key));
  if (!*upload) add_upload_garbage(tree, ns, transaction, id, owner.name);
  const auto outcome = co_await commit_rows(tree, std::move(ns), std::move(transaction));
  if (!outcome) co_return fail(outcome.error());
  co_return Result<>();
}

/// Null when the namespace is gone: nothing of it can be written, and its deletion has taken the rows.
Task<Result<NamespacePtr>> space_of(Tree& tree, const shard::Row& row) {
  auto ns = co_await tree.namespaces().get(row.key.leaf.ns);
  if (!ns && ns.error().code() == Errc::not_found) co_return NamespacePtr();
  co_return ns;
}

}  // namespace

void add_garbage(shard::Transaction& transaction, shard::LeafAddress leaf, InodeId file, shard::Home home,
                 shard::Body body) {
  transaction.put_stamped(shard::key(leaf, shard::Kind::garbage, shard::item_of(file.value())),
                          garbage_record(file, shard::EntryType::object, home, body));
}

void add_upload_garbage(Tree& tree, const NamespacePtr& ns, shard::Transaction& transaction, InodeId upload,
                        std::string_view name) {
  const shard::LeafAddress leaf = own_leaf(ns->id, upload);
  const shard::Key row = shard::key(leaf, shard::Kind::garbage, shard::item_of(upload.value()));
  shard::Record record =
      garbage_record(upload, shard::EntryType::upload, {upload, leaf.leaf}, shard::Body::none);
  tree.seal_row(ns, row, record, as_view(encode(RowOwner{std::string(name), InodeId(), 0})));
  transaction.put_stamped(row, std::move(record));
}

void free_body(shard::Transaction& transaction, const Place& place) {
  const shard::Record& old = *place.record;
  const bool has_rows = old.body == shard::Body::inline_row || old.body == shard::Body::pages;
  if (!has_rows) return;
  if (old.body == shard::Body::inline_row && is_in_same_leaf(place)) {
    transaction.erase(inline_key(place.directory.ns->id, old.home, old.id));
    return;
  }
  if (KISEKI_PLANTED("3.2 no garbage row")) return;
  add_garbage(transaction, place.key.leaf, old.id, old.home, old.body);
}

Task<Result<>> free_rows(Tree& tree, shard::Transaction& transaction, const Place& place) {
  const shard::Record& old = *place.record;
  const NamespaceId ns = place.directory.ns->id;
  if (old.body == shard::Body::inline_row) transaction.erase(inline_key(ns, old.home, old.id));
  if (old.body != shard::Body::pages) co_return Result<>();
  auto last = co_await last_page_leaf(tree, ns, old.id);
  if (!last) co_return fail(last.error());
  for (std::uint32_t leaf = 1; leaf <= *last; ++leaf) {
    auto pages = co_await scan_rows(tree, {{ns, old.id, LeafId{leaf}}, shard::Kind::map_page, {}});
    if (!pages) co_return fail(pages.error());
    for (shard::Row& page : pages->rows) transaction.erase(std::move(page.key));
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

Task<Result<>> erase_upload_entry(Tree& tree, NamespacePtr ns, InodeId upload, std::string name) {
  for (Attempts attempts;;) {
    auto directory = co_await tree.open(ns->id, uploads_tree);
    if (!directory) co_return fail(directory.error());
    auto place = co_await tree.locate(*directory, name, NameType::object, Purpose::read);
    if (!place) co_return fail(place.error());
    if (!place->record || place->record->id != upload) co_return Result<>();
    shard::Transaction transaction = tree.begin(*place);
    transaction.erase(place->key);
    auto outcome = co_await tree.commit(*place, std::move(transaction));
    if (!outcome) co_return fail(outcome.error());
    if (outcome->committed()) co_return Result<>();
    KISEKI_CO_TRY(co_await tree.recover(*place, *outcome, attempts));
  }
}

Task<Result<>> sweep_garbage(Tree& tree, shard::Row row) {
  auto ns = co_await space_of(tree, row);
  if (!ns) co_return fail(ns.error());
  if (!*ns) co_return Result<>();
  const InodeId id = row.record.id;
  if (row.record.type == shard::EntryType::upload) {
    auto owner = open_owner(**ns, row);
    if (!owner) co_return fail(owner.error());
    KISEKI_CO_TRY(co_await erase_upload_entry(tree, *ns, id, std::move(owner->name)));
    KISEKI_CO_TRY(co_await erase_parts(tree, *ns, id));
  } else if (row.record.body == shard::Body::pages) {
    KISEKI_CO_TRY(co_await erase_pages(tree, *ns, id));
  } else {
    KISEKI_CO_TRY(co_await erase_rows(tree, *ns, {inline_key((*ns)->id, row.record.home, id)}));
  }
  co_return co_await erase_rows(tree, *ns, {row.key});
}

Task<Result<>> sweep_pending(Tree& tree, shard::Row row) {
  auto ns = co_await space_of(tree, row);
  if (!ns) co_return fail(ns.error());
  if (!*ns) co_return Result<>();
  auto owner = open_owner(**ns, row);
  if (!owner) co_return fail(owner.error());
  if (row.record.type == shard::EntryType::upload) {
    co_return co_await sweep_pending_upload(tree, *ns, std::move(row), *std::move(owner));
  }
  const auto named = co_await is_named(tree, row, *owner);
  if (!named) co_return fail(named.error());
  if (!*named) KISEKI_CO_TRY(co_await erase_pages(tree, *ns, row.record.id));
  co_return co_await erase_rows(tree, *ns, {row.key});
}

}  // namespace kiseki::fs::detail
