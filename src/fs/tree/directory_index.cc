#include "fs/tree/directory_index.h"

#include "base/codec.h"

namespace kiseki::fs::detail {

namespace {

constexpr int loads_max = 64, updates_max = 8;

shard::Key page_key(const Directory& directory, std::uint64_t number) {
  std::string item;
  Encoder(item).integer(static_cast<std::uint8_t>(number == IndexTree::root ? 0 : 1)).integer(number);
  return shard::key(directory.leaf(LeafId{}), shard::Kind::index_page, std::move(item));
}

void learn(DirectoryState& state, const IndexPage& page) {
  if (page.height != 0) return;
  for (const auto& [separator, child] : page.children) {
    state.learn(separator, LeafId(static_cast<std::uint32_t>(child)));
  }
}

}  // namespace

Task<Result<>> DirectoryIndex::load(Directory directory, IndexTree& tree, std::uint64_t number) {
  const shard::Key key = page_key(directory, number);
  const auto reply = co_await core_.read({key});
  if (!reply) co_return fail(reply.error());
  const auto& record = reply->gets[0].record;
  if (!record && number != IndexTree::root) co_return fail(Errc::stale, "the index changed meanwhile");
  if (!record) {
    tree.load(number, {}, {});
    co_return Result<>{};
  }
  const auto value = unseal(*directory.ns->keys, key, *record);
  if (!value) co_return fail(value.error());
  auto page = IndexPage::decode(as_view(*value));
  if (!page) co_return fail(std::move(page).error());
  learn(*directory.state, *page);
  tree.load(number, std::move(*page), record->version);
  co_return Result<>{};
}

Task<Result<std::optional<DirectoryIndex::Route>>> DirectoryIndex::find(Directory directory, std::string key,
                                                                        Bound bound) {
  IndexTree tree(core_.limits.index_page_max);
  for (int loads = 0; loads < loads_max; ++loads) {
    const auto found = bound == Bound::inclusive ? tree.floor(key) : tree.below(key);
    if (found.leaf) co_return Route{found.separator, *found.leaf};
    if (!found.missing) co_return std::nullopt;
    const auto loaded = co_await load(directory, tree, *found.missing);
    if (!loaded && loaded.error().code() == Errc::stale) co_return std::nullopt;
    if (!loaded) co_return fail(loaded.error());
  }
  co_return std::nullopt;
}

Task<Result<std::optional<DirectoryIndex::Route>>> DirectoryIndex::floor(Directory directory,
                                                                         std::string key) {
  return find(std::move(directory), std::move(key), Bound::inclusive);
}

Task<Result<std::optional<DirectoryIndex::Route>>> DirectoryIndex::below(Directory directory,
                                                                         std::string key) {
  return find(std::move(directory), std::move(key), Bound::exclusive);
}

Task<Result<>> DirectoryIndex::apply(Directory directory, IndexTree& tree, Change change) {
  while (const auto missing = tree.missing_for(change.route.separator)) {
    KISEKI_CO_TRY(co_await load(directory, tree, *missing));
  }
  if (change.type == Change::Type::remove) {
    tree.erase(change.route.separator, change.route.leaf);
  } else {
    tree.insert(change.route.separator, change.route.leaf, [this] { return core_.rng().next() | 1; });
  }
  co_return Result<>{};
}

/// The root is written with every change: its version stands for the whole index, so that changes come one
/// after the other and a removal of the directory misses no page.
shard::Transaction DirectoryIndex::write(const Directory& directory, const IndexTree& tree) {
  using enum shard::Assert::Type;
  auto transaction = core_.begin(directory.ns);
  transaction.require(exists, header_key(directory.ns->id, directory.id));
  for (const auto& [number, node] : tree.nodes()) {
    if (!node.changed && number != IndexTree::root) continue;
    if (node.erased && node.version.is_none()) continue;
    const shard::Key key = page_key(directory, number);
    transaction.require(node.version.is_none() ? absent : version, key, node.version);
    if (node.erased) {
      transaction.erase(key);
      continue;
    }
    shard::Record record;
    record.account = directory.ns->id.value();
    seal(core_.rng(), *directory.ns->keys, key, record, as_view(node.page.encode()));
    transaction.put(key, std::move(record));
  }
  return transaction;
}

Task<Result<>> DirectoryIndex::update(Directory directory, std::vector<Change> changes) {
  for (int attempt = 0; attempt < updates_max; ++attempt) {
    IndexTree tree(core_.limits.index_page_max);
    Result<> applied;
    for (std::size_t i = 0; i < changes.size() && applied; ++i) {
      applied = co_await apply(directory, tree, changes[i]);
    }
    if (!applied && applied.error().code() == Errc::stale) continue;
    if (!applied) co_return applied;
    if (!tree.changed()) co_return Result<>{};
    const auto outcome = co_await core_.client().commit(write(directory, tree));
    if (!outcome) co_return fail(outcome.error());
    if (outcome->committed()) co_return Result<>{};
    if (outcome->refusal == shard::Refusal::missing) co_return fail(Errc::stale, "the directory has gone");
  }
  co_return fail(Errc::conflict, "the index kept changing");
}

Task<> DirectoryIndex::mend_now(TreeCore& core, Directory directory, std::vector<Change> changes) {
  (void)co_await DirectoryIndex(core).update(directory, std::move(changes));
  directory.state->mending = false;
}

void DirectoryIndex::mend(Directory directory, std::vector<Change> changes) {
  if (directory.state->mending || core_.background.stopping()) return;
  directory.state->mending = true;
  core_.background.spawn(mend_now(core_, std::move(directory), std::move(changes)));
}

Task<Result<>> DirectoryIndex::erase_all(Directory directory, shard::Transaction& transaction) {
  using enum shard::Assert::Type;
  shard::ReadRequest request;
  request.scans.push_back(
      {.leaf = directory.leaf(LeafId{}), .kind = shard::Kind::index_page, .from = {}, .rows_max = 4096});
  const auto reply = co_await core_.client().read(std::move(request));
  if (!reply) co_return fail(reply.error());
  if (reply->scans[0].more) co_return fail(Errc::too_large, "an index of a removed directory is too large");
  const shard::Key root = page_key(directory, IndexTree::root);
  Stamp root_version;
  for (const auto& row : reply->scans[0].rows) {
    if (row.key == root) root_version = row.record.version;
    transaction.erase(row.key);
  }
  transaction.require(root_version.is_none() ? absent : version, root, root_version);
  co_return Result<>{};
}

}  // namespace kiseki::fs::detail
