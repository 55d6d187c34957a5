#include "fs/namespaces/namespace_rows.h"

#include "fs/tree/directory_rows.h"

namespace kiseki::fs::detail {

namespace {

using enum shard::Assert::Type;

void add(shard::Transaction& transaction, shard::Key key, shard::Record record) {
  transaction.require(absent, key);
  transaction.put(std::move(key), std::move(record));
}

void add_tree(Services& services, shard::Transaction& transaction, const NamespaceContext& ns, InodeId id) {
  Rng& rng = *services.rng;
  const shard::LeafAddress first{ns.id, id, LeafId{}};
  const Header header{crypto::Key256::random(rng), {}, {}, {}};
  add(transaction, header_key(ns.id, id), make_header(rng, ns, id, header));
  add(transaction, guard_key(first), make_guard(rng, ns, first, {}));
}

}  // namespace

void add_namespace(Services& services, shard::Transaction& transaction, const NamespaceContext& ns,
                   std::string descriptor) {
  const NamespaceRow row{.tenant = ns.tenant, .epoch = ns.epoch, .changed_ms = services.client->time_ms()};
  add(transaction, namespace_key(ns.id), system_record(row.encode()));
  add(transaction, descriptor_key(ns.id), system_record(std::move(descriptor)));
  add(transaction, configuration_key(ns.id), seal_configuration(*services.rng, *ns.keys, ns.configuration));
  add(transaction, lease_key(ns.id), system_record(encode_lease(IdLeases::first_id)));
  transaction.namespaces.push_back({ns.id, ns.epoch});
  add_tree(services, transaction, ns, root_directory);
  add_tree(services, transaction, ns, uploads_tree);
}

Task<Result<NewNamespace>> prepare_namespace(Services services, TenantId tenant, NamespaceId id,
                                             Configuration configuration) {
  auto descriptor = co_await services.keys->create(tenant, id);
  if (!descriptor) co_return fail(std::move(descriptor).error());
  auto keys = co_await services.keys->unlock(tenant, id, *descriptor);
  if (!keys) co_return fail(std::move(keys).error());
  const NamespaceContext context{.id = id,
                                 .tenant = tenant,
                                 .epoch = 1,
                                 .keys = std::move(*keys),
                                 .configuration = std::move(configuration)};
  co_return NewNamespace{std::make_shared<const NamespaceContext>(context), std::move(*descriptor)};
}

}  // namespace kiseki::fs::detail
