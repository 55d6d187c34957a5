#include "fs/tree/chain.h"

#include "base/codec.h"
#include "base/planted.h"
#include "fs/tree/measure.h"

namespace kiseki::fs::detail {

namespace {

using enum shard::Assert::Type;

constexpr std::uint8_t pending_format = 3;

/// The value of a pending row. What else there is to know the directories' headers say.
std::string pending_value(const std::vector<Directory>& made) {
  std::string value;
  Encoder out(value);
  out.integer(pending_format).integer(static_cast<std::uint16_t>(made.size()));
  for (const Directory& directory : made) out.id(directory.id);
  return value;
}

shard::Record directory_entry(TreeCore& core, const NamespaceContext& ns, const shard::Key& key,
                              InodeId child, std::string_view name) {
  shard::Record record;
  record.account = ns.id.value();
  record.id = child;
  record.type = shard::EntryType::directory;
  seal(core.rng(), *ns.keys, key, record, as_view(encode_entry(name, {})));
  return record;
}

shard::Outcome lost() { return {.refusal = shard::Refusal::aborted, .assertion = 0, .stamp = {}}; }

}  // namespace

Result<std::vector<InodeId>> directories_of_chain(const NamespaceContext& ns, const shard::Row& pending) {
  const auto value = unseal(*ns.keys, pending.key, pending.record);
  if (!value) return fail(value.error());
  Decoder in(as_view(*value));
  if (in.integer<std::uint8_t>() != pending_format) return fail(Errc::wrong_format, "pending row");
  const std::size_t count = in.integer<std::uint16_t>();
  std::vector<InodeId> made(std::min(count, in.remaining() / 8));
  for (InodeId& id : made) id = in.id<InodeId>();
  KISEKI_TRY(in.finish("pending row"));
  return made;
}

Directory ChainMaker::add_directory(Chain& chain, const NamespacePtr& ns, InodeId id,
                                    shard::DirectoryLink link, std::string name) {
  auto& rng = core_.rng();
  Header header{crypto::Key256::random(rng), name, link, {}};
  const shard::LeafAddress first{ns->id, id, LeafId{}};
  chain.rows.push_back({header_key(ns->id, id), make_header(rng, *ns, id, header)});
  chain.rows.push_back({guard_key(first), make_guard(rng, *ns, first, {})});
  Directory made{
      .ns = ns, .id = id, .state = std::make_shared<DirectoryState>(std::move(header.name_key), core_.hints)};
  chain.made.push_back(made);
  chain.names.push_back(std::move(name));
  return made;
}

Task<Result<Chain>> ChainMaker::plan(EntrySlot link, std::vector<std::string> below, Creation creation) {
  const NamespacePtr ns = link.directory.ns;
  Chain chain;
  chain.creation = creation;
  auto id = co_await core_.id_leases.next(ns->id);
  if (!id) co_return fail(std::move(id).error());
  const shard::DirectoryLink first{.parent = link.directory.id,
                                   .leaf = link.key.leaf.leaf,
                                   .token = token_of(link.directory.state->name_key, link.name, link.type),
                                   .is_explicit = creation == Creation::requested};
  Directory parent = add_directory(chain, ns, *id, first, link.name);
  chain.entry = directory_entry(core_, *ns, link.key, *id, link.name);

  for (const auto& name : below) {
    id = co_await core_.id_leases.next(ns->id);
    if (!id) co_return fail(std::move(id).error());
    const auto token = token_of(parent.state->name_key, name, NameType::directory);
    const auto key = entry_key(parent.leaf(LeafId{}), token);
    chain.rows.push_back({key, directory_entry(core_, *ns, key, *id, name)});
    parent = add_directory(chain, ns, *id, {.parent = parent.id, .leaf = {}, .token = token}, name);
  }

  chain.pending = pending_key(chain.made.front().leaf(LeafId{}), core_.client().session());
  shard::Record pending;
  pending.account = ns->id.value();
  pending.id = chain.made.front().id;
  pending.type = shard::EntryType::directory;
  pending.link = first;
  seal(core_.rng(), *ns->keys, chain.pending, pending, as_view(pending_value(chain.made)));
  if (!KISEKI_PLANTED("2.6 no pending row")) chain.rows.push_back({chain.pending, std::move(pending)});
  chain.link = std::move(link);
  co_return chain;
}

void ChainMaker::add(shard::Transaction& transaction, const Chain& chain) {
  for (const auto& row : chain.rows) transaction.require(absent, row.key).put(row.key, row.record);
}

Task<Result<shard::Outcome>> ChainMaker::make(std::shared_ptr<const Chain> chain,
                                              shard::Transaction transaction) {
  std::vector<shard::Key> rows;
  for (const auto& operation : transaction.operations) {
    if (operation.type == shard::Operation::Type::put) rows.push_back(operation.key);
  }
  const NamespacePtr ns = chain->link.directory.ns;
  const auto made = co_await core_.client().commit(std::move(transaction));
  if (!made || !made->committed()) co_return made;
  const auto linked = co_await link(chain);
  if (!linked) co_return fail(linked.error());
  if (!linked->committed()) {
    KISEKI_CO_TRY(co_await erase(ns, std::move(rows)));
    co_return linked;
  }
  InodeId parent = chain->link.directory.id;
  for (std::size_t i = 0; i < chain->made.size(); ++i) {
    const Directory& directory = chain->made[i];
    core_.directories.put({ns->id, directory.id}, directory.state);
    core_.names.put({ns->id, parent, chain->names[i]}, directory.id);
    parent = directory.id;
  }
  co_return linked;
}

Task<Result<shard::Outcome>> ChainMaker::commit(std::shared_ptr<const Chain> chain,
                                                shard::Transaction transaction) {
  const auto made = co_await make(chain, std::move(transaction));
  if (made && made->committed()) finish(*chain);
  co_return made;
}

Task<Result<shard::Outcome>> ChainMaker::link(std::shared_ptr<const Chain> chain) {
  EntrySlot slot = chain->link;
  Attempts attempts;
  while (true) {
    auto transaction = core_.begin(slot.directory.ns);
    transaction.require(generation, guard_key(slot.key.leaf), slot.generation);
    transaction.require(absent, slot.key).put(slot.key, chain->entry);
    const auto alone =
        chain->creation == Creation::requested ? co_await exclude_object(slot, transaction) : true;
    if (!alone || !*alone) co_return lost();
    const Bytes size = chain->entry.value.view().size();
    const auto outcome = co_await core_.client().commit(std::move(transaction));
    note_changed(slot);
    if (!outcome) co_return fail(outcome.error());
    if (outcome->committed()) {
      splitter_.note_created(slot.directory, slot.key.leaf.leaf, size);
      co_return outcome;
    }
    if (!co_await attempts.next(*core_.services.clock, core_.rng())) co_return lost();
    if (outcome->refusal == shard::Refusal::split_first) {
      if (!co_await splitter_.settle(slot.directory, slot.key.leaf.leaf)) co_return lost();
    }
    auto again = co_await tree_.locate(slot.directory, slot.name, slot.type, Purpose::write);
    if (!again || again->record) co_return lost();
    // The entry was sealed for this token; under whatever leaf, it is the same.
    slot = std::move(*again);
  }
}

Task<Result<bool>> ChainMaker::exclude_object(const EntrySlot& slot, shard::Transaction& transaction) {
  const auto object = co_await tree_.locate(slot.directory, slot.name, NameType::object, Purpose::write);
  if (!object) co_return fail(object.error());
  if (object->record) co_return false;
  if (!KISEKI_PLANTED("2.7 mkdir asserts one token")) require_none(transaction, *object);
  co_return true;
}

Task<Result<>> ChainMaker::erase(NamespacePtr ns, std::vector<shard::Key> rows) {
  Attempts attempts;
  while (true) {
    auto transaction = core_.begin(ns);
    for (const auto& row : rows) transaction.erase(row);
    const auto outcome = co_await core_.client().commit(std::move(transaction));
    if (!outcome) co_return fail(outcome.error());
    // A namespace that is being deleted takes the rows with it.
    if (outcome->refusal != shard::Refusal::aborted) co_return Result<>{};
    KISEKI_CO_TRY(co_await attempts.next(*core_.services.clock, core_.rng()));
  }
}

void ChainMaker::finish(const Chain& chain) {
  if (core_.background.stopping()) return;
  core_.background.spawn(erase_pending(chain.link.directory.ns, chain.pending));
}

/// What fails is left to the sweeper.
Task<> ChainMaker::erase_pending(NamespacePtr ns, shard::Key pending) {
  (void)co_await erase(std::move(ns), {std::move(pending)});
}

Task<Result<shard::Outcome>> ChainMaker::make_empty(std::shared_ptr<const Chain> chain) {
  auto transaction = core_.begin(chain->link.directory.ns);
  add(transaction, *chain);
  const auto outcome = co_await make(chain, std::move(transaction));
  if (!outcome || !outcome->committed()) co_return outcome;
  // Before the pending row goes: one of the two makes a sweeper look at directories that stay empty.
  auto look = core_.begin(chain->link.directory.ns);
  const auto last = chain->made.back().leaf(LeafId{});
  look.put_stamped(feed_key(last, shard::Event::leaf_emptied), {});
  const auto noted = co_await core_.client().commit(std::move(look));
  if (!noted) co_return fail(noted.error());
  if (noted->committed()) finish(*chain);
  co_return outcome;
}

}  // namespace kiseki::fs::detail
