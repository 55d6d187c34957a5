#pragma once

#include <string>
#include <vector>

#include "base/ids.h"
#include "base/task.h"
#include "fs/configuration.h"

namespace kiseki::fs {

/// A namespace: an S3 bucket.
struct Namespace {
  NamespaceId id;
  TenantId tenant;
  std::string name;
  std::uint64_t created_ms = 0;
};

/// What the name of a namespace may be: `invalid_argument` otherwise (S3 User Guide, "General purpose bucket
/// naming rules").
Result<> check_namespace_name(std::string_view name);

/// The namespaces of tenants.
class Namespaces {
 public:
  virtual ~Namespaces() = default;

  /// `exists` when the tenant has one of that name, `denied` when another has; `invalid_argument` for a bad
  /// name.
  virtual Task<Result<Namespace>> create(TenantId tenant, std::string name, Configuration configuration) = 0;
  virtual Task<Result<Namespace>> find(TenantId tenant, std::string name) = 0;
  /// The same from memory where it is known: the namespace may have gone since, and another may have its
  /// name. Operations on objects of one that has gone answer `not_found`; whoever gets that asks `find`.
  virtual Task<Result<Namespace>> recall(TenantId tenant, std::string name) = 0;
  /// In byte order of the names.
  virtual Task<Result<std::vector<Namespace>>> list(TenantId tenant) = 0;
  /// `not_empty` while an object is in it. Open multipart uploads go with it.
  virtual Task<Result<>> remove(TenantId tenant, std::string name) = 0;

  /// As it stands now.
  virtual Task<Result<Configured>> find_configuration(NamespaceId ns) = 0;
  /// As it stood when this core last heard of a change, which it does by any answer about the namespace.
  virtual Task<Result<Configured>> recall_configuration(NamespaceId ns) = 0;
  /// In place of the one of `epoch`, which it answers with the next: `conflict` when another came first. On
  /// return nothing is done under the old one any more.
  virtual Task<Result<std::uint32_t>> configure(NamespaceId ns, std::uint32_t epoch,
                                                Configuration configuration) = 0;
};

}  // namespace kiseki::fs
