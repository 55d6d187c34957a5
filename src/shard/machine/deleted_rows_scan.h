#pragma once

#include <map>

#include "kv/kv_store.h"
#include "shard/machine/machine.h"

namespace kiseki::shard::detail {

/// Finds what deleted namespaces have left in one shard, a few rows at a time: directories that were made and
/// never linked, bodies that were never named, what waited for a sweep. Nobody else can write there. Goes
/// over the shard's rows from the first slot to the last, once after a start and again when a namespace was
/// deleted since it began.
class DeletedRowsScan {
 public:
  static constexpr std::size_t rows_max = 512;

  struct Shard {
    ShardId id;
    SlotRange range;
    std::uint64_t deletions;
  };
  bool has_work(std::uint64_t deletions) const {
    return (phase_ != Phase::done && !from_.empty()) || deletions_ != deletions;
  }
  /// None does not mean that none are left. The next look finds the same rows again unless they have gone.
  Result<DeletedRows> look(kv::KvStore& store, const Shard& shard);

 private:
  enum class Phase : std::uint8_t { rows, feeds, done };
  class Look;

  Phase phase_ = Phase::rows;
  std::string from_;             // the key to go on with
  std::uint64_t deletions_ = 0;  // of the shard, when this turn began
};

}  // namespace kiseki::shard::detail
