#include "fs/tree/splitter.h"

#include <algorithm>

#include "base/planted.h"

namespace kiseki::fs::detail {

namespace {

using enum shard::Assert::Type;

/// A transaction of moves stays well within `shard::Transaction::rows_max`.
constexpr std::size_t moved_max = 1536;
/// Only a writer that located its entry before the freeze can change one that is being moved; after so many
/// refusals fewer are moved at once, so that a slow one holds up less.
constexpr std::uint32_t refusals_whole = 4;

std::string sort_of(const Listed& entry) { return sort_key(entry.name, entry.type); }
Bytes size_of(const Listed& entry) { return entry.record.encode().size(); }

}  // namespace

Task<Result<>> Splitter::settle(Directory directory, LeafId leaf) {
  const auto address = directory.leaf(leaf);
  if (const auto found = under_way_.find(address); found != under_way_.end()) {
    const auto done = found->second;
    co_await done->wait();
    co_return Result<>{};
  }
  const auto done = std::make_shared<Event>();
  under_way_.emplace(address, done);
  auto settled = co_await settle_now(std::move(directory), leaf);
  under_way_.erase(address);
  done->set();
  co_return settled;
}

Task<Result<>> Splitter::settle_now(Directory directory, LeafId leaf) {
  Attempts refusals;
  for (std::uint32_t refused = 0;;) {
    const auto step_taken = co_await step(directory, leaf, refused);
    if (!step_taken && step_taken.error().code() == Errc::stale) co_return Result<>{};
    if (!step_taken) co_return fail(step_taken.error());
    if (*step_taken == Step::done) co_return Result<>{};
    if (*step_taken == Step::advanced) continue;
    ++refused;
    KISEKI_CO_TRY(co_await refusals.next(*core_.services.clock, core_.rng()));
  }
}

Task<Result<Splitter::Step>> Splitter::step(Directory directory, LeafId leaf, std::uint32_t refusals) {
  auto answer = co_await read_leaf_rows(core_, directory, leaf, {.entry = {}, .counted = true});
  if (!answer) co_return fail(std::move(answer).error());
  if (!answer->guard) co_return Step::done;
  const bool large = is_large(answer->counters);
  const bool open = !answer->guard->frozen;
  if (open && !large) co_return Step::done;
  if (open && !KISEKI_PLANTED("2.3 a leaf is split without being frozen")) {
    co_return co_await freeze(std::move(directory), leaf, std::move(*answer->guard));
  }
  if (!large) co_return co_await thaw(std::move(directory), leaf, std::move(*answer->guard));
  auto whole = co_await read_leaf_rows(core_, directory, leaf, {.entry = {}, .whole = true});
  if (!whole) co_return fail(std::move(whole).error());
  if (!whole->guard || (!whole->guard->frozen && !open)) co_return Step::refused;
  auto planned = plan(directory, std::move(*whole), refusals);
  if (!planned) co_return fail(std::move(planned).error());
  if (!*planned) co_return co_await thaw(std::move(directory), leaf, std::move(*answer->guard));
  co_return co_await move(std::move(directory), leaf, std::move(**planned));
}

bool Splitter::is_large(const shard::Counters& found) const {
  const auto& limits = core_.limits;
  return found.entries > 1 &&
         (found.entries >= limits.entries_split || found.entry_bytes >= limits.bytes_split);
}

/// At no time: the directory's latest stays what it is.
shard::Transaction Splitter::begin(const Directory& directory) const {
  auto transaction = core_.begin(directory.ns);
  transaction.time_ms = 0;
  return transaction;
}

Task<Result<shard::Outcome>> Splitter::put_guard(Directory directory, LeafId leaf, Guard guard) {
  const auto address = directory.leaf(leaf);
  auto transaction = begin(directory);
  transaction.require(version, guard_key(address), guard.generation);
  transaction.put(guard_key(address), make_guard(core_.rng(), *directory.ns, address, guard));
  co_return co_await core_.client().commit(std::move(transaction));
}

Task<Result<Splitter::Step>> Splitter::freeze(Directory directory, LeafId leaf, Guard guard) {
  guard.frozen = true;
  const auto outcome = co_await put_guard(std::move(directory), leaf, std::move(guard));
  if (!outcome) co_return fail(outcome.error());
  co_return outcome->committed() ? Step::advanced : Step::refused;
}

Task<Result<Splitter::Step>> Splitter::thaw(Directory directory, LeafId leaf, Guard guard) {
  guard.frozen = false;
  const auto outcome = co_await put_guard(std::move(directory), leaf, std::move(guard));
  if (!outcome) co_return fail(outcome.error());
  co_return outcome->committed() ? Step::done : Step::refused;
}

Result<std::optional<Splitter::Plan>> Splitter::plan(const Directory& directory, LeafAnswer answer,
                                                     std::uint32_t refusals) {
  auto entries = open_entries(*directory.ns, std::move(answer.rows));
  if (!entries) return fail(std::move(entries).error());
  if (entries->size() < 2) return std::nullopt;
  Bytes whole = 0;
  for (const auto& entry : *entries) whole += size_of(entry);
  const std::uint32_t halvings = refusals / refusals_whole;
  const Bytes wanted = std::max<Bytes>(1, std::min(whole / 2, core_.limits.move_bytes_max) >> halvings);

  Plan plan{.guard = std::move(*answer.guard), .moved = {}, .separator = {}, .to = core_.new_leaf()};
  Bytes moved = 0;
  std::size_t begin = entries->size();
  while (begin > 1 && moved < wanted && entries->size() - begin < moved_max) {
    --begin;
    moved += size_of((*entries)[begin]);
  }
  plan.separator = separator(sort_of((*entries)[begin - 1]), sort_of((*entries)[begin]));
  plan.moved.assign(std::make_move_iterator(entries->begin() + static_cast<std::ptrdiff_t>(begin)),
                    std::make_move_iterator(entries->end()));
  return plan;
}

Task<Result<Splitter::Step>> Splitter::move(Directory directory, LeafId leaf, Plan plan) {
  const auto from = directory.leaf(leaf), to = directory.leaf(plan.to);
  Guard lower = plan.guard, upper = plan.guard;
  lower.frozen = upper.frozen = false;
  upper.low = plan.separator;
  if (!KISEKI_PLANTED("2.3 the old leaf keeps its high fence")) lower.high = plan.separator;
  lower.right = plan.to;
  upper.origin = leaf;

  auto transaction = begin(directory);
  transaction.require(version, guard_key(from), plan.guard.generation);
  transaction.put(guard_key(from), make_guard(core_.rng(), *directory.ns, from, lower));
  transaction.require(absent, tombstone_key(to)).require(absent, guard_key(to));
  transaction.put(guard_key(to), make_guard(core_.rng(), *directory.ns, to, upper));
  for (const auto& entry : plan.moved) {
    shard::Key target = entry.key;
    target.leaf = to;
    transaction.require(version, entry.key, entry.record.version).require(absent, target);
    transaction.move(entry.key, target);
  }
  const auto outcome = co_await core_.client().commit(std::move(transaction));
  if (!outcome) co_return fail(outcome.error());
  if (!outcome->committed()) co_return Step::refused;
  directory.state->learn(plan.separator, plan.to);
  directory.state->forget_allowance(leaf);
  const DirectoryIndex::Route route{.separator = plan.separator, .leaf = plan.to};
  (void)co_await index_.update(directory, {{DirectoryIndex::Change::Type::add, route}});
  co_return Step::advanced;
}

void Splitter::note_created(Directory directory, LeafId leaf, Bytes bytes) {
  auto* allowance = directory.state->allowance(leaf);
  if (allowance != nullptr && allowance->creates > 0 && allowance->bytes >= bytes) {
    --allowance->creates;
    allowance->bytes -= bytes;
    return;
  }
  // Until the look is done others need not look.
  directory.state->allow(leaf, {.creates = core_.limits.entries_split, .bytes = core_.limits.bytes_split});
  if (!core_.background.stopping()) core_.background.spawn(look(std::move(directory), leaf));
}

Task<> Splitter::look(Directory directory, LeafId leaf) {
  const auto counters = co_await core_.client().counters({directory.leaf(leaf)});
  if (!counters) co_return;
  const auto& limits = core_.limits;
  const auto& found = counters->front();
  if (found.entries >= limits.entries_split || found.entry_bytes >= limits.bytes_split) {
    (void)co_await settle(std::move(directory), leaf);
    co_return;
  }
  // Others create here too: half of what is left, then another look.
  directory.state->allow(leaf, {.creates = (limits.entries_split - found.entries) / 2,
                                .bytes = (limits.bytes_split - found.entry_bytes) / 2});
}

}  // namespace kiseki::fs::detail
