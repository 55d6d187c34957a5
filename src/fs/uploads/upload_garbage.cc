#include "fs/uploads/upload_garbage.h"

#include "fs/bodies/body_rows.h"
#include "fs/bodies/garbage.h"
#include "fs/tree/rows.h"

namespace kiseki::fs::detail {

namespace {

constexpr std::uint32_t parts_a_turn = 32;

}  // namespace

void add_upload_garbage(Tree& tree, const NamespacePtr& ns, shard::Transaction& transaction, InodeId upload,
                        std::string_view name) {
  const shard::LeafAddress leaf = own_leaf(ns->id, upload);
  const shard::Key row = shard::key(leaf, shard::Kind::garbage, shard::item_of(upload.value()));
  shard::Record record =
      garbage_record(upload, shard::EntryType::upload, {upload, leaf.leaf}, shard::Body::none);
  tree.seal_row(ns, row, record, as_view(encode(RowOwner{std::string(name), InodeId(), 0})));
  transaction.put_stamped(row, std::move(record));
}

Task<Result<>> erase_upload_entry(Tree& tree, NamespacePtr ns, InodeId upload, std::string name) {
  for (Attempts attempts;;) {
    auto directory = co_await tree.open(ns->id, uploads_tree);
    if (!directory) co_return fail(directory.error());
    auto slot = co_await tree.locate(*directory, name, NameType::object, Purpose::read);
    if (!slot) co_return fail(slot.error());
    if (!slot->record || slot->record->id != upload) co_return Result<>();
    shard::Transaction transaction = tree.begin(*slot);
    transaction.erase(slot->key);
    auto outcome = co_await tree.commit(*slot, std::move(transaction));
    if (!outcome) co_return fail(outcome.error());
    if (outcome->committed()) co_return Result<>();
    KISEKI_CO_TRY(co_await tree.recover(*slot, *outcome, attempts));
  }
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

}  // namespace kiseki::fs::detail
