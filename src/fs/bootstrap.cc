#include "fs/identities.h"
#include "fs/namespaces/namespace_rows.h"

namespace kiseki::fs {

namespace {

using enum shard::Assert::Type;

constexpr TenantId first_tenant{1};
constexpr NamespaceId first_root{1};

Task<Result<bool>> is_done(Services services) {
  shard::ReadRequest request;
  request.gets = {{.key = detail::tenant_key(first_tenant)}};
  const auto reply = co_await services.client->read(std::move(request));
  if (!reply) co_return fail(reply.error());
  co_return reply->gets[0].record.has_value();
}

}  // namespace

Task<Result<TenantId>> bootstrap(Services services, std::function<Result<>(TenantId)> new_tenant) {
  const auto done = co_await is_done(services);
  if (!done) co_return fail(done.error());
  if (*done) co_return first_tenant;
  // A crash before the commit leaves the tenant's key in the key file and nothing sealed under it.
  if (const auto added = new_tenant(first_tenant); !added && added.error().code() != Errc::exists) {
    co_return fail(added.error());
  }
  const auto root = co_await detail::prepare_namespace(services, first_tenant, first_root);
  if (!root) co_return fail(root.error());

  shard::Transaction transaction;
  transaction.time_ms = services.client->time_ms();
  const auto tenant = detail::tenant_key(first_tenant);
  transaction.require(absent, tenant);
  transaction.put(tenant, detail::system_record(detail::TenantRow{.root = first_root}.encode()));
  const auto lease = detail::lease_key(NamespaceId{});
  transaction.require(absent, lease);
  transaction.put(lease, detail::system_record(detail::encode_lease(first_root.value() + 1)));
  detail::add_namespace(services, transaction, *root->ns, root->descriptor);
  const auto outcome = co_await services.client->commit(std::move(transaction));
  if (!outcome) co_return fail(outcome.error());
  if (outcome->refusal == shard::Refusal::exists) co_return first_tenant;  // another was faster
  if (!outcome->committed()) co_return fail(Errc::conflict, "the first tenant could not be made");
  co_return first_tenant;
}

}  // namespace kiseki::fs
