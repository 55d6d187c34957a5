#pragma once

#include <cstdint>
#include <vector>

#include "shard/client/routes.h"

namespace kiseki::shard::detail {

/// What one shard does of a transaction.
struct Branch {
  Route route;
  Transaction transaction;
  std::vector<std::uint32_t> places;  ///< Of its asserts in the whole.

  /// For each `move_in`, in order: which branch has the record, and which of its `move_out`s it is.
  struct Incoming {
    std::size_t branch = 0, place = 0, operation = 0;
  };
  std::vector<Incoming> incoming;
};

/// Cuts a valid transaction by shards; a move between two becomes a `move_out` and a `move_in`. In an order
/// in which every branch comes after those whose records it takes in, the first one without any;
/// `not_supported` when there is none.
Result<std::vector<Branch>> cut(const Routes& routes, const Transaction& transaction);

/// The row whose shard decides: one that the first branch locks.
Key primary_of(const Branch& branch);

}  // namespace kiseki::shard::detail
