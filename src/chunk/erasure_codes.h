#pragma once

#include <map>
#include <span>
#include <vector>

#include "base/buffer.h"
#include "base/chunk_reference.h"

namespace kiseki::chunk {

/// A fragment that is there.
struct Source {
  std::uint8_t index = 0;
  View bytes;
};
/// A fragment to be computed.
struct Target {
  std::uint8_t index = 0;
  MutableView bytes;
};

/// Reed-Solomon codes, systematic: any k of the k + m fragments of a chunk give all others (matrix and field:
/// docs/formats/fragment.md). Of one core; keeps the tables of what was computed of late.
class ErasureCodes {
 public:
  /// Fills the targets, from data to parity or back, without copies of its own. `sources` are k fragments in
  /// rising order of indexes, `targets` others, rising as well. A fragment that is shorter than another
  /// counts as if zeros followed; of a target only what it has room for is computed.
  void compute(Profile profile, std::span<const Source> sources, std::span<const Target> targets);

  std::size_t tables() const noexcept { return tables_.size(); }

 private:
  using Fragments = std::uint32_t;  // a bit an index
  struct Key {
    std::uint8_t data = 0, parity = 0;
    Fragments sources = 0, targets = 0;
    friend auto operator<=>(const Key&, const Key&) = default;
  };
  using Tables = std::vector<unsigned char>;

  Tables& tables_for(const Key& key);
  /// Targets of one length.
  void fill(Profile profile, std::span<const Source> sources, std::span<const Target> targets);

  std::map<Key, Tables> tables_;
};

}  // namespace kiseki::chunk
