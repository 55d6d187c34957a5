#include "fs/tree/splitter.h"

#include <algorithm>
#include <functional>
#include <numeric>

#include "base/planted.h"

namespace kiseki::fs::detail {

namespace {

using enum shard::Assert::Type;

/// A transaction of moves stays well within `shard::Transaction::rows_max`.
constexpr std::size_t moved_max = 1536;
/// Only a writer that located its entry before the freeze can change one that is being moved; after so many
/// refusals fewer are moved at once, so that a slow one holds up less.
constexpr std::uint32_t refusals_whole = 4;

constexpr std::uint32_t rows_a_page = 256;
/// Who froze a leaf has so long before others do its work too, each a whole leaf of it.
constexpr Duration others_turn = std::chrono::milliseconds(60);
constexpr Duration pause_first = std::chrono::milliseconds(1), pause_max = std::chrono::milliseconds(4);
/// Of a leaf that grows at one place, this part before the place moves, and all behind it.
constexpr std::size_t moved_before = 8;

std::string sort_of(const Listed& entry) { return sort_key(entry.name, entry.type); }
Bytes size_of(const Listed& entry) { return entry.record.encoded_size(); }

/// Where the leaf grows: the latest entry, if those before it in time lie close before it in order too, as
/// names do that are dates or rising numbers. Nothing: everywhere.
std::optional<std::size_t> growing_place(const std::vector<Listed>& entries) {
  const std::size_t latest = entries.size() / 16;
  if (latest < 2) return std::nullopt;
  std::vector<std::size_t> places(entries.size());
  std::iota(places.begin(), places.end(), std::size_t{0});
  const auto last = places.begin() + static_cast<std::ptrdiff_t>(latest);
  std::ranges::nth_element(places, last - 1, std::greater(),
                           [&entries](std::size_t place) { return entries[place].record.version; });
  const auto [low, high] = std::ranges::minmax(std::ranges::subrange(places.begin(), last));
  return high - low < 2 * latest ? std::optional(high) : std::nullopt;
}

}  // namespace

Task<Result<>> Splitter::settle(Directory directory, LeafId leaf, Turn turn) {
  const auto address = directory.leaf(leaf);
  if (const auto found = under_way_.find(address); found != under_way_.end()) {
    const auto done = found->second;
    co_await done->wait();
    co_return Result<>{};
  }
  const auto done = std::make_shared<Event>();
  under_way_.emplace(address, done);
  if (turn == Turn::after_others) co_await wait_for_others(directory, leaf);
  auto settled = co_await settle_now(std::move(directory), leaf);
  under_way_.erase(address);
  done->set();
  co_return settled;
}

/// What cannot be read is met again by who goes on.
Task<> Splitter::wait_for_others(Directory directory, LeafId leaf) {
  Clock& clock = *core_.services.clock;
  const BootTime until = clock.now() + others_turn;
  for (Duration pause = pause_first; clock.now() < until; pause = std::min(pause * 2, pause_max)) {
    co_await clock.sleep(pause);
    const auto answer = co_await read_leaf_rows(core_, directory, leaf, {.entry = {}});
    if (!answer || !answer->guard || !answer->guard->frozen) co_return;
  }
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
  auto entries = co_await read_entries(directory, leaf);
  if (!entries) co_return fail(std::move(entries).error());
  if (entries->size() < 2) co_return co_await thaw(std::move(directory), leaf, std::move(*answer->guard));
  auto planned = plan(std::move(*entries), refusals);
  planned.guard = std::move(*answer->guard);
  planned.to = new_leaf(directory, leaf, planned.moved.size());
  co_return co_await move(std::move(directory), leaf, std::move(planned));
}

/// In pages, so that neither core stands still for long: in a frozen leaf nothing appears meanwhile, and what
/// changes refuses the move.
Task<Result<std::vector<Listed>>> Splitter::read_entries(Directory directory, LeafId leaf) {
  std::vector<Listed> found;
  shard::Scan scan{.leaf = directory.leaf(leaf), .from = {}, .rows_max = rows_a_page};
  for (bool more = true; more;) {
    shard::ReadRequest request;
    request.scans.push_back(scan);
    auto reply = co_await core_.client().read(std::move(request));
    if (!reply) co_return fail(std::move(reply).error());
    auto& page = reply->scans.front();
    more = page.more;
    if (more) scan.from = page.rows.back().key.item + '\0';
    auto opened = open_entries(*directory.ns, std::move(page.rows));
    if (!opened) co_return fail(std::move(opened).error());
    std::ranges::move(*opened, std::back_inserter(found));
    if (more) co_await asio::post(core_.services.executor, use_task);
  }
  std::vector<std::pair<std::string, std::size_t>> order;
  for (const auto& entry : found) order.emplace_back(sort_of(entry), order.size());
  std::ranges::sort(order);
  std::vector<Listed> entries;
  entries.reserve(found.size());
  for (const auto& [sort, place] : order) entries.push_back(std::move(found[place]));
  co_return entries;
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

Splitter::Plan Splitter::plan(std::vector<Listed> entries, std::uint32_t refusals) const {
  Bytes whole = 0;
  for (const auto& entry : entries) whole += size_of(entry);
  const std::uint32_t halvings = refusals / refusals_whole;
  const Bytes wanted = std::max<Bytes>(1, std::min(whole / 2, core_.limits.move_bytes_max) >> halvings);

  Plan plan{.guard = {}, .moved = {}, .separator = {}, .to = {}};
  Bytes moved = 0;
  std::size_t begin = entries.size();
  // What comes next finds a leaf with room, and those that it has passed stay full.
  std::size_t end = 1;
  if (const auto place = growing_place(entries)) {
    const std::size_t limit = std::min<std::size_t>(entries.size(), core_.limits.entries_split);
    const std::size_t before = *place - std::min(*place, entries.size() / moved_before);
    end = std::max<std::size_t>(end, std::min(before, limit - limit / moved_before));
  }
  while (begin > end && moved < wanted && entries.size() - begin < moved_max) {
    --begin;
    moved += size_of(entries[begin]);
  }
  plan.separator = separator(sort_of(entries[begin - 1]), sort_of(entries[begin]));
  plan.moved.assign(std::make_move_iterator(entries.begin() + static_cast<std::ptrdiff_t>(begin)),
                    std::make_move_iterator(entries.end()));
  return plan;
}

/// Mostly where the shard of the old one is: what moves in one shard is one entry of its log, between two it
/// is four and all rows twice. Every fourth lies anywhere, and so a large directory comes to lie everywhere.
LeafId Splitter::new_leaf(const Directory& directory, LeafId from, std::size_t moved) const {
  constexpr std::size_t worth_it = 32;
  constexpr int draws_max = 64;
  LeafId leaf = core_.new_leaf();
  if (moved < worth_it || core_.rng().below(4) == 0) return leaf;
  const auto is_near = [&] {
    return core_.client().are_together(directory.leaf(from), directory.leaf(leaf));
  };
  for (int draws = 1; draws < draws_max && !is_near(); ++draws) leaf = core_.new_leaf();
  return leaf;
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
