#include "fs/names/namespace_cache.h"

#include "fs/names/system_rows.h"

namespace kiseki::fs::detail {

namespace {

/// How often a row may change while one reads it.
constexpr int readings_max = 8;

}  // namespace

Task<Result<NamespacePtr>> NamespaceCache::get(NamespaceId ns) {
  if (const auto found = cache_.find(ns); found != cache_.end()) co_return found->second;
  for (int reading = 0; reading < readings_max; ++reading) {
    auto context = co_await read(ns);
    if (context && cache_.size() >= entries_max) cache_.clear();
    if (context) co_return cache_[ns] = std::move(*context);
    if (context.error().code() != Errc::stale) co_return context;
  }
  co_return fail(Errc::busy, "the configuration of the namespace keeps changing");
}

/// `stale` when it changed meanwhile.
Task<Result<NamespacePtr>> NamespaceCache::read(NamespaceId ns) {
  shard::ReadRequest request;
  request.gets = {{namespace_key(ns)}, {descriptor_key(ns)}, {configuration_key(ns)}};
  auto reply = co_await services_.client->read(std::move(request));
  if (!reply) co_return fail(std::move(reply).error());
  if (!reply->gets[0].record) co_return fail(Errc::not_found, "no such namespace");
  const auto row = NamespaceRow::decode(reply->gets[0].record->value.view());
  if (!row) co_return fail(row.error());
  if (row->state == shard::NamespaceState::deleting) {
    co_return fail(Errc::unavailable, "the namespace is being deleted");
  }
  if (row->state == shard::NamespaceState::deleted || !reply->gets[1].record) {
    co_return fail(Errc::not_found, "no such namespace");
  }
  if (!reply->gets[2].record) co_return fail(Errc::corrupted, "a namespace without a configuration");
  const std::string descriptor(as_text(reply->gets[1].record->value.view()));
  auto keys = co_await services_.keys->unlock(row->tenant, ns, descriptor);
  if (!keys) co_return fail(std::move(keys).error());
  auto configuration = open_configuration(**keys, *reply->gets[2].record);
  if (!configuration) co_return fail(std::move(configuration).error());
  // Who changed it may have died before the shards knew: they would refuse this epoch.
  if (!row->settled) KISEKI_CO_TRY(co_await services_.client->configure(ns, row->epoch, row->state));
  co_return std::make_shared<const NamespaceContext>(
      NamespaceContext{.id = ns,
                       .tenant = row->tenant,
                       .epoch = row->epoch,
                       .keys = std::move(*keys),
                       .configuration = std::move(*configuration)});
}

void NamespaceCache::note_raised(NamespaceId ns, std::uint32_t epoch) {
  const auto found = cache_.find(ns);
  if (found == cache_.end() || found->second->epoch >= epoch) return;
  cache_.erase(found);
  ++news_;
}

}  // namespace kiseki::fs::detail
