#pragma once

#include <unordered_map>

#include "fs/names/least_recent.h"
#include "fs/namespaces.h"
#include "fs/namespaces/namespace_deletion.h"

namespace kiseki::fs::detail {

/// The namespaces of tenants: entries of a sealed root directory each tenant has (PROTOCOLS 1.9).
class TreeNamespaces final : public Namespaces {
 public:
  /// Both outlive it.
  TreeNamespaces(Tree& tree, NamespaceDeletion& deletion)
      : tree_(tree), deletion_(deletion), changes_(tree) {}

  Task<Result<Namespace>> create(TenantId tenant, std::string name, Configuration configuration) override;
  Task<Result<Namespace>> find(TenantId tenant, std::string name) override;
  Task<Result<Namespace>> recall(TenantId tenant, std::string name) override;
  Task<Result<std::vector<Namespace>>> list(TenantId tenant) override;
  Task<Result<>> remove(TenantId tenant, std::string name) override;
  Task<Result<Configured>> find_configuration(NamespaceId ns) override;
  Task<Result<Configured>> recall_configuration(NamespaceId ns) override;
  Task<Result<std::uint32_t>> configure(NamespaceId ns, std::uint32_t epoch,
                                        Configuration configuration) override;

 private:
  static constexpr std::size_t known_max = 4096;

  Task<Result<Directory>> root(TenantId tenant);
  Namespace keep(Namespace ns);
  Task<Result<EntrySlot>> locate(TenantId tenant, std::string name, Purpose purpose);

  Tree& tree_;
  NamespaceDeletion& deletion_;
  NamespaceChanges changes_;

  std::unordered_map<TenantId, NamespaceId> roots_;
  LeastRecent<std::pair<TenantId, std::string>, Namespace> known_{known_max};
};

}  // namespace kiseki::fs::detail
