#include "fs/tree/measure.h"

#include "base/planted.h"

namespace kiseki::fs::detail {

namespace {

constexpr std::size_t leaves_a_read = 256;
constexpr int reads_max = 100'000;

/// One leaf, its guard and counters of one moment.
LeafTally::Stretch stretch_of(Guard guard, shard::Counters counters, LeafTally::Stretch when) {
  when.low = std::move(guard.low);
  when.high = std::move(guard.high);
  when.counters = counters;
  return when;
}

/// Reads the leaves that the hints name, as far as they follow one another. False: not even the first was so.
Task<Result<bool>> read_known(TreeCore& core, Directory directory, LeafTally::Gap gap,
                              LeafTally::Stretch when) {
  const auto leaves = directory.state->routes_between(gap.low, gap.until, leaves_a_read);
  shard::ReadRequest request;
  for (const auto leaf : leaves) {
    request.gets.push_back({.key = guard_key(directory.leaf(leaf))});
    request.counters.push_back(directory.leaf(leaf));
  }
  const auto reply = co_await core.client().read(std::move(request));
  if (!reply) co_return fail(reply.error());
  std::optional<std::string> at = gap.low;
  for (std::size_t i = 0; i < leaves.size() && at; ++i) {
    if (!reply->gets[i].record) break;
    auto guard = open_guard(*directory.ns, directory.leaf(leaves[i]), *reply->gets[i].record);
    if (!guard) co_return fail(std::move(guard).error());
    if (!guard->covers(*at)) break;
    at = guard->high;
    directory.state->tally.put(stretch_of(std::move(*guard), reply->counters[i], when));
  }
  co_return at != gap.low;
}

Task<Result<>> read_gap(TreeCore& core, Directory directory, LeafTally::Gap gap) {
  LeafTally::Stretch when;
  when.read_at = core.services.clock->now();
  when.asked = directory.state->tally.ask();
  const auto known = co_await read_known(core, directory, gap, when);
  if (!known) co_return fail(known.error());
  if (*known) co_return Result<>{};
  auto answer = co_await Walk(core, directory).cover(std::move(gap.low), {.entry = {}, .counted = true});
  if (!answer && answer.error().code() == Errc::stale) {
    co_return fail(Errc::not_found, "the directory has gone");
  }
  if (!answer) co_return fail(std::move(answer).error());
  directory.state->tally.put(stretch_of(std::move(*answer->guard), answer->counters, when));
  co_return Result<>{};
}

}  // namespace

Task<Result<shard::Counters>> measure(TreeCore& core, Directory directory) {
  auto& tally = directory.state->tally;
  const auto leaves = static_cast<Duration::rep>(tally.leaves());
  const bool is_exact = tally.leaves() <= core.limits.leaves_exact;
  const Duration age = is_exact ? Duration::zero() : leaves * core.limits.leaf_age;
  const LeafTally::Need need{.oldest = core.services.clock->now() - age, .asked = tally.ask()};
  for (int reads = 0; reads < reads_max; ++reads) {
    auto gap = tally.missing(need);
    if (!gap) co_return tally.sum();
    KISEKI_CO_TRY(co_await read_gap(core, directory, std::move(*gap)));
    if (KISEKI_PLANTED("2.10 only the first leaf is counted")) co_return tally.sum();
  }
  co_return fail(Errc::busy, "a directory's leaves keep moving");
}

void note_changed(const EntrySlot& entry) {
  if (!entry.has_leaf()) return;
  entry.directory.state->tally.note_change(sort_key(entry.name, entry.type));
}

}  // namespace kiseki::fs::detail
