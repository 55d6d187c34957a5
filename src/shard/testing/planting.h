#pragma once

#include "sim/simulation.h"

namespace kiseki::shard::detail {

/// A fault, and what shows it.
struct Planting {
  const char* fault;
  bool (*holds)() = nullptr;  ///< A schedule of its own; null: a simulation.
};

/// Why it was not noticed; empty: it was.
inline std::string unnoticed(const Planting& planting, sim::Seeds seeds, const sim::Simulation& simulation) {
  const auto& [name, holds] = planting;
  if (holds == nullptr) return sim::unnoticed(name, seeds, simulation);
  if (!holds()) return "it does not hold without the fault";
  const auto words_of = [holds](std::uint64_t) { return holds() ? "" : "a directed schedule"; };
  return sim::unnoticed(name, {.first = 0, .count = 1}, words_of);
}

}  // namespace kiseki::shard::detail
