#include "fs/detail/tree.h"

#include "base/planted.h"
#include "fs/detail/finder.h"
#include "fs/detail/lister.h"
#include "fs/detail/measure.h"
#include "fs/detail/remover.h"

namespace kiseki::fs::detail {

namespace {

using enum shard::Assert::Type;

constexpr Duration wait_first = std::chrono::microseconds(500);
constexpr std::uint32_t doublings_max = 6;

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

void require_none(shard::Transaction& transaction, const Place& place) {
  // The guard as a row: whether its leaf has room does not matter here.
  transaction.require(version, guard_key(place.key.leaf), place.generation).require(absent, place.key);
}

struct Tree::Parts {
  Parts(Tree& tree, Services services, TreeLimits limits)
      : core(services, limits),
        splitter(core),
        chains(core, splitter, tree),
        remover(core, splitter, tree),
        lister(core, splitter, tree),
        finder(core, chains, tree) {}

  TreeCore core;
  Splitter splitter;
  ChainMaker chains;
  Remover remover;
  Lister lister;
  Finder finder;
};

Tree::Tree(Services services, TreeLimits limits) : parts_(std::make_unique<Parts>(*this, services, limits)) {}
Tree::~Tree() = default;

NamespaceCache& Tree::namespaces() noexcept { return parts_->core.namespaces; }
Services& Tree::services() noexcept { return parts_->core.services; }
Task<Result<InodeId>> Tree::new_id(NamespaceId ns) { return parts_->core.leases.next(ns); }
Task<> Tree::stop() { return parts_->core.background.stop(); }

Task<Result<Place>> Tree::find(NamespaceId ns, std::string key, Purpose purpose) {
  return parts_->finder.find(ns, std::move(key), purpose);
}

Task<Result<Directory>> Tree::find_directory(NamespaceId ns, std::vector<std::string> path) {
  return parts_->finder.find_directory(ns, std::move(path));
}

Task<Result<Directory>> Tree::open(NamespaceId ns, InodeId id) {
  auto context = co_await namespaces().get(ns);
  if (!context) co_return fail(std::move(context).error());
  co_return co_await open(std::move(*context), id);
}

Task<Result<Directory>> Tree::open(NamespacePtr ns, InodeId id) {
  auto& core = parts_->core;
  if (const auto* known = core.directories.find({ns->id, id})) co_return Directory{ns, id, *known};
  const auto reply = co_await core.read({header_key(ns->id, id)});
  if (!reply) co_return fail(reply.error());
  const auto& record = reply->gets[0].record;
  if (!record) co_return fail(gone());
  auto header = open_header(*ns, id, *record);
  if (!header) co_return fail(std::move(header).error());
  // Two that open it at once share what the first has learnt.
  if (const auto* known = core.directories.find({ns->id, id})) co_return Directory{ns, id, *known};
  auto state = std::make_shared<DirectoryState>(std::move(header->name_key));
  core.directories.put({ns->id, id}, state);
  co_return Directory{ns, id, std::move(state)};
}

Task<Result<Place>> Tree::locate(Directory directory, std::string name, NameType type, Purpose purpose,
                                 std::vector<Step> path) {
  auto& core = parts_->core;
  const auto token = token_of(directory.state->name_key, name, type);
  LeafQuery query{.entry = token, .with_body = type == NameType::object};
  for (const auto& step : path) query.beside.push_back(header_key(directory.ns->id, step.child));
  while (true) {
    auto answer = co_await Walk(core, directory).cover(sort_key(name, type), query);
    if (!answer && answer.error().code() == Errc::stale) {
      core.directories.erase({directory.ns->id, directory.id});
      co_return fail(gone());
    }
    if (!answer) co_return fail(std::move(answer).error());
    KISEKI_CO_TRY(confirm(*directory.ns, path, answer->beside));
    if (purpose != Purpose::read && answer->guard && answer->guard->frozen) {
      KISEKI_CO_TRY(co_await parts_->splitter.settle(directory, answer->leaf));
      continue;
    }
    Place place;
    place.directory = directory;
    place.name = name;
    place.type = type;
    place.key = entry_key(directory.leaf(answer->leaf), token);
    if (answer->guard) place.generation = answer->guard->generation;
    if (answer->entry) {
      const auto bytes = unseal(*directory.ns->keys, place.key, *answer->entry);
      if (!bytes) co_return fail(bytes.error());
      auto value = decode_entry(as_view(*bytes));
      if (!value) co_return fail(std::move(value).error());
      if (value->name != name) co_return fail(Errc::corrupted, "an entry under another name's token");
      place.value = std::move(value->rest);
    }
    place.record = std::move(answer->entry);
    place.body = std::move(answer->body);
    co_return place;
  }
}

Task<Result<shard::Outcome>> Tree::make_directory(Place place) {
  auto& parts = *parts_;
  const NamespacePtr ns = place.directory.ns;
  auto planned = co_await parts.chains.plan(std::move(place), {}, Wanted::explicitly);
  if (!planned) co_return fail(std::move(planned).error());
  const auto chain = std::make_shared<const Chain>(std::move(*planned));
  auto transaction = begin(ns);
  ChainMaker::add(transaction, *chain);
  co_return co_await parts.chains.commit(chain, std::move(transaction));
}

Task<Result<std::optional<Header>>> Tree::header(NamespacePtr ns, InodeId directory) {
  const auto reply = co_await parts_->core.read({header_key(ns->id, directory)});
  if (!reply) co_return fail(reply.error());
  const auto& record = reply->gets[0].record;
  if (!record) co_return std::nullopt;
  auto header = open_header(*ns, directory, *record);
  if (!header) co_return fail(std::move(header).error());
  co_return std::move(*header);
}

void Tree::remember(const NamespacePtr& ns, Step step) {
  auto& core = parts_->core;
  const TreeCore::NameKey key{ns->id, step.parent, std::move(step.name)};
  if (!step.child.is_none()) return core.names.put(key, step.child);
  if (const auto* known = core.names.find(key)) core.directories.erase({ns->id, *known});
  core.names.erase(key);
}

void Tree::seal_entry(const Place& place, shard::Record& record, std::string_view rest) {
  seal_row(place.directory.ns, place.key, record, as_view(encode_entry(place.name, rest)));
}

void Tree::seal_row(const NamespacePtr& ns, const shard::Key& key, shard::Record& record, View plaintext) {
  record.account = ns->id.value();
  seal(parts_->core.rng(), *ns->keys, key, record, plaintext);
}

shard::Transaction Tree::begin(const NamespacePtr& ns) { return parts_->core.begin(ns); }

shard::Transaction Tree::begin(const Place& place) {
  auto transaction = begin(place.directory.ns);
  expect(transaction, place);
  return transaction;
}

void Tree::expect(shard::Transaction& transaction, const Place& place) {
  if (place.record) {
    const bool blind = KISEKI_PLANTED("2.2 an overwrite does not assert the version");
    transaction.require(blind ? exists : version, place.key, place.record->version);
    return;
  }
  if (place.chain) {
    ChainMaker::add(transaction, *place.chain);
  } else if (!KISEKI_PLANTED("2.2 a create does not assert the guard")) {
    transaction.require(generation, guard_key(place.key.leaf), place.generation);
  }
  transaction.require(absent, place.key);
}

Task<Result<shard::Outcome>> Tree::commit(Place place, shard::Transaction transaction) {
  auto& parts = *parts_;
  if (place.chain) co_return co_await parts.chains.commit(place.chain, std::move(transaction));
  Bytes size = 0;
  for (const auto& operation : transaction.operations) {
    if (operation.key == place.key) size = operation.record.value.view().size();
  }
  const auto outcome = co_await parts.core.client().commit(std::move(transaction));
  note_changed(place);
  if (outcome && outcome->committed() && !place.record) {
    parts.splitter.note_created(place.directory, place.key.leaf.leaf, size);
  }
  co_return outcome;
}

Task<Result<>> Tree::recover(Place place, shard::Outcome outcome, Attempts& attempts) {
  KISEKI_CO_TRY(co_await attempts.next(*services().clock, *services().rng));
  using enum shard::Refusal;
  switch (outcome.refusal) {
    case retained:
      co_return fail(Errc::retained, "retention or a legal hold forbids it");
    case quota:
      co_return fail(Errc::quota_exceeded, "the quota is used up");
    case split_first:
      co_return co_await parts_->splitter.settle(place.directory, place.key.leaf.leaf);
    case configuration:
    case deleted:
      namespaces().forget(place.directory.ns->id);
      break;
    case none:
    case shard::Refusal::version:
    case shard::Refusal::exists:
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
  return parts_->lister.read_leaf(std::move(directory), std::move(from));
}

Task<Result<shard::Counters>> Tree::measure(Directory directory) {
  return detail::measure(parts_->core, std::move(directory));
}

Task<Result<std::vector<bool>>> Tree::visible(NamespacePtr ns, std::vector<InodeId> directories) {
  return parts_->lister.visible(std::move(ns), std::move(directories));
}

Task<Result<>> Tree::split_if_large(Directory directory, LeafId leaf) {
  return parts_->splitter.settle(std::move(directory), leaf);
}

Task<Result<>> Tree::drop_if_empty(Directory directory, LeafId leaf) {
  const auto removal = co_await parts_->remover.drop_leaf(std::move(directory), leaf);
  if (!removal) co_return fail(removal.error());
  co_return Result<>{};
}

Task<Result<>> Tree::remove_if_empty(Directory directory) {
  const auto removal = co_await parts_->remover.remove_directory(std::move(directory));
  if (!removal) co_return fail(removal.error());
  co_return Result<>{};
}

Task<Result<bool>> Tree::prune(Directory directory) { return parts_->remover.prune(std::move(directory)); }

Task<Result<bool>> Tree::add_removal(Directory directory, shard::Transaction& transaction) {
  const auto header = co_await parts_->remover.add_removal(std::move(directory), transaction);
  if (!header) co_return fail(header.error());
  co_return header->has_value();
}

Task<Result<>> Tree::drop_empty_leaves(Directory directory) {
  return parts_->remover.drop_leaves(std::move(directory));
}

}  // namespace kiseki::fs::detail
