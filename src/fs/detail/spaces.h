#pragma once

#include <unordered_map>

#include "fs/detail/space_deletion.h"
#include "fs/file_system.h"

namespace kiseki::fs::detail {

/// The namespaces of tenants: entries of a sealed root directory each tenant has (PROTOCOLS 1.9). The calls
/// of `FileSystem` about them.
class Spaces {
 public:
  /// Both outlive it.
  Spaces(Tree& tree, SpaceDeletion& deletion) : tree_(tree), deletion_(deletion) {}

  Task<Result<Space>> create(TenantId tenant, std::string name);
  Task<Result<Space>> find(TenantId tenant, std::string name);
  Task<Result<std::vector<Space>>> list(TenantId tenant);
  Task<Result<>> remove(TenantId tenant, std::string name);

 private:
  Task<Result<Directory>> root(TenantId tenant);
  Task<Result<Place>> locate(TenantId tenant, std::string name, Purpose purpose);

  Tree& tree_;
  SpaceDeletion& deletion_;
  std::unordered_map<TenantId, NamespaceId> roots_;
};

}  // namespace kiseki::fs::detail
