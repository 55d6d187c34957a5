#include "base/planted.h"

#include <gtest/gtest.h>

#include "shard/machine/reader.h"
#include "shard/testing/planting.h"
#include "shard/testing/shard_world.h"
#include "shard/testing/transactions_simulation.h"

// Every rule of docs/protocols.md that shards keep, broken on purpose: the simulation notices, or a schedule
// made for it (docs/simulation.md).

namespace kiseki::shard::detail {
namespace {

using Type = Assert::Type;

/// One shard's machine, driven entry by entry, for schedules made by hand.
class Bench {
 public:
  Bench() {
    kv::Batch batch;
    Machine::create(batch, ShardId(1), {1, 65535}, first_base());
    KISEKI_ASSERT(store_.write(batch).has_value());
    machine_ = std::move(Machine::open(store_, ShardId(1)).value());
  }
  Answer apply(decltype(Proposal::body) body, std::uint64_t stamp = 0) {
    const std::string bytes = Proposal{.stamp = Stamp(stamp), .body = std::move(body)}.encode();
    const raft::Entry entry{.index = machine_->applied() + 1,
                            .term = 1,
                            .type = raft::EntryType::normal,
                            .data = as_view(bytes),
                            .owner = nullptr};
    return machine_->apply({&entry, 1}, nullptr).value().front();
  }
  std::unique_ptr<Machine> child() { return std::move(Machine::open(store_, ShardId(2)).value()); }
  Machine& machine() { return *machine_; }
  std::size_t garbage_after(Stamp after) {
    return Reader(store_, *machine_)
        .scan({Kind::garbage, after, 10}, kv::Blocking::allowed)
        .value()
        .rows.size();
  }
  std::optional<Record> get(const Key& row) { return Draft(store_).record(row).value(); }

  static LeafAddress leaf(std::uint32_t number) { return {test_namespace, InodeId(1), LeafId(number)}; }
  static Key row(std::uint32_t number) { return key(leaf(number), Kind::entry, std::string(16, 'e')); }
  static Transaction create(const Key& row) {
    return transaction_of_test().require(Type::absent, row).put(row, record_of_test("new"));
  }
  static Prepare prepare(TransactionId id, const Key& row) {
    return {.id = id, .low_water = 0, .age = {}, .primary = row, .branch = create(row)};
  }
  static Decide decide(TransactionId id, const Key& row, Verdict verdict) {
    return {.id = id, .low_water = 0, .primary = row, .verdict = verdict, .floor = {}};
  }

