#include "shard/client/shard_map.h"

#include <algorithm>

#include "base/codec.h"
#include "base/planted.h"
#include "shard/client/registry.h"
#include "shard/rows/row_codec.h"

namespace kiseki::shard::detail {

namespace {
constexpr std::uint8_t format = 2;
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

Record ShardMap::record() const {
  std::string value;
  Encoder out(value);
  out.integer(format).id(next).integer(static_cast<std::uint32_t>(shards.size()));
  for (const auto& one : shards) out.id(one.id).integer(one.range.first).integer(one.range.last);
  Record record;
  record.value = crypto::Sealed::from_store(std::move(value));
  return record;
}

Result<ShardMap> ShardMap::decode(const Record& record) {
  auto in = begin_value(record.value.view(), format, "shard map");
  if (!in) return fail(std::move(in).error());
  ShardMap map;
  map.shards.clear();
  map.next = in->id<ShardId>();
  const auto count = in->integer<std::uint32_t>();
  std::uint32_t next_slot = 0;
  for (std::uint32_t i = 0; i < count && !in->failed(); ++i) {
    const auto id = in->id<ShardId>();
    const auto first = in->integer<Slot>();
    const auto last = in->integer<Slot>();
    if (first != next_slot || last < first || id >= map.next) in->reject();
    next_slot = last + 1U;
    map.shards.push_back({.id = id, .range = {.first = first, .last = last}});
  }
  if (next_slot != slots) in->reject();
  KISEKI_TRY(in->finish("shard map"));
  return map;
}

Task<Result<SystemMap::Known>> SystemMap::read() const {
  RowsRequest request;
  request.gets.push_back({system_key(Kind::map, {}), false});
  auto reply = co_await routes_.system().port->ask(std::move(request));
  if (!reply) co_return fail(std::move(reply).error());
  const auto& record = reply->gets.front().record;
  if (!record) co_return Known{};
  auto map = ShardMap::decode(*record);
  if (!map) co_return fail(std::move(map).error());
  co_return Known{.map = std::move(*map), .version = record->version};
}

Task<Result<>> SystemMap::write(Stamp known, const ShardMap& next) const {
  const Key row = system_key(Kind::map, {});
  Transaction transaction;
  transaction.require(known.is_none() ? Assert::Type::absent : Assert::Type::version, row, known);
  transaction.put(row, next.record());
  co_return co_await Registry(routes_).commit(std::move(transaction));
}

Task<Result<ShardMap>> SystemMap::join(ShardMap here) const {
  const auto known = co_await read();
  if (!known) co_return fail(known.error());
  if (!KISEKI_PLANTED("1.1 an older map replaces a newer one")) here.add(known->map);
  if (here == known->map && !known->version.is_none()) co_return here;
  const auto written = co_await write(known->version, here);
  if (!written) co_return fail(written.error());
  co_return here;
}

Task<Result<ShardId>> SystemMap::allocate(ShardMap here) const {
  const auto known = co_await read();
  if (!known) co_return fail(known.error());
  here.add(known->map);
  const ShardId id = here.next;
  here.next = ShardId(id.value() + 1);
  const auto written = co_await write(known->version, here);
  if (!written) co_return fail(written.error());
  co_return id;
}

}  // namespace kiseki::shard::detail
