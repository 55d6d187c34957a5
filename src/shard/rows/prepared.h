#pragma once

#include <optional>
#include <string>
#include <vector>

#include "shard/proposal.h"

// What a shard keeps of prepared transactions (docs/formats/transaction.md).

namespace kiseki::shard::detail {

/// Value of an intent row.
struct Intent {
  enum class Mode : std::uint8_t {
    exclusive = 1,  ///< One holder, and what its commit does.
    shared = 2,     ///< Up to 64 holders that rely on the row.
    target = 3,     ///< One holder, whose commit moves another row here.
  };
  Mode mode = Mode::shared;
  std::optional<Operation> staged;  ///< For `exclusive`.
  std::vector<Holder> holders;

  static constexpr std::size_t shared_max = 64;
  std::string encode() const;
  static Result<Intent> decode(View bytes);
};

/// What a shard remembers of a transaction it has prepared, in its state family.
struct Prepared {
  struct Lock {
    Key key;
    bool exclusive = false;
    friend bool operator==(const Lock&, const Lock&) = default;
  };
  Holder holder;
  Stamp stamp;  ///< Of the prepare.
  std::uint64_t time_ms = 0;
  std::vector<NamespaceEpoch> namespaces;
  std::vector<Lock> locks;
  std::vector<Operation> unlocked;  ///< Put-stamped operations: their keys are nobody else's.

  std::string encode() const;
  static Result<Prepared> decode(View bytes);
};

/// Item of an intent: the original kind, item and stamp.
Key intent_key(const Key& row);
Key decision_key(const LeafAddress& primary, TransactionId id);
/// Value of a decision row.
std::string encode_decision(Verdict verdict, Stamp stamp);

}  // namespace kiseki::shard::detail
