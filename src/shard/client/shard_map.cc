#include "shard/client/shard_map.h"

#include <algorithm>

#include "base/codec.h"
#include "base/planted.h"
#include "shard/client/registry.h"
#include "shard/rows/row_codec.h"

namespace kiseki::shard::detail {

namespace {
constexpr std::uint8_t format = 3;
constexpr std::uint32_t slots = 65'536;
}  // namespace

void ShardMap::add(ShardId id, Slot first) {
  next = std::max(next, ShardId(id.value() + 1));
  // The last shard that begins at or before `first`; slot 0 is always somebody's.
  const auto after =
      std::ranges::upper_bound(shards, first, {}, [](const Entry& entry) { return entry.range.first; });
  const auto before = std::prev(after);
  if (before->range.first == first) return;
  const Entry entry{.id = id, .range = {.first = first, .last = before->range.last}};
  before->range.last = static_cast<Slot>(first - 1);
  shards.insert(after, entry);
}

void ShardMap::add(const ShardMap& other) {
  for (const Entry& entry : other.shards) add(entry.id, entry.range.first);
  next = std::max(next, other.next);
}

const ShardMap::Entry* ShardMap::find(ShardId id) const {
  const auto found = std::ranges::find(shards, id, &Entry::id);
  return found == shards.end() ? nullptr : &*found;
}

Key ShardMap::page_key(std::size_t page) {
  std::string item;
  Encoder(item).integer(static_cast<std::uint16_t>(page));
  return system_key(Kind::map, std::move(item));
}

std::vector<Record> ShardMap::pages() const {
  std::vector<Record> pages;
  for (std::size_t begin = 0; begin < shards.size(); begin += page_entries_max) {
    const std::size_t end = std::min(begin + page_entries_max, shards.size());
    std::string value;
    Encoder out(value);
    out.integer(format).id(next).integer(static_cast<std::uint32_t>(shards.size()));
    for (std::size_t i = begin; i < end; ++i) {
      out.id(shards[i].id).integer(shards[i].range.first).integer(shards[i].range.last);
    }
    pages.emplace_back().value = crypto::Sealed::from_store(std::move(value));
  }
  return pages;
}

Result<ShardMap> ShardMap::decode(const std::vector<Record>& pages) {
  ShardMap map;
  map.shards.clear();
  std::uint32_t next_slot = 0, count = 0;
  for (const Record& page : pages) {
    auto in = begin_value(page.value.view(), format, "shard map");
    if (!in) return fail(std::move(in).error());
    map.next = in->id<ShardId>();
    count = in->integer<std::uint32_t>();
    for (std::size_t i = 0; i < page_entries_max && in->remaining() > 0; ++i) {
      const auto id = in->id<ShardId>();
      const auto first = in->integer<Slot>();
      const auto last = in->integer<Slot>();
      if (first != next_slot || last < first || id >= map.next) in->reject();
      next_slot = last + 1U;
      map.shards.push_back({.id = id, .range = {.first = first, .last = last}});
    }
    KISEKI_TRY(in->finish("shard map"));
  }
  if (next_slot != slots || map.shards.size() != count) return fail(Errc::corrupted, "shard map: not whole");
  return map;
}

Task<Result<SystemMap::Known>> SystemMap::read() const {
  RowsRequest request;
  request.scans.push_back({.leaf = ShardMap::page_key(0).leaf, .kind = Kind::map, .from = {}});
  auto reply = co_await routes_.system().port->ask(std::move(request));
  if (!reply) co_return fail(std::move(reply).error());
  Known known;
  std::vector<Record> pages;
  for (auto& row : reply->scans.front().rows) {
    known.versions.push_back(row.record.version);
    pages.push_back(std::move(row.record));
  }
  if (pages.empty()) co_return known;
  auto map = ShardMap::decode(pages);
  if (!map) co_return fail(std::move(map).error());
  known.map = std::move(*map);
  co_return known;
}

/// All pages at once: the map only grows.
Task<Result<>> SystemMap::write(const Known& known, const ShardMap& next) const {
  Transaction transaction;
  auto pages = next.pages();
  for (std::size_t i = 0; i < pages.size(); ++i) {
    const bool is_new = i >= known.versions.size();
    transaction.require(is_new ? Assert::Type::absent : Assert::Type::version, ShardMap::page_key(i),
                        is_new ? Stamp{} : known.versions[i]);
    transaction.put(ShardMap::page_key(i), std::move(pages[i]));
  }
  co_return co_await Registry(routes_).commit(std::move(transaction));
}

Task<Result<ShardMap>> SystemMap::known() const {
  auto known = co_await read();
  if (!known) co_return fail(std::move(known).error());
  if (known->versions.empty()) co_return fail(Errc::not_found, "the cluster has no map of its shards yet");
  co_return std::move(known->map);
}

Task<Result<ShardMap>> SystemMap::join(ShardMap here) const {
  const auto known = co_await read();
  if (!known) co_return fail(known.error());
  if (!KISEKI_PLANTED("1.1 an older map replaces a newer one")) here.add(known->map);
  if (here == known->map && !known->versions.empty()) co_return here;
  const auto written = co_await write(*known, here);
  if (!written) co_return fail(written.error());
  co_return here;
}

Task<Result<ShardId>> SystemMap::allocate(ShardMap here) const {
  const auto known = co_await read();
  if (!known) co_return fail(known.error());
  here.add(known->map);
  const ShardId id = here.next;
  here.next = ShardId(id.value() + 1);
  const auto written = co_await write(*known, here);
  if (!written) co_return fail(written.error());
  co_return id;
}

}  // namespace kiseki::shard::detail
