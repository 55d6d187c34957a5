#include "fs/names/namespace_cache.h"

#include "fs/names/system_rows.h"

namespace kiseki::fs::detail {

Task<Result<NamespacePtr>> NamespaceCache::get(NamespaceId ns) {
  if (const auto found = cache_.find(ns); found != cache_.end()) co_return found->second;
  shard::ReadRequest request;
  request.gets = {{namespace_key(ns)}, {descriptor_key(ns)}};
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
  const std::string descriptor(as_text(reply->gets[1].record->value.view()));
  auto keys = co_await services_.keys->unlock(row->tenant, ns, descriptor);
  if (!keys) co_return fail(std::move(keys).error());
  if (cache_.size() >= entries_max) cache_.clear();
  const NamespaceContext context{
      .id = ns, .tenant = row->tenant, .epoch = row->epoch, .keys = std::move(*keys)};
  co_return cache_[ns] = std::make_shared<const NamespaceContext>(context);
}

}  // namespace kiseki::fs::detail
