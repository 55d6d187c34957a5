#pragma once

#include <string>

#include "fs/configuration.h"
#include "fs/services.h"
#include "shard/record.h"

// The system shard's rows that fs writes (docs/formats/system-rows.md). They hold ids and states in the
// clear; whatever has a name or a secret in it is sealed.

namespace kiseki::fs::detail {

shard::Key tenant_key(TenantId tenant);
shard::Key namespace_key(NamespaceId ns);
shard::Key descriptor_key(NamespaceId ns);
shard::Key configuration_key(NamespaceId ns);
/// Of a namespace's directory and file ids; namespace 0: of namespace ids.
shard::Key lease_key(NamespaceId ns);

/// Of a namespace's name, in the whole cluster.
shard::Key name_index_key(const keys::KeyService& keys, std::string_view name);

/// A record of the system shard whose value stands as it is.
shard::Record system_record(std::string value);

/// A tenant: its sealed root directory is a namespace of its own.
struct TenantRow {
  NamespaceId root;

  std::string encode() const;
  static Result<TenantRow> decode(View bytes);
};

struct NamespaceRow {
  TenantId tenant;
  shard::NamespaceState state = shard::NamespaceState::active;
  std::uint32_t epoch = 1;       ///< Configuration epoch.
  std::uint64_t changed_ms = 0;  ///< When the state was set.
  bool settled = true;           ///< Every shard has been told of the state.

  std::string encode() const;
  static Result<NamespaceRow> decode(View bytes);
};

struct NameIndexRow {
  TenantId tenant;
  NamespaceId ns;

  std::string encode() const;
  static Result<NameIndexRow> decode(View bytes);
};

/// Of the namespace whose keys they are, which seal it.
shard::Record seal_configuration(Rng& rng, const keys::NamespaceKeys& keys,
                                 const Configuration& configuration);
Result<Configuration> open_configuration(const keys::NamespaceKeys& keys, const shard::Record& record);

/// The first id that nobody has.
std::string encode_lease(std::uint64_t next);
Result<std::uint64_t> decode_lease(View bytes);

}  // namespace kiseki::fs::detail
