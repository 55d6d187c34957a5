#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/assert.h"
#include "shard/testing/odd_proposals.h"
#include "shard/testing/planting.h"
#include "shard/testing/shard_world.h"
#include "sim/crashable_kv.h"

// What a node gone wrong proposes stops no shard, and makes no two replicas differ.

namespace kiseki::shard::detail {
namespace {

using Type = Assert::Type;

const ShardId shard{5};
/// Its id is proposed for children.
const ShardId neighbour{6};
/// Three of the five leaves of the odd proposals lie here.
constexpr SlotRange range{.first = 1, .last = 40'000};

/// One replica of the shard.
class Copy {
 public:
  Copy() {
    kv::Batch batch;
    Machine::create(batch, neighbour, {.first = range.last + 1, .last = 65'535}, first_base());
    Machine::create(batch, shard, range, {.index = first_index, .term = first_term, .conf = {.voters = {1}}});
    KISEKI_ASSERT(store_.write(batch).has_value() && store_.flush().has_value());
    open();
  }
  void open() { machine_ = std::move(Machine::open(store_, shard).value()); }
  /// What was not flushed may be lost.
  void crash(std::uint64_t seed) {
    machine_.reset();
    store_.crash(seed);
    open();
  }
  /// Applies up to `count` entries that it has not applied.
  Result<std::vector<Answer>> follow(const std::vector<std::string>& log, std::size_t count) {
    std::vector<raft::Entry> entries;
    for (auto at = machine_->applied() - first_index; at < log.size() && entries.size() < count; ++at) {
      entries.push_back({first_index + 1 + at, 1, raft::EntryType::normal, as_view(log[at]), nullptr});
    }
    return machine_->apply(entries, nullptr);
  }
  Machine& machine() { return *machine_; }
  sim::CrashableKv& store() { return store_; }
  bool has_neighbour() { return Machine::open(store_, neighbour).value()->range().first == range.last + 1; }
  std::string dump() {
    std::string all;
    for (kv::Family family = 0; family < family_count; ++family) {
      const auto rows = store_.iterate(family, {}, nullptr);
      for (rows->seek({}); rows->valid(); rows->next()) {
        all += fmt::format("{} {}={}\n", family, to_hex(rows->key()), to_hex(rows->value()));
      }
    }
    return all;
  }

 private:
  sim::CrashableKv store_{family_count};
  std::unique_ptr<Machine> machine_;
};

class Run {
 public:
  explicit Run(const sim::Schedule& schedule) : schedule_(schedule), rng_(schedule.seed) {}

  std::string words() {
    for (const auto& step : schedule_.steps) {
      SeededRng rng(step.argument);
      log_.push_back(odd_.entry(rng, first_.machine()));
      const auto wrong = step_words(rng);
      if (!wrong.empty()) return wrong;
    }
    while (second_.machine().applied() < first_.machine().applied()) {
      if (!second_.follow(log_, 7)) return "an entry could not be applied again";
    }
    if (first_.dump() != second_.dump()) return "two replicas differ";
    return first_.has_neighbour() ? "" : "a shard was written over";
  }

 private:
  std::string step_words(SeededRng& rng) {
    const auto proposal = Proposal::decode(as_view(log_.back()));
    if (!proposal && proposal.error().code() == Errc::wrong_format) {
      log_.pop_back();
      return {};
    }
    const bool is_valid = proposal && proposal->validate();
    std::optional<Answer> foreseen;
    if (is_valid) {
      auto known = first_.machine().foresee(*proposal);
      if (!known) return "an entry could not be foreseen: " + known.error().to_string();
      foreseen = std::move(*known);
    }
    const auto answers = first_.follow(log_, 1);
    if (!answers) return "an entry could not be applied: " + answers.error().to_string();
    const Answer& answer = answers->front();
    if (!is_valid && answer.type != Answer::Type::invalid) return "an entry that is not valid was answered";
    const bool is_transaction = proposal && proposal->body.index() < 2;
    if (is_transaction && foreseen &&
        (foreseen->type != answer.type || foreseen->outcome.refusal != answer.outcome.refusal)) {
      return "what was foreseen did not come";
    }
    if (rng.below(6) == 0 && !second_.follow(log_, 1 + rng.below(9))) return "the other replica failed";
    if (rng.below(30) == 0) second_.open();
    if (rng.below(60) == 0) second_.crash(rng.next());
    if (rng.below(20) == 0) (void)second_.store().flush();
    return {};
  }

  const sim::Schedule& schedule_;
  SeededRng rng_;
  Copy first_, second_;
  OddProposals odd_{first_.store(), range};
  std::vector<std::string> log_;
};

class HostileSimulation final : public sim::Simulation {
 public:
  sim::Schedule plan(std::uint64_t seed) const override {
    SeededRng rng(seed);
    sim::Schedule schedule{.seed = seed, .steps = {}};
    for (int i = 0; i < 250; ++i) {
      schedule.steps.push_back({.at = std::chrono::milliseconds(i), .what = "entry", .argument = rng.next()});
    }
    return schedule;
  }
  std::string run(const sim::Schedule& schedule, sim::Trace&) const override { return Run(schedule).words(); }
};

/// One replica, entry by entry.
class Bench {
 public:
  Result<Answer> apply(decltype(Proposal::body) body) {
    log_.push_back(Proposal{.stamp = {}, .body = std::move(body)}.encode());
    auto answers = copy_.follow(log_, 1);
    if (!answers) return fail(std::move(answers).error());
    return answers->front();
  }
  bool answers(Answer::Type type, decltype(Proposal::body) body) {
    const auto answer = apply(std::move(body));
    return answer && answer->type == type;
  }

 private:
  Copy copy_;
  std::vector<std::string> log_;
};

Key entry(char name) {
  LeafAddress leaf{test_namespace, InodeId(1), LeafId(0)};
  while (!range.contains(slot_of(leaf))) leaf.leaf = LeafId(leaf.leaf.value() + 1);
  return key(leaf, Kind::entry, std::string(16, name));
}
Transaction create(char name) {
  return transaction_of_test().require(Type::absent, entry(name)).put(entry(name), record_of_test("new"));
}

bool two_operations_on_a_row_are_refused() {
  Bench bench;
  const Commit twice{.id = {SessionId(1), 1}, .low_water = 0, .transaction = create('a').erase(entry('a'))};
  return bench.answers(Answer::Type::invalid, twice);
}

bool another_part_is_not_the_prepared_one() {
  Bench bench;
  Prepare prepare{
      .id = {SessionId(1), 1}, .low_water = 0, .age = {}, .primary = entry('a'), .branch = create('a')};
  if (!bench.answers(Answer::Type::prepared, prepare)) return false;
  prepare.branch.require(Type::absent, entry('b')).put(entry('b'), {});
  return bench.answers(Answer::Type::stale, prepare);
}

/// The same entries, one by one and all at once.
bool what_is_applied_together_is_seen() {
  auto referring = create('a');
  ChunkReference& reference = referring.operations.front().record.references.emplace_back();
  reference.format.block_units = 1;
  reference.length = 10;
  const std::vector<decltype(Proposal::body)> bodies{
      RaiseEpoch{GcEpoch(1)}, Commit{{SessionId(1), 1}, 0, std::move(referring)},
      Commit{{SessionId(1), 2}, 0, transaction_of_test().erase(entry('a'))}, RaiseEpoch{GcEpoch(2)},
      Trim{.below = GcEpoch(2), .chunks = {ChunkName{.id = {}, .ns = entry('a').leaf.ns, .pool = {}}}}};
  std::vector<std::string> log;
  for (const auto& body : bodies) log.push_back(Proposal{.stamp = {}, .body = body}.encode());
  Copy one_by_one, together;
  for (std::size_t i = 0; i < log.size(); ++i) KISEKI_ASSERT(one_by_one.follow(log, 1).has_value());
  KISEKI_ASSERT(together.follow(log, log.size()).has_value());
  return one_by_one.dump() == together.dump();
}

bool a_prepared_touch_waits_for_who_relies_on_the_row() {
  Bench bench;
  (void)bench.apply(Commit{{SessionId(1), 1}, 0, create('a')});
  auto relies = create('b').require(Type::exists, entry('a'));
  Prepare prepare{{SessionId(1), 2}, 0, {}, entry('b'), std::move(relies)};
  if (!bench.answers(Answer::Type::prepared, std::move(prepare))) return false;
  auto touch = transaction_of_test();
  touch.operations.push_back({Operation::Type::touch, entry('a'), {}, {}, {50, 2000}});
  return bench.answers(Answer::Type::blocked, Prepare{{SessionId(1), 3}, 0, {}, entry('a'), touch}) &&
         bench.answers(Answer::Type::decided, Commit{{SessionId(1), 4}, 0, touch});
}

/// Somebody says that all are gone that were ever opened, and will be.
bool who_lives_is_not_forgotten() {
  Bench bench;
  (void)bench.apply(Fence{SessionId(1)});
  (void)bench.apply(Forget{.gone = {.last = SessionId(~std::uint64_t{0}), .living = {}}});
  (void)bench.apply(Forget{.gone = {.last = SessionId(2), .living = {}}});
  return bench.answers(Answer::Type::fenced, Commit{{SessionId(1), 1}, 0, create('a')}) &&
         bench.answers(Answer::Type::decided, Commit{{SessionId(2), 1}, 0, create('a')});
}

bool no_entry_is_spent_on_what_is_not_valid() {
  ShardWorld world(1);
  auto twice = transaction_of_test();
  for (int i = 0; i < 2; ++i) twice.erase(key(world.leaf_in(1), Kind::inode, item_of(1)));
  const auto before = world.shard(1).applied();
  const Commit commit{.id = {SessionId(1), 1}, .low_water = 0, .transaction = std::move(twice)};
  const auto answer =
      world.loop().get(world.shard(1).ask(ProposeRequest{{.stamp = {}, .body = commit}, Attempt::again}));
  return !answer && answer.error().code() == Errc::invalid_argument && world.shard(1).applied() == before;
}

/// A session shows stamps of next year; then it comes to nothing, and no shard's clock has moved.
bool nobody_pushes_a_clock() {
  ShardWorld world(2);
  const auto propose = [&world](decltype(Proposal::body) body) {
    return world.loop().get(
        world.shard(1).ask(ProposeRequest{{.stamp = {}, .body = std::move(body)}, Attempt::again}));
  };
  const Key row = key(world.leaf_in(1), Kind::inode, item_of(1));
  const Key elsewhere = key(world.leaf_in(2), Kind::inode, item_of(1));
  const auto branch = transaction_of_test().require(Type::absent, row).put(row, {});
  const TransactionId id{SessionId(70), 1};
  const auto prepared = propose(Prepare{id, 0, {}, elsewhere, branch});
  KISEKI_ASSERT(prepared && prepared->type == Answer::Type::prepared);
  const std::uint64_t now = prepared->outcome.stamp.value();
  const Stamp next_year(now + (365ULL * 24 * 3600 * 1000 << 16));
  const bool is_refused = !propose(Resolve{id, Verdict::committed, next_year}) &&
                          !propose(Decide{{SessionId(70), 2}, 0, row, Verdict::committed, next_year}) &&
                          !propose(Prepare{{SessionId(70), 3}, 0, next_year, row, branch});
  return is_refused && world.shard(1).machine().last().value() == now;
}

TEST(Hostile, a_clock_that_is_put_back_stops_no_transactions) {
  ShardWorld world(2);
  auto& session = *world.connect(1).session;
  const auto commit = [&](const std::vector<std::size_t>& shards, std::uint64_t number) {
    auto transaction = transaction_of_test();
    for (const auto shard : shards) {
      const Key row = key(world.leaf_in(shard), Kind::inode, item_of(number));
      transaction.require(Type::absent, row).put(row, {});
    }
    return world.loop().get(session.commit(std::move(transaction)));
  };
  world.set_wall_offset(std::chrono::hours(2));
  ASSERT_TRUE(commit({1}, 1)->committed());
  world.set_wall_offset({});
  for (std::uint64_t i = 2; i < 6; ++i) {
    const auto outcome =
        commit(i % 2 == 0 ? std::vector<std::size_t>{1, 2} : std::vector<std::size_t>{2, 1}, i);
    ASSERT_TRUE(outcome) << outcome.error().to_string();
    EXPECT_TRUE(outcome->committed());
  }
}

TEST(Hostile, proposals_stop_no_shard_and_part_no_replicas) {
  const auto finding = sim::find_violation(HostileSimulation(), sim::Seeds::from_environment(960));
  ASSERT_FALSE(finding) << finding->to_string();
}

TEST(Hostile, windows_of_sessions_are_bounded) {
  Bench bench;
  const SessionId session(1);
  for (std::uint64_t i = 1; i <= Sessions::results_max; ++i) {
    (void)bench.apply(Commit{{session, i}, 1, transaction_of_test()});
  }
  const std::uint64_t next = Sessions::results_max + 1;
  EXPECT_TRUE(bench.answers(Answer::Type::full, Commit{{session, next}, 1, create('a')}));
  EXPECT_TRUE(bench.answers(Answer::Type::full, Prepare{{session, next}, 1, {}, entry('a'), create('a')}));
  // Marks that rise and pass nothing make no room.
  EXPECT_TRUE(bench.answers(Answer::Type::decided, Commit{{session, next + 9}, 2, create('a')}));
  EXPECT_TRUE(bench.answers(Answer::Type::full, Commit{{session, next + 9'000}, 2, create('b')}));
  std::uint64_t ended = 0;
  const auto abort = [&](std::uint64_t sequence) {
    return Decide{{session, sequence}, 0, entry('a'), Verdict::aborted, {}};
  };
  while (bench.answers(Answer::Type::decided, abort(100'000 + ended))) ++ended;
  EXPECT_EQ(ended, Sessions::results_kept - Sessions::results_max);
  EXPECT_TRUE(bench.answers(Answer::Type::full, Resolve{{session, 300'000}, Verdict::aborted, {}}));
  // Of a fenced session nothing more is kept, and everything can be ended.
  (void)bench.apply(Fence{session});
  EXPECT_TRUE(bench.answers(Answer::Type::decided, abort(400'000)));
  EXPECT_TRUE(bench.answers(Answer::Type::decided, Resolve{{session, 300'000}, Verdict::aborted, {}}));
}

class PlantedHostile : public ::testing::TestWithParam<Planting> {};

TEST_P(PlantedHostile, is_noticed) {
  EXPECT_EQ(unnoticed(GetParam(), {.first = 0, .count = 200}, HostileSimulation()), "");
}

INSTANTIATE_TEST_SUITE_P(
    Planted, PlantedHostile,
    ::testing::Values(
        Planting{"1.5 a shard believes what it is sent", two_operations_on_a_row_are_refused},
        Planting{"1.5 a leader proposes what is not valid", no_entry_is_spent_on_what_is_not_valid},
        Planting{"1.7 a shard follows every stamp", nobody_pushes_a_clock},
        Planting{"1.8 what is applied together is not seen", what_is_applied_together_is_seen},
        Planting{"1.8 a split writes over another shard"},
        Planting{"4.1 another part passes for the prepared one", another_part_is_not_the_prepared_one},
        Planting{"4.1 a prepared touch locks a row others rely on",
                 a_prepared_touch_waits_for_who_relies_on_the_row},
        Planting{"5.1 who is not fenced is forgotten", who_lives_is_not_forgotten}));

}  // namespace
}  // namespace kiseki::shard::detail
