#pragma once

#include <cstdint>
#include <string>

namespace kiseki::fs {

/// What the namespace holds: a few names; leaves one of which is empty; one entry.
enum class Scene : std::uint8_t { names, leaves, entry };

struct Exploration {
  std::uint64_t runs = 0;
  std::string words;  ///< What went wrong in the last of them; empty: nothing in any.
};

/// Of every two calls on a small namespace, one happens whole before each single read or commit of the other,
/// from another gateway. Judged as in `RaceSimulation`. Ends with the first that goes wrong.
Exploration explore_pairs(Scene scene);

}  // namespace kiseki::fs
