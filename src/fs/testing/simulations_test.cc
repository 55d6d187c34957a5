#include <gtest/gtest.h>

#include "fs/testing/model_simulation.h"
#include "fs/testing/pair_exploration.h"
#include "fs/testing/race_simulation.h"
#include "fs/testing/upload_simulation.h"

// Directories, objects and uploads against models, by seed; and that these notice when a rule is broken
// (docs/simulation.md).

namespace kiseki::fs {
namespace {

void expect_clean(const sim::Simulation& simulation, std::uint64_t count) {
  const auto finding = sim::find_violation(simulation, sim::Seeds::from_environment(count));
  EXPECT_FALSE(finding) << finding->to_string();
}

TEST(Directories, answer_and_stand_as_a_plain_model) { expect_clean(ModelSimulation(), 400); }
TEST(Directories, what_happens_at_once_has_an_order) { expect_clean(RaceSimulation(), 700); }
TEST(Uploads, end_once_and_leave_nothing) { expect_clean(UploadSimulation(), 2'000); }

TEST(Directories, any_call_may_come_before_any_step_of_another) {
  for (const auto scene : {Scene::names, Scene::leaves, Scene::entry}) {
    EXPECT_EQ(explore_pairs(scene).words, "");
  }
}

enum class Kind : std::uint8_t { model, race, upload, pairs_of_names, pairs_in_leaves };

struct Fault {
  const char* name;
  Kind noticed_by;
};

void PrintTo(const Fault& fault, std::ostream* out) { *out << fault.name; }

class Planted : public testing::TestWithParam<Fault> {};

/// Why the fault was not noticed; empty when it was.
std::string unnoticed(const Fault& fault) {
  constexpr sim::Seeds seeds{.first = 0, .count = 400};
  const auto pairs_of = [](Scene scene) {
    return [scene](std::uint64_t) {
      const auto done = explore_pairs(scene);
      return done.words.empty() ? "" : fmt::format("pair {}: {}", done.runs, done.words);
    };
  };
  switch (fault.noticed_by) {
    case Kind::model:
      return sim::unnoticed(fault.name, seeds, ModelSimulation());
    case Kind::race:
      return sim::unnoticed(fault.name, seeds, RaceSimulation());
    case Kind::upload:
      return sim::unnoticed(fault.name, seeds, UploadSimulation());
    case Kind::pairs_of_names:
      return sim::unnoticed(fault.name, {.first = 0, .count = 1}, pairs_of(Scene::names));
    case Kind::pairs_in_leaves:
      return sim::unnoticed(fault.name, {.first = 0, .count = 1}, pairs_of(Scene::leaves));
  }
  return "nobody looks";
}

TEST_P(Planted, is_noticed) { EXPECT_EQ(unnoticed(GetParam()), ""); }

INSTANTIATE_TEST_SUITE_P(
    Faults, Planted,
    testing::Values(Fault{"2.2 a create does not assert the guard", Kind::pairs_in_leaves},
                    Fault{"2.2 a miss is trusted without its fences", Kind::model},
                    Fault{"2.2 an overwrite does not assert the version", Kind::race},
                    Fault{"2.2 rename does not assert its source", Kind::race},
                    Fault{"2.3 a leaf is split without being frozen", Kind::race},
                    Fault{"2.3 the old leaf keeps its high fence", Kind::model},
                    Fault{"2.4 a leaf is dropped that is not empty", Kind::pairs_in_leaves},
                    Fault{"2.4 the left guard's generation is not asserted", Kind::pairs_in_leaves},
                    Fault{"2.5 a directory is removed that is not empty", Kind::race},
                    Fault{"2.5 a directory of several leaves is removed", Kind::race},
                    Fault{"2.6 no pending row", Kind::model},
                    Fault{"2.6 the sweeper takes what is linked", Kind::model},
                    Fault{"2.7 mkdir asserts one token", Kind::pairs_of_names},
                    Fault{"2.7 rename asserts one token", Kind::pairs_of_names},
                    Fault{"2.8 explicit directories are swept", Kind::model},
                    Fault{"2.8 a list shows an empty prefix", Kind::model},
                    Fault{"2.9 a remembered name is trusted", Kind::model},
                    Fault{"2.9 ancestors are not locked", Kind::pairs_of_names},
                    Fault{"2.9 the header of the renamed directory is not written", Kind::model},
                    Fault{"2.10 only the first leaf is counted", Kind::model},
                    Fault{"2.10 own changes are not read again", Kind::model},
                    Fault{"2.10 what is remembered does not age", Kind::model},
                    Fault{"3.1 a rename changes the home", Kind::model},
                    Fault{"3.1 ids are given twice", Kind::model}, Fault{"3.2 no garbage row", Kind::model},
                    Fault{"3.2 a missing inline row is not read again", Kind::pairs_of_names},
                    Fault{"3.6 a completion does not assert the upload", Kind::upload},
                    Fault{"3.6 a part is replaced during a completion", Kind::upload},
                    Fault{"3.6 a part comes when the upload has gone", Kind::upload}));

}  // namespace
}  // namespace kiseki::fs
