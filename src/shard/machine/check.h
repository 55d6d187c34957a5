#pragma once

#include <optional>
#include <set>

#include "shard/machine/locks.h"
#include "shard/rows/draft.h"

namespace kiseki::shard::detail {

/// What became of a transaction's asserts: it may commit (no refusal, no blocker), it is refused, or a
/// prepared transaction stands in its way.
struct Checked {
  Outcome outcome;
  std::optional<Holder> blocker;

  bool passed() const noexcept { return outcome.committed() && !blocker; }
};

/// Checks a transaction against one moment of a shard. Reads only.
///
/// A row that another transaction has prepared is never judged: its fate may be decided elsewhere already. A
/// row that is free and fails its assert refuses, whatever blocks the others.
class Check {
 public:
  enum class Purpose : std::uint8_t {
    commit,   ///< At once.
    prepare,  ///< Later: every row that is changed is locked until then.
    sweep,    ///< At once, by the node itself, which may take away what a deleted namespace has left.
  };
  struct Shard {
    ShardId id;
    const Locks& locks;
    GcEpoch epoch;
  };
  Check(Shard shard, Draft& draft, const Transaction& transaction, Purpose purpose)
      : shard_(shard), draft_(draft), transaction_(transaction), purpose_(purpose) {}

  Result<Checked> run();

 private:
  Result<bool> namespaces();
  bool only_erases() const;
  Result<bool> assertion(std::size_t place);
  Result<bool> generation(const Assert& assertion, std::size_t place);
  Result<bool> prefix_empty(const Assert& assertion, std::size_t place);
  Result<bool> operation(const Operation& operation);
  void fence(const Key& lock);
  Result<bool> may_vanish(const Key& key);
  bool adds_entries(const LeafAddress& leaf);
  void block(const Holder* holder);
  bool refuse(Refusal refusal, std::size_t place = 0, Stamp stamp = {});

  Shard shard_;
  Draft& draft_;
  const Transaction& transaction_;
  Purpose purpose_;
  std::optional<std::set<LeafAddress>> growing_;  // leaves that get entries; made when first asked for
  Checked checked_;
};

}  // namespace kiseki::shard::detail
