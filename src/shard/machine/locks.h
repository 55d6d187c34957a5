#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "shard/rows/draft.h"
#include "shard/rows/prepared.h"
#include "shard/rows/state_rows.h"

namespace kiseki::shard::detail {

/// The prepared transactions of a shard and the rows they lock (rule 4.1): exclusive what they change, shared
/// what they assert. In memory a table, in the store intent rows under the leaves and one state row each.
class Locks {
 public:
  explicit Locks(ShardId shard) : shard_(shard) {}

  /// Rebuilds the table.
  Result<> load(kv::KvStore& store);

  const Prepared* find(TransactionId id) const;
  const std::map<TransactionId, Prepared>& all() const noexcept { return prepared_; }

  std::size_t rows() const noexcept { return users_.size(); }
  /// Who changes the row.
  const Holder* writer_of(const Key& row) const;
  /// Who changes the row or relies on it.
  const Holder* user_of(const Key& row) const;
  /// Who changes an ordinary row of the leaf and kind.
  std::vector<const Holder*> writers_in(const LeafAddress& leaf, Kind kind) const;
  /// Something that the session has prepared.
  const Holder* any_of(SessionId session) const;
  /// A shared lock more would be one too many.
  bool is_full(const Key& row) const;

  /// Takes the locks of `branch`, which are free, and stages its operations.
  Result<> take(Draft& draft, Holder holder, Stamp stamp, const Transaction& branch);
  /// Leaves what lies in `upper` to the shard `child`: a transaction with rows on both sides stands in both.
  Result<> divide(Draft& draft, ShardId child, SlotRange upper);
  /// Gives them back, and returns what was staged.
  Result<std::vector<Operation>> release(Draft& draft, TransactionId id);

 private:
  struct Users {
    std::optional<TransactionId> writer;
    std::vector<TransactionId> readers;
  };
  void enter(const Prepared& prepared);
  Result<> share(Draft& draft, const Holder& holder, const Key& row);
  Result<> divide_moves(Draft& draft, const Prepared& prepared, SlotRange upper);
  Result<std::optional<Operation>> unstage(Draft& draft, TransactionId id, const Key& row);

  ShardId shard_;
  std::map<TransactionId, Prepared> prepared_;
  std::map<std::string, Users> users_;  // by encoded key of the row
};

/// Rows of a part that its prepare locks, each once.
std::vector<Prepared::Lock> locks_of(const Transaction& branch);

}  // namespace kiseki::shard::detail
