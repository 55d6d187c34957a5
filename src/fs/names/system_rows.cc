#include "fs/names/system_rows.h"

#include "base/codec.h"
#include "fs/names/sealer.h"

namespace kiseki::fs::detail {

namespace {
constexpr std::uint8_t format = 2;

/// Reads and checks the format byte every row begins with.
Result<Decoder> begin(View bytes) {
  Decoder in(bytes);
  const auto found = in.integer<std::uint8_t>();
  if (!in.failed() && found != format) return fail(Errc::wrong_format, "a system row of another format");
  return in;
}

}  // namespace

shard::Key tenant_key(TenantId tenant) {
  return shard::system_key(shard::Kind::tenant, shard::item_of(tenant.value()));
}
shard::Key namespace_key(NamespaceId ns) {
  return shard::system_key(shard::Kind::name_namespace, shard::item_of(ns.value()));
}
shard::Key descriptor_key(NamespaceId ns) {
  return shard::system_key(shard::Kind::key_descriptor, shard::item_of(ns.value()));
}
shard::Key configuration_key(NamespaceId ns) {
  return shard::system_key(shard::Kind::configuration, shard::item_of(ns.value()));
}
shard::Key lease_key(NamespaceId ns) {
  return shard::system_key(shard::Kind::id_lease, shard::item_of(ns.value()));
}

shard::Key name_index_key(const keys::KeyService& keys, std::string_view name) {
  return shard::system_key(shard::Kind::name_index, std::string(as_text(keys.token(as_view(name)))));
}

shard::Record system_record(std::string value) {
  shard::Record record;
  record.value = crypto::Sealed::from_store(std::move(value));
  return record;
}

std::string TenantRow::encode() const {
  std::string out;
  Encoder(out).integer(format).id(root);
  return out;
}

Result<TenantRow> TenantRow::decode(View bytes) {
  auto in = begin(bytes);
  if (!in) return fail(std::move(in).error());
  const TenantRow row{.root = in->id<NamespaceId>()};
  KISEKI_TRY(in->finish("tenant row"));
  return row;
}

std::string NamespaceRow::encode() const {
  std::string out;
  Encoder(out)
      .integer(format)
      .id(tenant)
      .enumerator(state)
      .integer(epoch)
      .integer(changed_ms)
      .integer(static_cast<std::uint8_t>(settled));
  return out;
}

Result<NamespaceRow> NamespaceRow::decode(View bytes) {
  auto in = begin(bytes);
  if (!in) return fail(std::move(in).error());
  NamespaceRow row;
  row.tenant = in->id<TenantId>();
  const auto state = in->integer<std::uint8_t>();
  if (state < 1 || state > 3) in->reject();
  row.state = static_cast<shard::NamespaceState>(state);
  row.epoch = in->integer<std::uint32_t>();
  row.changed_ms = in->integer<std::uint64_t>();
  row.settled = in->integer<std::uint8_t>() != 0;
  KISEKI_TRY(in->finish("namespace row"));
  return row;
}

std::string NameIndexRow::encode() const {
  std::string out;
  Encoder(out).integer(format).id(tenant).id(ns);
  return out;
}

Result<NameIndexRow> NameIndexRow::decode(View bytes) {
  auto in = begin(bytes);
  if (!in) return fail(std::move(in).error());
  NameIndexRow row;
  row.tenant = in->id<TenantId>();
  row.ns = in->id<NamespaceId>();
  KISEKI_TRY(in->finish("name index"));
  return row;
}

shard::Record seal_configuration(Rng& rng, const keys::NamespaceKeys& keys,
                                 const Configuration& configuration) {
  shard::Record record;
  seal(rng, keys, configuration_key(keys.ns()), record, as_view(configuration.encode()));
  return record;
}

Result<Configuration> open_configuration(const keys::NamespaceKeys& keys, const shard::Record& record) {
  const auto bytes = unseal(keys, configuration_key(keys.ns()), record);
  if (!bytes) return fail(bytes.error());
  return Configuration::decode(as_view(*bytes));
}

std::string encode_lease(std::uint64_t next) {
  std::string out;
  Encoder(out).integer(format).integer(next);
  return out;
}

Result<std::uint64_t> decode_lease(View bytes) {
  auto in = begin(bytes);
  if (!in) return fail(std::move(in).error());
  const auto next = in->integer<std::uint64_t>();
  KISEKI_TRY(in->finish("id lease"));
  return next;
}

}  // namespace kiseki::fs::detail