 private:
  sim::CrashableKv store_{family_count};
  std::unique_ptr<Machine> machine_;
};

const TransactionId first{SessionId(7), 1};

bool an_abort_by_others_stands() {
  Bench bench;
  bench.apply(Bench::decide(first, Bench::row(1), Verdict::aborted));
  return bench.apply(Bench::prepare(first, Bench::row(1))).type == Answer::Type::decided;
}

bool a_commit_needs_its_prepare() {
  Bench bench;
  return !bench.apply(Bench::decide(first, Bench::row(1), Verdict::committed)).outcome.committed();
}

bool a_finished_sequence_is_refused() {
  Bench bench;
  const Commit create{.id = first, .low_water = 1, .transaction = Bench::create(Bench::row(1))};
  bench.apply(create);
  bench.apply(Commit{
      .id = {first.session, 2}, .low_water = 2, .transaction = transaction_of_test().erase(Bench::row(1))});
  bench.apply(create);
  return !bench.get(Bench::row(1));
}

bool a_child_goes_on_from_the_stamp() {
  Bench bench;
  bench.apply(Commit{.id = first, .low_water = 1, .transaction = Bench::create(Bench::row(1))}, 1U << 30);
  bench.apply(Split{.child = ShardId(2), .first = 30'000});
  return bench.child()->last() >= bench.machine().last();
}

bool a_child_knows_the_fences() {
  Bench bench;
  bench.apply(Fence{first.session});
  bench.apply(Split{.child = ShardId(2), .first = 30'000});
  return bench.child()->sessions().is_fenced(first.session);
}

bool a_child_knows_the_results() {
  Bench bench;
  bench.apply(Commit{.id = first, .low_water = 1, .transaction = Bench::create(Bench::row(1))});
  bench.apply(Split{.child = ShardId(2), .first = 30'000});
  return bench.child()->sessions().find(first) != nullptr;
}

bool a_consumer_misses_nothing() {
  Bench bench;
  Prepare slow = Bench::prepare(first, Bench::row(1));
  slow.primary = system_key(Kind::session, item_of(1));
  slow.branch.put_stamped(key(Bench::leaf(1), Kind::garbage, item_of(1)), {});
  bench.apply(slow, 10);
  auto quick = transaction_of_test().put_stamped(key(Bench::leaf(2), Kind::garbage, item_of(2)), {});
  const auto seen =
      bench.apply(Commit{.id = {first.session, 2}, .low_water = 1, .transaction = std::move(quick)}, 1000);
  bench.apply(Resolve{.id = first, .verdict = Verdict::committed, .stamp = Stamp(20)});
  return bench.garbage_after(seen.outcome.stamp) == 1;
}

bool a_snapshot_knows_the_results() {
  ShardWorld world(1);
  const Key row = key(world.leaf_in(1), Kind::inode, item_of(1));
  const Proposal proposal{.stamp = {},
                          .body = Commit{.id = first, .low_water = 1, .transaction = Bench::create(row)}};
  const auto once = world.loop().get(world.shard(1).ask(ProposeRequest{proposal, Attempt::again}));
  SeededRng rng(1);
  world.change_store(rng);
  const auto twice = world.loop().get(world.shard(1).ask(ProposeRequest{proposal, Attempt::again}));
  return twice && twice->outcome.committed() && twice->outcome.stamp == once->outcome.stamp;
}

/// A lock whose transaction nobody knows any more is never read past.
bool unknown_means_read_again() {
  ShardWorld world(2);
  const Key one = key(world.leaf_in(1), Kind::inode, item_of(1));
  const Key two = key(world.leaf_in(2), Kind::inode, item_of(1));
  const SessionId session(70);
  Prepare left{.id = {session, 1}, .low_water = 0, .age = {}, .primary = one, .branch = Bench::create(two)};
  (void)world.loop().get(
      world.shard(2).ask(ProposeRequest{{.stamp = {}, .body = std::move(left)}, Attempt::again}));
  const Commit later{.id = {session, 5}, .low_water = 5, .transaction = Bench::create(one)};
  (void)world.loop().get(world.shard(1).ask(ProposeRequest{{.stamp = {}, .body = later}, Attempt::again}));
  ReadRequest request;
  request.gets.push_back({two, false});
  return !world.loop().get(world.connect(1).session->read(std::move(request))).has_value();
}

/// A transaction whose part a split divides between prepare and decision leaves nothing on either side.
bool both_halves_are_told() {
  for (int messages = 1; messages < 8; ++messages) {
    ShardWorld world(2);
    const Key low = key(world.leaf_in(1), Kind::inode, item_of(1));
    Key high = low;
    for (std::uint64_t nth = 1; slot_of(high.leaf) <= slot_of(low.leaf); ++nth)
      high.leaf = world.leaf_in(1, nth);
    const Key other = key(world.leaf_in(2), Kind::inode, item_of(1));
    auto& user = world.connect(1);
    user.life.messages = 1000;
    auto all = transaction_of_test();
    for (const auto& row : {low, high, other}) all.require(Type::absent, row).put(row, record_of_test("new"));
    bool done = false;
    asio::co_spawn(world.loop().executor(), user.session->commit(std::move(all)),
                   [&done](const std::exception_ptr&, const Result<Outcome>&) { done = true; });
    world.loop().run_until([&] { return user.life.messages <= 1000 - messages || done; });
    world.split(ShardId(1), slot_of(high.leaf));
    world.loop().run();
    if (!world.is_clean()) return false;
  }
  return true;
}

/// A prepare that was applied and whose answer was lost; its shard was split, and others aborted it. When it
/// is repeated and answered aborted, one half of it still stands.
bool an_aborted_half_is_told() {
  ShardWorld world(2);
  const Key low = key(world.leaf_in(1), Kind::inode, item_of(1));
  Key high = low;
  for (std::uint64_t nth = 1; slot_of(high.leaf) <= slot_of(low.leaf); ++nth)
    high.leaf = world.leaf_in(1, nth);
  auto both = transaction_of_test();
  for (const auto& row : {low, high}) both.require(Type::absent, row).put(row, record_of_test("new"));
  auto all = both;
  const Key other = key(world.leaf_in(2), Kind::inode, item_of(1));
  all.require(Type::absent, other).put(other, record_of_test("new"));
  Routes routes(world.routes().all());
  Session session({.id = world.connect(1).session->id()}, routes, {world.loop().executor(), &world.clock()});
  const TransactionId id{session.id(), 1};
  const auto propose = [&](decltype(Proposal::body) body) {
    const auto answer = world.loop().get(
        world.shard(1).ask(ProposeRequest{{.stamp = {}, .body = std::move(body)}, Attempt::again}));
    KISEKI_ASSERT(answer.has_value());
  };
  propose(Prepare{.id = id, .low_water = 1, .age = {}, .primary = low, .branch = both});
  world.split(ShardId(1), slot_of(high.leaf));
  propose(Bench::decide(id, low, Verdict::aborted));
  bool done = false;
  asio::co_spawn(world.loop().executor(), session.commit(std::move(all)),
                 [&done](const std::exception_ptr&, const Result<Outcome>&) { done = true; });
  world.loop().run_for(std::chrono::milliseconds(5));
  routes.replace(world.routes().all());
  world.loop().run_until([&done] { return done; });
  world.loop().run_for(std::chrono::seconds(60));
  world.loop().get(session.stop());
  return world.is_clean();
}

bool a_move_keeps_the_version() {
  Bench bench;
  const auto made =
      bench.apply(Commit{.id = first, .low_water = 1, .transaction = Bench::create(Bench::row(1))});
  auto move = transaction_of_test().require(Type::version, Bench::row(1), made.outcome.stamp);
  move.require(Type::absent, Bench::row(2)).move(Bench::row(1), Bench::row(2));
  bench.apply(Commit{.id = {first.session, 2}, .low_water = 1, .transaction = std::move(move)});
  return bench.get(Bench::row(2))->version == made.outcome.stamp;
}

/// Two that wait for each other: the older one gets through long before anybody's deadline.
bool the_older_one_gets_through() {
  ShardWorld world(2);
  const Key one = key(world.leaf_in(1), Kind::inode, item_of(1));
  const Key two = key(world.leaf_in(2), Kind::inode, item_of(1));
  auto& user = world.connect(1);
  const TransactionId dead{SessionId(70), 1};
  // What stands in the way was left by somebody who has died.
  Prepare left{.id = dead, .low_water = 0, .age = {}, .primary = two, .branch = Bench::create(two)};
  const auto prepared = world.loop().get(
      world.shard(2).ask(ProposeRequest{{.stamp = {}, .body = std::move(left)}, Attempt::again}));
  KISEKI_ASSERT(prepared && prepared->type == Answer::Type::prepared);
  auto both = transaction_of_test();
  for (const auto& row : {one, two}) both.require(Type::absent, row).put(row, record_of_test("new"));
  const auto began = world.clock().now();
  const auto outcome = world.loop().get(user.session->commit(std::move(both)));
  return outcome && outcome->committed() && world.clock().now() - began < std::chrono::seconds(10);
}

/// A snapshot that was installed by halves: at the next start the state is the old one or the new one.
bool an_installation_is_whole() {
  ShardWorld world(1);
  const ShardId id(1);
  auto& session = *world.connect(1).session;
  for (std::uint64_t i = 0; i < 40; ++i) {
    const Key row = key(world.leaf_in(1), Kind::inode, item_of(i));
    auto create =
        transaction_of_test().require(Type::absent, row).put(row, record_of_test(std::string(60'000, 'v')));
    KISEKI_ASSERT(world.loop().get(session.commit(std::move(create)))->committed());
  }
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    sim::CrashableKv target(family_count);
    kv::Batch batch;
    Machine::create_empty(batch, id);
    KISEKI_ASSERT(target.write(batch).has_value() && target.flush().has_value());
    auto machine = std::move(Machine::open(target, id).value());
    BlockingPool pool(0);
    const auto ignore = [](std::unique_ptr<Machine>) { return Result<>{}; };
    ShardSnapshots from(
        id, world.store(), pool, [&]() -> const Machine& { return world.shard(1).machine(); }, ignore);
    ShardSnapshots into(id, target, pool, [&]() -> const Machine& { return *machine; }, ignore);
    auto source = from.take().value();
    KISEKI_ASSERT(world.loop().get(into.stage(*source)).has_value());
    target.set_full(true);
    KISEKI_ASSERT(!world.loop().get(into.install(source->meta().index)));
    target.set_full(false);
    target.crash(seed);
    KISEKI_ASSERT(ShardSnapshots::finish(target, id).has_value());
    const bool is_new = Machine::open(target, id).value()->applied() > 0;
    const auto rows = target.iterate(family_rows, {}, nullptr);
    rows->seek({});
    if (rows->valid() != is_new) return false;
  }
  return true;
}

class Planted : public ::testing::TestWithParam<Planting> {};

TEST_P(Planted, is_noticed) {
  EXPECT_EQ(unnoticed(GetParam(), {.first = 0, .count = 60}, TransactionsSimulation()), "");
}

INSTANTIATE_TEST_SUITE_P(
    Faults, Planted,
    ::testing::Values(Planting{"1.1 a shard takes rows of another"},
                      Planting{"1.5 an assert of a version is not checked"},
                      Planting{"1.5 a move changes the version", a_move_keeps_the_version},
                      Planting{"1.7 stamps do not rise"},
                      Planting{"1.7 feed rows carry the stamp of another shard", a_consumer_misses_nothing},
                      Planting{"1.8 a child forgets the stamp", a_child_goes_on_from_the_stamp},
                      Planting{"1.8 a split loses fences", a_child_knows_the_fences},
                      Planting{"1.8 a split leaves what is prepared behind"},
                      Planting{"1.8 a snapshot without results", a_snapshot_knows_the_results},
                      Planting{"1.8 an installation is not marked", an_installation_is_whole},
                      Planting{"4.1 asserts take no locks"},
                      Planting{"4.1 a commit without its prepare", a_commit_needs_its_prepare},
                      Planting{"4.2 an abort without a prepare is not written", an_abort_by_others_stands},
                      Planting{"4.2 a decision goes before it is carried out"},
                      Planting{"4.2 a split half is not told of the decision", both_halves_are_told},
                      Planting{"4.2 who was aborted by others is taken for refused", an_aborted_half_is_told},
                      Planting{"4.3 reads are not told of what is undecided"},
                      Planting{"4.3 unknown is taken for pending", unknown_means_read_again},
                      Planting{"4.3 nobody is aborted for another", the_older_one_gets_through},
                      Planting{"4.4 results are not kept"}, Planting{"4.4 results go too early"},
                      Planting{"4.4 a split loses result windows", a_child_knows_the_results},
                      Planting{"4.4 a finished sequence is taken again", a_finished_sequence_is_refused}),
    [](const auto& info) {
      std::string name = info.param.fault;
      for (char& letter : name) {
        if (std::isalnum(static_cast<unsigned char>(letter)) == 0) letter = '_';
      }
      return "rule_" + name;
    });

}  // namespace
}  // namespace kiseki::shard::detail
