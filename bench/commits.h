#pragma once

#include <filesystem>

namespace kiseki::bench {

struct CommitOptions {
  std::filesystem::path directory;  ///< Scratch below it is made and removed.
  std::size_t clients = 64;
  double seconds = 5;
};

/// Commits a second of one-row transactions on four shards of one node, with flushes and with a disk whose
/// flushes do nothing, one after the other and once more; prints both and their ratio.
void measure_commits(const CommitOptions& options);

}  // namespace kiseki::bench
