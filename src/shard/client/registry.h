#pragma once

#include "shard/client/routes.h"
#include "shard/rows/session_row.h"

namespace kiseki::shard::detail {

/// The sessions of the cluster, in rows of the system shard.
class Registry {
 public:
  explicit Registry(const Routes& routes) : routes_(routes) {}

  /// A new session; the earlier ones of `process` are fenced in every shard.
  Task<Result<SessionId>> open(std::uint64_t process) const;
  Task<Result<SessionTable>> table() const;
  /// These sessions are alive. Returns those that are fenced.
  Task<Result<std::vector<SessionId>>> beat(std::vector<SessionId> living) const;
  /// The open ones that have not beaten for a term.
  Task<Result<std::vector<SessionTable::Entry>>> silent() const;
  /// In every shard.
  Task<Result<>> fence(SessionTable::Entry entry) const;
  /// Nothing of these fenced sessions of the table is left in any shard: they are forgotten.
  Task<Result<>> forget(SessionTable table, std::vector<SessionTable::Entry> gone) const;
  /// A transaction of the node itself, on the system shard. `conflict` when it is refused.
  Task<Result<>> commit(Transaction transaction) const;

 private:
  Task<Result<SessionId>> allocate(std::uint64_t process) const;
  Task<Result<>> everywhere(Proposal proposal) const;

  const Routes& routes_;
};

}  // namespace kiseki::shard::detail
