#include "fs/detail/space_rows.h"

#include "fs/detail/directory_rows.h"

namespace kiseki::fs::detail {

namespace {

using enum shard::Assert::Type;

void add(shard::Transaction& transaction, shard::Key key, shard::Record record) {
  transaction.require(absent, key);
  transaction.put(std::move(key), std::move(record));
}

void add_tree(Services& services, shard::Transaction& transaction, const SpaceContext& space, InodeId id) {
  Rng& rng = *services.rng;
  const shard::LeafAddress first{space.id, id, LeafId{}};
  const Header header{crypto::Key256::random(rng), {}, {}, {}};
  add(transaction, header_key(space.id, id), make_header(rng, space, id, header));
  add(transaction, guard_key(first), make_guard(rng, space, first, {}));
}

}  // namespace

void add_space(Services& services, shard::Transaction& transaction, const SpaceContext& space,
               std::string descriptor) {
  const SpaceRow row{.tenant = space.tenant, .epoch = space.epoch, .changed_ms = services.client->time_ms()};
  add(transaction, space_key(space.id), system_record(row.encode()));
  add(transaction, descriptor_key(space.id), system_record(std::move(descriptor)));
  add(transaction, lease_key(space.id), system_record(encode_lease(IdLeases::first_id)));
  transaction.spaces.push_back({space.id, space.epoch});
  add_tree(services, transaction, space, root_directory);
  add_tree(services, transaction, space, uploads_tree);
}

Task<Result<NewSpace>> prepare_space(Services services, TenantId tenant, NamespaceId id) {
  auto descriptor = co_await services.keys->create(tenant, id);
  if (!descriptor) co_return fail(std::move(descriptor).error());
  auto keys = co_await services.keys->unlock(tenant, id, *descriptor);
  if (!keys) co_return fail(std::move(keys).error());
  const SpaceContext context{.id = id, .tenant = tenant, .epoch = 1, .keys = std::move(*keys)};
  co_return NewSpace{std::make_shared<const SpaceContext>(context), std::move(*descriptor)};
}

}  // namespace kiseki::fs::detail
