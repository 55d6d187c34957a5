#include "fs/tree/tree.h"

#include "base/planted.h"
#include "fs/tree/finder.h"
#include "fs/tree/leaf_reader.h"
#include "fs/tree/measure.h"
#include "fs/tree/remover.h"

namespace kiseki::fs::detail {

namespace {

using enum shard::Assert::Type;

constexpr Duration wait_first = std::chrono::microseconds(500);
constexpr std::uint32_t doublings_max = 6;

/// After a guess that was wrong.
constexpr std::uint32_t creates_that_read = 16;

/// A place where nothing is, as far as is remembered. Whether the leaf is still so and still covers the name,
/// its generation tells.
std::optional<EntrySlot> guess(const Directory& directory, const std::string& name, NameType type) {
  auto& state = *directory.state;
  if (state.reads_first > 0) {
    --state.reads_first;
    return std::nullopt;
  }
  const auto sort = sort_key(name, type);
  const LeafId leaf = state.route(sort);
  const Guard* guard = state.guard(leaf);
  if (guard == nullptr || guard->frozen || !guard->covers(sort)) return std::nullopt;
  EntrySlot slot;
  slot.directory = directory;
  slot.name = name;
  slot.type = type;
  slot.key = entry_key(directory.leaf(leaf), token_of(state.name_key, name, type));
  slot.generation = guard->generation;
  return slot;
}

Error gone() { return Error(Errc::not_found, "the directory has gone"); }

}  // namespace

Task<Result<>> Attempts::next(Clock& clock, Rng& rng) {
  if (++count_ >= max) co_return fail(Errc::busy, "others keep changing the same names");
  // The first retry needs no wait: most refusals come from a stale read.
  if (count_ == 1) co_return Result<>{};
  const auto spread = static_cast<std::uint64_t>(wait_first.count()) << std::min(count_ - 2, doublings_max);
  co_await clock.sleep(Duration(static_cast<Duration::rep>(rng.below(spread) + 1)));
  co_return Result<>{};
}

void require_none(shard::Transaction& transaction, const EntrySlot& slot) {
  // The guard as a row: whether its leaf has room does not matter here.
  transaction.require(version, guard_key(slot.key.leaf), slot.generation).require(absent, slot.key);
}

struct Tree::Impl {
  Impl(Tree& tree, Services services, TreeLimits limits)
      : core(services, limits),
        splitter(core),
        chains(core, splitter, tree),
        remover(core, splitter, tree),
        leaf_reader(core, splitter, tree),
        finder(core, chains, tree) {}

