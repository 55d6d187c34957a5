#include "fs/bodies/body_rows.h"
#include "fs/bodies/garbage.h"
#include "fs/sweeping/sweep_rows.h"
#include "fs/tree/rows.h"
#include "fs/uploads/upload_garbage.h"
#include "fs/uploads/upload_rows.h"

namespace kiseki::fs::detail {

namespace {

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
Task<Result<NamespacePtr>> namespace_of(Tree& tree, const shard::Row& row) {
  auto ns = co_await tree.namespaces().get(row.key.leaf.ns);
  if (!ns && ns.error().code() == Errc::not_found) co_return NamespacePtr();
  co_return ns;
}

}  // namespace

Task<Result<>> sweep_garbage(Tree& tree, shard::Row row) {
  auto ns = co_await namespace_of(tree, row);
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
  auto ns = co_await namespace_of(tree, row);
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
