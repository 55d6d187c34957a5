#include "fs/namespaces/tree_namespaces.h"

#include <algorithm>

#include "base/codec.h"
#include "fs/namespaces/namespace_rows.h"
#include "fs/tree/rows.h"

namespace kiseki::fs::detail {

namespace {

constexpr std::uint8_t format = 1;
constexpr std::size_t namespaces_max = 100'000;

std::string encode_created(std::uint64_t created_ms) {
  std::string out;
  Encoder(out).integer(format).integer(created_ms);
  return out;
}

/// `denied` when the name is another tenant's.
Result<> check_owner(TenantId tenant, const shard::Record& record) {
  const auto row = NameIndexRow::decode(record.value.view());
  if (!row) return fail(row.error());
  if (row->tenant != tenant) return fail(Errc::denied, "another tenant has a namespace of that name");
  return {};
}

Result<Namespace> namespace_of(TenantId tenant, std::string name, const shard::Record& record,
                               std::string_view value) {
  Decoder in(as_view(value));
  const auto found = in.integer<std::uint8_t>();
  if (!in.failed() && found != format)
    return fail(Errc::wrong_format, "a namespace's entry of another format");
  Namespace ns{.id = NamespaceId(record.id.value()), .tenant = tenant, .name = std::move(name)};
  ns.created_ms = in.integer<std::uint64_t>();
  KISEKI_TRY(in.finish("namespace's entry"));
  return ns;
}

Result<> check(const Configuration& configuration) {
  if (configuration.encode().size() <= Configuration::size_max) return {};
  return fail(Errc::too_large, "the configuration of a namespace has at most 60 KiB");
}

}  // namespace

Task<Result<Directory>> TreeNamespaces::root(TenantId tenant) {
  if (const auto known = roots_.find(tenant); known != roots_.end()) {
    co_return co_await tree_.open(known->second, root_directory);
  }
  shard::ReadRequest request;
  request.gets = {{.key = tenant_key(tenant)}};
  const auto reply = co_await tree_.services().client->read(std::move(request));
  if (!reply) co_return fail(reply.error());
  const auto& record = reply->gets[0].record;
  if (!record) co_return fail(Errc::not_found, "no such tenant");
  const auto row = TenantRow::decode(record->value.view());
  if (!row) co_return fail(row.error());
  roots_[tenant] = row->root;
  co_return co_await tree_.open(row->root, root_directory);
}

Task<Result<EntrySlot>> TreeNamespaces::locate(TenantId tenant, std::string name, Purpose purpose) {
  auto directory = co_await root(tenant);
  if (!directory) co_return fail(std::move(directory).error());
  co_return co_await tree_.locate(std::move(*directory), std::move(name), NameType::directory, purpose);
}

Task<Result<Namespace>> TreeNamespaces::create(TenantId tenant, std::string name,
                                               Configuration configuration) {
  KISEKI_CO_TRY(check_namespace_name(name));
  KISEKI_CO_TRY(check(configuration));
  auto& services = tree_.services();
  std::optional<NewNamespace> made;
  Attempts attempts;
  while (true) {
    const auto slot = co_await locate(tenant, name, Purpose::write);
    if (!slot) co_return fail(slot.error());
    if (slot->record) co_return fail(Errc::exists, "the tenant has a namespace of that name");
    if (!made) {
      const auto id = co_await IdLeases(services).next_namespace();
      if (!id) co_return fail(id.error());
      auto prepared = co_await prepare_namespace(services, tenant, *id, configuration);
      if (!prepared) co_return fail(std::move(prepared).error());
      made = std::move(*prepared);
    }
    const std::uint64_t created_ms = services.client->time_ms();
    shard::Record record;
    record.id = InodeId(made->ns->id.value());
    record.type = shard::EntryType::directory;
    tree_.seal_entry(*slot, record, encode_created(created_ms));
    const shard::Key index = name_index_key(*services.keys, name);
    const auto taken = co_await read_row(tree_, index);
    if (!taken) co_return fail(taken.error());
    // Of this tenant's own that is being made or deleted: the entry shows it next time.
    if (*taken) KISEKI_CO_TRY(check_owner(tenant, **taken));
    auto transaction = tree_.begin(*slot);
    transaction.put(slot->key, std::move(record));
    const NameIndexRow row{.tenant = tenant, .ns = made->ns->id};
    transaction.require(shard::Assert::Type::absent, index).put(index, system_record(row.encode()));
    add_namespace(services, transaction, *made->ns, made->descriptor);
    const auto outcome = co_await tree_.commit(*slot, std::move(transaction));
    if (!outcome) co_return fail(outcome.error());
    if (outcome->committed()) {
      co_return keep(Namespace{made->ns->id, tenant, std::move(name), created_ms});
    }
    KISEKI_CO_TRY(co_await tree_.recover(*slot, *outcome, attempts));
  }
}

Task<Result<Namespace>> TreeNamespaces::find(TenantId tenant, std::string name) {
  const auto slot = co_await locate(tenant, name, Purpose::read);
  if (!slot) co_return fail(slot.error());
  if (!slot->record) {
    known_.erase({tenant, name});
    co_return fail(Errc::not_found, "no such namespace");
  }
  auto found = namespace_of(tenant, std::move(name), *slot->record, slot->value);
  if (!found) co_return fail(std::move(found).error());
  co_return keep(*std::move(found));
}

Task<Result<Namespace>> TreeNamespaces::recall(TenantId tenant, std::string name) {
  if (const auto* known = known_.find({tenant, name})) co_return *known;
  co_return co_await find(tenant, std::move(name));
}

Namespace TreeNamespaces::keep(Namespace ns) {
  known_.put({ns.tenant, ns.name}, ns);
  return ns;
}

Task<Result<std::vector<Namespace>>> TreeNamespaces::list(TenantId tenant) {
  const auto directory = co_await root(tenant);
  if (!directory) co_return fail(directory.error());
  std::vector<Namespace> namespaces;
  std::optional<std::string> from = std::string();
  while (from) {
    auto leaf = co_await tree_.read_leaf(*directory, *from);
    if (!leaf) co_return fail(std::move(leaf).error());
    for (auto& entry : leaf->entries) {
      auto ns = namespace_of(tenant, std::move(entry.name), entry.record, entry.value);
      if (!ns) co_return fail(std::move(ns).error());
      namespaces.push_back(std::move(*ns));
    }
    if (namespaces.size() > namespaces_max)
      co_return fail(Errc::too_large, "too many namespaces for one list");
    from = std::move(leaf->high);
  }
  std::ranges::sort(namespaces, {}, &Namespace::name);
  co_return namespaces;
}

Task<Result<>> TreeNamespaces::remove(TenantId tenant, std::string name) {
  known_.erase({tenant, name});
  auto slot = co_await locate(tenant, std::move(name), Purpose::write);
  if (!slot) co_return fail(std::move(slot).error());
  if (!slot->record) co_return fail(Errc::not_found, "no such namespace");
  const NamespaceId id(slot->record->id.value());
  // A look first: a namespace that is in use is not stopped for it.
  auto ns = co_await tree_.namespaces().get(id);
  if (ns) {
    const auto shown = co_await tree_.visible(std::move(*ns), {root_directory});
    if (!shown) co_return fail(shown.error());
    if (shown->front()) co_return fail(Errc::not_empty, "the namespace is not empty");
  } else if (ns.error().code() != Errc::unavailable) {
    co_return fail(std::move(ns).error());
  }
  co_return co_await deletion_.run(id, std::move(*slot));
}

Task<Result<Configured>> TreeNamespaces::find_configuration(NamespaceId ns) {
  tree_.namespaces().forget(ns);
  co_return co_await recall_configuration(ns);
}

Task<Result<Configured>> TreeNamespaces::recall_configuration(NamespaceId ns) {
  const auto context = co_await tree_.namespaces().get(ns);
  if (!context) co_return fail(context.error());
  co_return Configured{(*context)->configuration, (*context)->epoch};
}

Task<Result<std::uint32_t>> TreeNamespaces::configure(NamespaceId ns, std::uint32_t epoch,
                                                      Configuration configuration) {
  KISEKI_CO_TRY(check(configuration));
  const auto context = co_await tree_.namespaces().get(ns);
  if (!context) co_return fail(context.error());
  const auto found = co_await changes_.read(ns);
  if (!found) co_return fail(found.error());
  if (found->row.state == shard::NamespaceState::deleted)
    co_return fail(Errc::not_found, "no such namespace");
  if (found->row.state == shard::NamespaceState::deleting) {
    co_return fail(Errc::unavailable, "the namespace is being deleted");
  }
  if (found->row.epoch != epoch) co_return fail(Errc::conflict, "another has changed the configuration");
  const auto changed = co_await changes_.configure(*context, *found, std::move(configuration));
  if (!changed) co_return fail(changed.error());
  co_return changed->row.epoch;
}

}  // namespace kiseki::fs::detail