  TreeCore core;
  Splitter splitter;
  ChainMaker chains;
  Remover remover;
  LeafReader leaf_reader;
  Finder finder;
};

Tree::Tree(Services services, TreeLimits limits) : impl_(std::make_unique<Impl>(*this, services, limits)) {}
Tree::~Tree() = default;

NamespaceCache& Tree::namespaces() noexcept { return impl_->core.namespaces; }
Services& Tree::services() noexcept { return impl_->core.services; }
Task<Result<InodeId>> Tree::new_id(NamespaceId ns) { return impl_->core.id_leases.next(ns); }
Task<> Tree::stop() { return impl_->core.background.stop(); }

Task<Result<EntrySlot>> Tree::find(NamespaceId ns, std::string key, Purpose purpose) {
  return impl_->finder.find(ns, std::move(key), purpose);
}

Task<Result<Directory>> Tree::find_directory(NamespaceId ns, std::vector<std::string> path) {
  return impl_->finder.find_directory(ns, std::move(path));
}

Task<Result<Directory>> Tree::open(NamespaceId ns, InodeId id) {
  auto context = co_await namespaces().get(ns);
  if (!context) co_return fail(std::move(context).error());
  co_return co_await open(std::move(*context), id);
}

Task<Result<Directory>> Tree::open(NamespacePtr ns, InodeId id) {
  auto& core = impl_->core;
  if (const auto* known = core.directories.find({ns->id, id})) co_return Directory{ns, id, *known};
  const auto reply = co_await core.read({header_key(ns->id, id)});
  if (!reply) co_return fail(reply.error());
  const auto& record = reply->gets[0].record;
  if (!record) co_return fail(gone());
  auto header = open_header(*ns, id, *record);
  if (!header) co_return fail(std::move(header).error());
  // Two that open it at once share what the first has learnt.
  if (const auto* known = core.directories.find({ns->id, id})) co_return Directory{ns, id, *known};
  auto state = std::make_shared<DirectoryState>(std::move(header->name_key), core.hints);
  core.directories.put({ns->id, id}, state);
  co_return Directory{ns, id, std::move(state)};
}

Task<Result<EntrySlot>> Tree::locate(Directory directory, std::string name, NameType type, Purpose purpose,
                                     std::vector<Step> path) {
  if (purpose == Purpose::create && path.empty()) {
    if (auto slot = guess(directory, name, type)) co_return *std::move(slot);
  }
  auto& core = impl_->core;
  const auto token = token_of(directory.state->name_key, name, type);
  const bool reads = purpose == Purpose::read || purpose == Purpose::read_body;
  LeafQuery query{.entry = token, .guarded = !reads, .with_body = purpose == Purpose::read_body};
  for (const auto& step : path) query.beside.push_back(header_key(directory.ns->id, step.child));
  while (true) {
    auto answer = co_await Walk(core, directory).cover(sort_key(name, type), query);
    if (!answer && answer.error().code() == Errc::stale) {
      core.directories.erase({directory.ns->id, directory.id});
      co_return fail(gone());
    }
    if (!answer) co_return fail(std::move(answer).error());
    KISEKI_CO_TRY(core.confirm(*directory.ns, path, answer->beside));
    if (!reads && answer->guard && answer->guard->frozen) {
      KISEKI_CO_TRY(co_await impl_->splitter.settle(directory, answer->leaf, Splitter::Turn::after_others));
      continue;
    }
    EntrySlot slot;
    slot.directory = directory;
    slot.name = name;
    slot.type = type;
    slot.key = entry_key(directory.leaf(answer->leaf), token);
    if (answer->guard) slot.generation = answer->guard->generation;
    if (answer->entry) {
      auto rest = open_entry(*directory.ns, slot.key, *answer->entry, name);
      if (!rest) co_return fail(std::move(rest).error());
      slot.value = *std::move(rest);
    }
    slot.record = std::move(answer->entry);
    slot.body = std::move(answer->body);
    co_return slot;
  }
}

Task<Result<shard::Outcome>> Tree::make_directory(EntrySlot slot) {
  auto& impl = *impl_;
  const NamespacePtr ns = slot.directory.ns;
  auto planned = co_await impl.chains.plan(std::move(slot), {}, Creation::requested);
  if (!planned) co_return fail(std::move(planned).error());
  const auto chain = std::make_shared<const Chain>(std::move(*planned));
  auto transaction = begin(ns);
  ChainMaker::add(transaction, *chain);
  co_return co_await impl.chains.commit(chain, std::move(transaction));
}

Task<Result<std::optional<Header>>> Tree::header(NamespacePtr ns, InodeId directory) {
  const auto reply = co_await impl_->core.read({header_key(ns->id, directory)});
  if (!reply) co_return fail(reply.error());
  const auto& record = reply->gets[0].record;
  if (!record) co_return std::nullopt;
  auto header = open_header(*ns, directory, *record);
  if (!header) co_return fail(std::move(header).error());
  co_return std::move(*header);
}

void Tree::remember(const NamespacePtr& ns, Step step) {
  auto& core = impl_->core;
  const TreeCore::NameKey key{ns->id, step.parent, std::move(step.name)};
  if (!step.child.is_none()) return core.names.put(key, step.child);
  if (const auto* known = core.names.find(key)) core.directories.erase({ns->id, *known});
  core.names.erase(key);
}

void Tree::seal_entry(const EntrySlot& slot, shard::Record& record, std::string_view rest) {
  seal_row(slot.directory.ns, slot.key, record, as_view(encode_entry(slot.name, rest)));
}

void Tree::seal_row(const NamespacePtr& ns, const shard::Key& key, shard::Record& record, View plaintext) {
  record.account = ns->id.value();
  seal(impl_->core.rng(), *ns->keys, key, record, plaintext);
}

shard::Transaction Tree::begin(const NamespacePtr& ns) { return impl_->core.begin(ns); }

shard::Transaction Tree::begin(const EntrySlot& slot) {
  auto transaction = begin(slot.directory.ns);
  expect(transaction, slot);
  return transaction;
}

void Tree::expect(shard::Transaction& transaction, const EntrySlot& slot) {
  if (slot.record) {
    const bool blind = KISEKI_PLANTED("2.2 an overwrite does not assert the version");
    transaction.require(blind ? exists : version, slot.key, slot.record->version);
    return;
  }
  if (slot.chain) {
    ChainMaker::add(transaction, *slot.chain);
  } else if (!KISEKI_PLANTED("2.2 a create does not assert the guard")) {
    transaction.require(generation, guard_key(slot.key.leaf), slot.generation);
  }
  transaction.require(absent, slot.key);
}

Task<Result<shard::Outcome>> Tree::commit(const EntrySlot& slot, shard::Transaction transaction) {
  auto& impl = *impl_;
  if (slot.chain) co_return co_await impl.chains.commit(slot.chain, std::move(transaction));
  Bytes size = 0;
  for (const auto& operation : transaction.operations) {
    if (operation.key == slot.key) size = operation.record.value.view().size();
  }
  const auto outcome = co_await impl.core.client().commit(std::move(transaction));
  note_changed(slot);
  if (outcome && outcome->committed() && !slot.record) {
    impl.splitter.note_created(slot.directory, slot.key.leaf.leaf, size);
  }
  co_return outcome;
}

Task<Result<>> Tree::recover(EntrySlot slot, shard::Outcome outcome, Attempts& attempts) {
  KISEKI_CO_TRY(co_await attempts.next(*services().clock, *services().rng));
  using enum shard::Refusal;
  switch (outcome.refusal) {
    case retained:
      co_return fail(Errc::retained, "retention or a legal hold forbids it");
    case quota:
      co_return fail(Errc::quota_exceeded, "the quota is used up");
    case split_first:
      co_return co_await impl_->splitter.settle(slot.directory, slot.key.leaf.leaf);
    case configuration:
    case deleted:
      namespaces().forget(slot.directory.ns->id);
      break;
    case shard::Refusal::exists:
      if (slot.has_leaf()) slot.directory.state->reads_first = creates_that_read;
      break;
    case none:
    case shard::Refusal::version:
    case missing:
    case shard::Refusal::generation:
    case not_empty:
    case chunk_epoch:
    case aborted:
      break;
  }
  co_return Result<>{};
}

Task<Result<ListedLeaf>> Tree::read_leaf(Directory directory, std::string from) {
  return impl_->leaf_reader.read_leaf(std::move(directory), std::move(from));
}

Task<Result<ListedLeafPtr>> Tree::look_at_leaf(Directory directory, std::string from) {
  return impl_->leaf_reader.look_at(std::move(directory), std::move(from));
}

Task<Result<shard::Counters>> Tree::measure(Directory directory) {
  return detail::measure(impl_->core, std::move(directory));
}

Task<Result<std::vector<bool>>> Tree::visible(NamespacePtr ns, std::vector<InodeId> directories) {
  return impl_->leaf_reader.visible(std::move(ns), std::move(directories));
}

Task<Result<>> Tree::split_if_large(Directory directory, LeafId leaf) {
  return impl_->splitter.settle(std::move(directory), leaf);
}

Task<Result<>> Tree::drop_if_empty(Directory directory, LeafId leaf) {
  const auto removal = co_await impl_->remover.drop_leaf(std::move(directory), leaf);
  if (!removal) co_return fail(removal.error());
  co_return Result<>{};
}

Task<Result<>> Tree::remove_if_empty(Directory directory) {
  const auto removal = co_await impl_->remover.remove_directory(std::move(directory));
  if (!removal) co_return fail(removal.error());
  co_return Result<>{};
}

Task<Result<bool>> Tree::prune(Directory directory) { return impl_->remover.prune(std::move(directory)); }

Task<Result<bool>> Tree::add_removal(Directory directory, shard::Transaction& transaction) {
  const auto header = co_await impl_->remover.add_removal(std::move(directory), transaction);
  if (!header) co_return fail(header.error());
  co_return header->has_value();
}

Task<Result<>> Tree::drop_empty_leaves(Directory directory) {
  return impl_->remover.drop_leaves(std::move(directory));
}

}  // namespace kiseki::fs::detail
