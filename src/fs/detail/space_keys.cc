#include "fs/detail/space_keys.h"

#include "fs/detail/system_rows.h"

namespace kiseki::fs::detail {

Task<Result<SpacePtr>> SpaceKeys::get(NamespaceId space) {
  if (const auto found = cache_.find(space); found != cache_.end()) co_return found->second;
  shard::ReadRequest request;
  request.gets = {{space_key(space)}, {descriptor_key(space)}};
  auto reply = co_await services_.client->read(std::move(request));
  if (!reply) co_return fail(std::move(reply).error());
  if (!reply->gets[0].record) co_return fail(Errc::not_found, "no such namespace");
  const auto row = SpaceRow::decode(reply->gets[0].record->value.view());
  if (!row) co_return fail(row.error());
  if (row->state == shard::SpaceState::deleting) {
    co_return fail(Errc::unavailable, "the namespace is being deleted");
  }
  if (row->state == shard::SpaceState::deleted || !reply->gets[1].record) {
    co_return fail(Errc::not_found, "no such namespace");
  }
  const std::string descriptor(as_text(reply->gets[1].record->value.view()));
  auto keys = co_await services_.keys->unlock(row->tenant, space, descriptor);
  if (!keys) co_return fail(std::move(keys).error());
  if (cache_.size() >= entries_max) cache_.clear();
  const SpaceContext context{
      .id = space, .tenant = row->tenant, .epoch = row->epoch, .keys = std::move(*keys)};
  co_return cache_[space] = std::make_shared<const SpaceContext>(context);
}

}  // namespace kiseki::fs::detail
