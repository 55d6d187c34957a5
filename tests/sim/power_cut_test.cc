#include <cstdlib>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "sim/workload.h"

namespace kiseki::sim {
namespace {

/// From the environment: KISEKI_SEEDS how many, KISEKI_SEED the first.
std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

/// Writers for a while, then a power cut at a moment nobody chose.
void run_until_cut(SimulatedLoop& loop, SimulatedNode& node, Workload& workload, Rng& rng) {
  Scope scope(loop.executor());
  for (std::size_t writer = 0; writer < 4; ++writer) scope.spawn(workload.write(scope, writer));
  loop.run_for(std::chrono::microseconds(500 + rng.below(200'000)));
  node.power_cut(scope);
}

/// The words of what went wrong, or nothing.
std::string run_seed(std::uint64_t seed) {
  SimulatedLoop loop;
  SimulatedNode node(loop, seed);
  Workload workload(node, seed + 1);
  SeededRng rng(seed + 2);
  for (int life = 0; life < 4; ++life) {
    if (auto started = node.start(); !started) return "start: " + started.error().to_string();
    if (auto ready = loop.get(workload.prepare()); !ready) return "prepare: " + ready.error().to_string();
    if (std::string words = loop.get(workload.check()); !words.empty()) return words;
    run_until_cut(loop, node, workload, rng);
  }
  if (auto started = node.start(); !started) return "start: " + started.error().to_string();
  if (std::string words = loop.get(workload.check()); !words.empty()) return words;
  if (workload.acknowledged() == 0) return "nothing was acknowledged: the test proves nothing";
  for (const std::string_view word : {Workload::bucket_name, Workload::known_word, Workload::known_header,
                                      std::string_view("plaintext-key"), std::string_view("plaintext-dir")}) {
    if (node.holds(word)) return fmt::format("'{}' stands on the disk", word);
  }
  return {};
}

TEST(PowerCut, loses_nothing_acknowledged_and_shows_no_plaintext) {
  const std::uint64_t first = from_environment("KISEKI_SEED", 1);
  const std::uint64_t count = from_environment("KISEKI_SEEDS", 12);
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    const std::string words = run_seed(seed);
    ASSERT_TRUE(words.empty()) << "KISEKI_SEEDS=1 KISEKI_SEED=" << seed << ": " << words;
  }
}

}  // namespace
}  // namespace kiseki::sim
