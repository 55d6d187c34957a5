#pragma once

#include <cstdint>
#include <vector>

#include "shard/detail/routes.h"

namespace kiseki::shard::detail {

/// What one shard does of a transaction.
struct Part {
  Route route;
  Transaction transaction;
  std::vector<std::uint32_t> places;  ///< Of its asserts in the whole.

  /// For each `move_in`, in order: which part has the record, and which of its `move_out`s it is.
  struct Incoming {
    std::size_t part = 0, place = 0, operation = 0;
  };
  std::vector<Incoming> incoming;
};

/// Cuts a valid transaction by shards; a move between two becomes a `move_out` and a `move_in`. In an order
/// in which every part comes after those whose records it takes in, the first one without any;
/// `not_supported` when there is none.
Result<std::vector<Part>> cut(const Routes& routes, const Transaction& transaction);

/// The row whose shard decides: one that the first part locks.
Key primary_of(const Part& part);

}  // namespace kiseki::shard::detail
