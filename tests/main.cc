#include <cstdio>
#include <cstdlib>
#include <gtest/gtest.h>
#include <string_view>

/// The tests of one binary. `--seed N` begins simulations with that seed, `--seeds N` runs so many of them:
/// the same as KISEKI_SEED and KISEKI_SEEDS, which reach every binary of a whole run (see sim/simulation.h).
int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  for (int i = 1; i < argc; i += 2) {
    const std::string_view name = argv[i];
    const char* const variable = name == "--seed"    ? "KISEKI_SEED"
                                 : name == "--seeds" ? "KISEKI_SEEDS"
                                                     : nullptr;
    if (variable == nullptr || i + 1 == argc) {
      std::fprintf(stderr, "usage: %s [--seed N] [--seeds N] [--gtest_...]\n", argv[0]);
      return 2;
    }
    setenv(variable, argv[i + 1], 1);
  }
  return RUN_ALL_TESTS();
}
