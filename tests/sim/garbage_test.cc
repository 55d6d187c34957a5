// Garbage collection (PROTOCOLS 6.5, 6.6) by seed: writers that share chunks, copy, overwrite, delete and
// move, on shards that split, crash and are rebuilt from snapshots, and on a device store on a simulated
// disk, while collectors of the product run rounds.

#include <gtest/gtest.h>

#include "base/planted.h"
#include "chunk/testing/device_world.h"
#include "gc/collector.h"
#include "shard/testing/shard_world.h"
#include "sim/simulation.h"

namespace kiseki::gc {
namespace {

using namespace shard::detail;
using shard::Assert;
using shard::Key;
using shard::Kind;
using shard::Outcome;
using shard::Record;
using shard::Refusal;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::uint64_t names = 6, chunk_count = 10, leaves = 3;
constexpr kv::Family fragments_family = 1;

/// The network between everybody and the device, which comes and goes.
class FarDevice final : public chunk::Device {
 public:
  FarDevice(Clock& clock, SeededRng& rng) : clock_(clock), rng_(rng) {}

  void set(chunk::Device* device) { device_ = device; }

  Task<Result<chunk::PutReply>> put(chunk::Fragment fragment) override {
    co_await wait();
    if (device_ == nullptr) co_return gone();
    auto reply = co_await device_->put(std::move(fragment));
    co_await wait();
    co_return reply;
  }
  Task<Result<GcEpoch>> touch(chunk::FragmentKey key, ChunkReference reference,
                              chunk::GroupVersion group) override {
    co_await wait();
    if (device_ == nullptr) co_return gone();
    auto reply = co_await device_->touch(key, reference, group);
    co_await wait();
    co_return reply;
  }
  Task<Result<chunk::Blocks>> read(chunk::FragmentKey key, ChunkReference reference,
                                   chunk::BlockRange blocks) override {
    if (device_ == nullptr) co_return gone();
    co_return co_await device_->read(key, reference, blocks);
  }
  Task<Result<chunk::StoredFragment>> describe(chunk::FragmentKey key) override {
    if (device_ == nullptr) co_return gone();
    co_return co_await device_->describe(key);
  }
  Task<Result<>> acknowledge(std::uint8_t, std::vector<chunk::GroupRecord>) override { co_return gone(); }
  Task<Result<>> raise_epoch(GcEpoch epoch) override {
    if (device_ == nullptr) co_return gone();
    co_return co_await device_->raise_epoch(epoch);
  }
  Task<Result<GcEpoch>> epoch() override {
    if (device_ == nullptr) co_return gone();
    co_return co_await device_->epoch();
  }
  Task<Result<chunk::AgedPage>> aged(chunk::FragmentKey from, chunk::EpochRange last_puts) override {
    if (device_ == nullptr) co_return gone();
    co_return co_await device_->aged(from, last_puts);
  }
  Task<Result<std::vector<chunk::AgedFragment>>> aged_of(std::vector<ChunkName> chunks,
                                                         GcEpoch below) override {
    if (device_ == nullptr) co_return gone();
    co_return co_await device_->aged_of(std::move(chunks), below);
  }
  Task<Result<std::vector<bool>>> erase_aged(std::vector<chunk::FragmentKey> keys, GcEpoch below) override {
    co_await wait();
    if (device_ == nullptr) co_return gone();
    co_return co_await device_->erase_aged(std::move(keys), below);
  }
  Task<Result<chunk::DeviceStatus>> status() override { co_return gone(); }
  Task<Result<>> confirm_start() override { co_return gone(); }
  Task<> stop() override { co_return; }

 private:
  static std::unexpected<Error> gone() { return fail(Errc::unavailable, "the device is away"); }
  Task<> wait() {
    if (rng_.below(3) == 0) co_await clock_.sleep(milliseconds(rng_.below(rng_.below(4) == 0 ? 4000 : 50)));
  }

  Clock& clock_;
  SeededRng& rng_;
  chunk::Device* device_ = nullptr;
};

/// What lies between somebody and the shards.
struct Way {
  Weather& weather;
  Scope& late;
  Clock& clock;
  SeededRng& rng;
};

/// A slow way to a shard: much happens between two questions of a collector, and between the steps of a
/// transaction.
class SlowPort final : public MortalPort {
 public:
  SlowPort(shard::ShardPort& shard, Lifeline& life, Way way)
      : MortalPort(shard, life, way.weather, way.late, way.clock), clock_(way.clock), rng_(way.rng) {}
  Task<Result<shard::Reply>> call(shard::Request request, Duration limit) override {
    if (std::holds_alternative<shard::JudgeRequest>(request)) {
      co_await clock_.sleep(milliseconds(rng_.below(rng_.below(3) == 0 ? 8000 : 200)));
    }
    if (std::holds_alternative<shard::ProposeRequest>(request) && rng_.below(4) == 0) {
      co_await clock_.sleep(milliseconds(rng_.below(9000)));
    }
    co_return co_await MortalPort::call(std::move(request), limit);
  }

 private:
  Clock& clock_;
  SeededRng& rng_;
};

/// A collector with a session and a map of its own, which may be an old one.
struct OneCollector {
  Lifeline life;
  std::map<ShardId, std::unique_ptr<SlowPort>> ports;
  std::unique_ptr<Routes> routes;
  std::unique_ptr<SessionClient> client;
  std::unique_ptr<Collector> collector;
};

class Run {
 public:
  Run(const sim::Schedule& schedule, sim::Trace& trace)
      : schedule_(schedule),
        trace_(trace),
        rng_(schedule.seed),
        world_(3),
        late_(world_.loop().executor()),
        clock_(world_.loop()),
        disk_(clock_, schedule.seed),
        far_(clock_, rng_) {
    world_.weather().rng = SeededRng(schedule.seed + 1);
  }
  ~Run() { down(); }

  std::string run() {
    up();
    for (const auto& step : schedule_.steps) {
      if (!violation_.empty()) return violation_;
      run_until(step.at);
      carry_out(step);
    }
    run_until(std::chrono::minutes(4));
    if (violation_.empty()) settle();
    return violation_;
  }

 private:
  void violated(std::string_view what) {
    if (!violation_.empty()) return;
    violation_ = what;
    note([&] { return violation_; });
  }
  template <class Words>
  void note(const Words& words) {
    trace_.note(world_.loop().now(), words);
  }
  void run_until(Duration at) {
    const Duration now = world_.loop().now() - start_;
    if (at > now) world_.loop().run_for(at - now);
    check();
  }

  void carry_out(const sim::Step& step) {
    note([&] { return step.what; });
    if (step.what == "power cut") {
      down();
      world_.crash(step.argument);
      up();
    } else if (step.what == "device dies") {
      device_down();
      device_up();
    } else if (step.what == "snapshot") {
      down();
      SeededRng rng(step.argument);
      world_.change_store(rng);
      // As a replica that has taken a snapshot in: its log begins there.
      KISEKI_ASSERT(world_.store().flush().has_value());
      up();
    } else if (step.what == "split") {
      const ShardId shard(static_cast<std::uint32_t>(1 + step.argument % (world_.shard_count() - 1)));
      const auto range = world_.shard(shard.value()).machine().range();
      if (range.first + 1 < range.last) {
        world_.split(shard, static_cast<shard::Slot>((range.first + range.last + 1) / 2));
      }
    }
  }

  // Up and down

  void up() {
    if (!device_) device_up();
    scope_ = std::make_unique<Scope>(world_.loop().executor());
    const std::size_t count = schedule_.seed % 4 == 0 ? 1 : 2;
    for (std::size_t i = 0; i < count; ++i) make_collector(50 + i);
    teach();
    for (std::uint64_t i = 0; i < 4; ++i) {
      auto& user = world_.connect(i);
      slow_down(user);
      scope_->spawn(work(*user.session));
    }
    for (auto& one : collectors_) scope_->spawn(collect(*one));
  }

  Way way() { return {world_.weather(), late_, world_.clock(), rng_}; }

  void slow_down(MortalSession& user) {
    std::vector<Route> routes = world_.routes().all();
    for (auto& route : routes) {
      auto port = std::make_unique<SlowPort>(*route.port, user.life, way());
      route.port = port.get();
      user.ports[route.id] = std::move(port);
    }
    user.routes->replace(std::move(routes));
  }

  void down() {
    if (!scope_) return;
    scope_->request_stop();
    device_down();
    for (auto& one : collectors_) one->life.messages = 0;
    world_.loop().get(scope_->stop());
    scope_.reset();
    collectors_.clear();
  }

  void device_up() {
    auto options = chunk::World::small(12);
    const chunk::Machinery machinery{disk_, index_, rng_, pool_, world_.loop().executor(), clock_};
    auto opened = world_.loop().get(chunk::open_local_device(options, chunk::test_wrap(), machinery));
    if (!opened) return violated(opened.error().to_string());
    device_ = std::move(*opened);
    far_.set(device_.get());
    teach();
  }

  void teach() {
    for (auto& one : collectors_) (void)world_.loop().get(one->collector->start());
  }

  void device_down() {
    if (!device_) return;
    far_.set(nullptr);
    disk_.crash();
    index_.set_full(true);
    world_.loop().get(device_->stop());
    device_.reset();
    index_.set_full(false);
    index_.crash(rng_.next());
  }

  void make_collector(std::uint64_t process) {
    auto one = std::make_unique<OneCollector>();
    take_routes(*one);
    one->client = std::make_unique<SessionClient>(*world_.connect(process).session);
    Collector::Options options;
    options.rounds_whole = 1000;
    one->collector =
        std::make_unique<Collector>(options, clock_, *one->client, shard::ChunkReferences(*one->routes),
                                    std::vector<chunk::Device*>{&far_});
    collectors_.push_back(std::move(one));
  }

  void take_routes(OneCollector& one) {
    std::vector<Route> routes = world_.routes().all();
    for (auto& route : routes) {
      auto& port = one.ports[route.id];
      if (!port) {
        port = std::make_unique<SlowPort>(*route.port, one.life, way());
      }
      route.port = port.get();
    }
    if (one.routes) {
      one.routes->replace(std::move(routes));
    } else {
      one.routes = std::make_unique<Routes>(std::move(routes));
    }
  }

  Task<> collect(OneCollector& one) {
    while (co_await scope_->sleep(clock_, milliseconds(500 + rng_.below(12'000)))) {
      if (rng_.below(2) == 0) take_routes(one);
      const auto done = co_await one.collector->round();
      note([&] { return "round: " + (done ? std::string("done") : done.error().to_string()); });
      // An old map is found out.
      if (!done && !scope_->stopping()) take_routes(one);
    }
  }

  // Writers

  static Key entry(std::uint64_t name, std::uint64_t leaf) {
    const shard::LeafAddress address{test_namespace, InodeId(1 + name % 2),
                                     LeafId(static_cast<std::uint32_t>(leaf))};
    return shard::key(address, Kind::entry, std::string(16, static_cast<char>('a' + name)));
  }
  static chunk::SealedChunkPtr chunk_of(std::uint64_t number) {
    return chunk::make_chunk(number, 2000 + number * 900);
  }

  struct Found {
    std::uint64_t leaf = 0;
    std::optional<Record> record;
  };
  /// Where the name is, or a leaf where it is not.
  Task<Result<Found>> find(Session& session, std::uint64_t name) {
    shard::ReadRequest request;
    for (std::uint64_t leaf = 0; leaf < leaves; ++leaf) request.gets.push_back({.key = entry(name, leaf)});
    auto reply = co_await session.read(std::move(request));
    if (!reply) co_return fail(reply.error());
    for (std::uint64_t leaf = 0; leaf < leaves; ++leaf) {
      if (reply->gets[leaf].record) co_return Found{leaf, std::move(reply->gets[leaf].record)};
    }
    co_return Found{rng_.below(leaves), std::nullopt};
  }

  static void put_over(shard::Transaction& transaction, std::uint64_t name, const Found& found,
                       Record record) {
    const Key key = entry(name, found.leaf);
    const auto type = found.record ? Assert::Type::version : Assert::Type::absent;
    transaction.require(type, key, found.record ? found.record->version : Stamp{});
    transaction.put(key, std::move(record));
  }

  Task<> work(Session& session) {
    while (co_await scope_->sleep(clock_, milliseconds(rng_.below(3000)))) {
      const std::uint64_t choice = rng_.below(100);
      if (choice < 35) {
        co_await put(session);
      } else if (choice < 55) {
        co_await copy(session);
      } else if (choice < 75) {
        co_await move(session);
      } else if (choice < 92) {
        co_await erase(session);
      } else {
        co_await repair();
      }
      check();
    }
  }

  /// A put of chunks that others may put too, sometimes one that ends before its commit.
  Task<> put(Session& session) {
    Record record;
    GcEpoch lowest;
    std::vector<chunk::SealedChunkPtr> chunks;
    for (std::uint64_t i = 0; i < 1 + rng_.below(2); ++i) chunks.push_back(chunk_of(rng_.below(chunk_count)));
    for (const auto& chunk : chunks) {
      const auto reply = co_await far_.put(copy_of(chunk, 0));
      if (!reply) co_return;
      record.references.push_back(chunk::reference_to(*chunk));
      lowest = lowest.is_none() ? reply->epoch : std::min(lowest, reply->epoch);
    }
    if (rng_.below(8) == 0) co_return;
    const bool is_slow = rng_.below(4) == 0;
    if (is_slow && !co_await scope_->sleep(clock_, milliseconds(rng_.below(60'000)))) co_return;
    co_await link(session, std::move(record), lowest);
  }

  Task<> link(Session& session, Record record, GcEpoch lowest) {
    const std::uint64_t name = rng_.below(names);
    std::optional<std::uint64_t> another;  // in the same transaction, most often in another shard
    if (rng_.below(3) == 0) another = (name + 1 + rng_.below(names - 1)) % names;
    for (int attempt = 0; attempt < 6; ++attempt) {
      const auto found = co_await find(session, name);
      if (!found) co_return;
      auto transaction = transaction_of_test();
      transaction.chunk_epoch = lowest;
      put_over(transaction, name, *found, record);
      if (another) {
        const auto second = co_await find(session, *another);
        if (!second) co_return;
        put_over(transaction, *another, *second, record);
      }
      const auto outcome = co_await session.commit(std::move(transaction));
      if (!outcome || outcome->committed()) co_return;
      if (outcome->refusal != Refusal::chunk_epoch) continue;
      lowest = {};
      for (const auto& reference : record.references) {
        const auto epoch = co_await far_.touch({name_of(test_namespace, reference), 0}, reference, {});
        if (!epoch) co_return;
        lowest = lowest.is_none() ? *epoch : std::min(lowest, *epoch);
      }
    }
  }

  /// Copied references assert their source instead of carrying an epoch (decisions/copied-references.md).
  Task<> copy(Session& session) {
    const std::uint64_t from = rng_.below(names), to = (from + 1 + rng_.below(names - 1)) % names;
    const auto source = co_await find(session, from);
    if (!source || !source->record) co_return;
    const auto target = co_await find(session, to);
    if (!target) co_return;
    Record record;
    record.references = source->record->references;
    auto transaction = transaction_of_test();
    transaction.require(Assert::Type::version, entry(from, source->leaf), source->record->version);
    put_over(transaction, to, *target, std::move(record));
    (void)co_await session.commit(std::move(transaction));
  }

  Task<> move(Session& session) {
    const std::uint64_t name = rng_.below(names);
    const auto found = co_await find(session, name);
    if (!found || !found->record) co_return;
    const Key from = entry(name, found->leaf);
    const Key to = entry(name, (found->leaf + 1 + rng_.below(leaves - 1)) % leaves);
    auto transaction = transaction_of_test();
    transaction.require(Assert::Type::version, from, found->record->version)
        .require(Assert::Type::absent, to);
    transaction.move(from, to);
    (void)co_await session.commit(std::move(transaction));
  }

  Task<> erase(Session& session) {
    const std::uint64_t name = rng_.below(names);
    const auto found = co_await find(session, name);
    if (!found || !found->record) co_return;
    auto transaction = transaction_of_test();
    transaction.require(Assert::Type::version, entry(name, found->leaf), found->record->version);
    transaction.erase(entry(name, found->leaf));
    (void)co_await session.commit(std::move(transaction));
  }

  /// What repair does: writes a chunk again that is there.
  Task<> repair() {
    const auto chunk = chunk_of(rng_.below(chunk_count));
    const auto there = co_await far_.read(chunk::key_of(*chunk), chunk::reference_to(*chunk), {0, 1});
    if (there) (void)co_await far_.put(copy_of(chunk, 0));
  }

  // Checks

  /// Keys of the fragments of chunks that rows refer to.
  std::set<std::string> referred() {
    std::set<std::string> chunks;
    const auto rows = world_.store().iterate(family_rows, {}, nullptr);
    for (rows->seek({}); rows->valid(); rows->next()) {
      const auto key = Key::decode(rows->key());
      if (!key || key->kind != Kind::entry) continue;
      for (const auto& one : Record::decode(rows->value()).value().references) {
        std::string fragment;
        Encoder out(fragment);
        write(out, name_of(key->leaf.ns, one)).integer(std::uint8_t{0});
        chunks.insert(std::move(fragment));
      }
    }
    return chunks;
  }

  /// No reference to a missing chunk, at this moment.
  void check() {
    if (!device_ || !scope_ || scope_->stopping()) return;
    for (const std::string& fragment : referred()) {
      if (!index_.get(fragments_family, as_view(fragment), nullptr).value())
        violated("a reference to a chunk that is gone");
    }
  }

  /// Everybody stops; after two quiet rounds nothing is left that nothing refers to. The rounds are those of
  /// a collector that has been at work all the time: they ask about what has changed, as nearly all do. A new
  /// one begins by asking about everything, and so finds what earlier rounds forgot.
  void settle() {
    scope_->request_stop();
    world_.loop().get(scope_->stop());
    scope_ = std::make_unique<Scope>(world_.loop().executor());
    for (std::uint64_t process = 0; process < 4; ++process) world_.connect(process);
    world_.sweep();
    world_.sweep();
    take_routes(*collectors_.front());
    teach();
    // The first may be the one in which a shard was built from a snapshot.
    for (int round = 0; round < 3; ++round) {
      const auto done = world_.loop().get(collectors_.front()->collector->round());
      if (!done && round > 0) violated("a quiet round stalls: " + done.error().to_string());
    }
    check();
    const auto chunks = referred();
    const auto rows = index_.iterate(fragments_family, {}, nullptr);
    for (rows->seek({}); rows->valid(); rows->next()) {
      if (!chunks.contains(std::string(as_text(rows->key()))))
        violated("a chunk that nothing refers to stays");
    }
  }

  const sim::Schedule& schedule_;
  sim::Trace& trace_;
  SeededRng rng_;
  ShardWorld world_;
  Scope late_;
  sim::SimulatedClock clock_;
  sim::SimulatedDisk disk_;
  sim::CrashableKv index_{chunk::device_index_families().size()};
  BlockingPool pool_{0};
  FarDevice far_;
  std::unique_ptr<chunk::Device> device_;
  std::unique_ptr<Scope> scope_;
  std::vector<std::unique_ptr<OneCollector>> collectors_;
  std::string violation_;
  const BootTime start_ = world_.loop().now();
};

class GarbageSimulation final : public sim::Simulation {
 public:
  sim::Schedule plan(std::uint64_t seed) const override {
    sim::Schedule schedule{.seed = seed, .steps = {}};
    SeededRng rng(seed);
    Duration at{};
    static constexpr const char* steps[] = {"power cut", "device dies", "snapshot", "split", "split"};
    for (std::uint64_t i = rng.below(6); i > 0; --i) {
      at += milliseconds(rng.below(60'000));
      schedule.steps.push_back({at, steps[rng.below(std::size(steps))], rng.next()});
    }
    return schedule;
  }
  std::string run(const sim::Schedule& schedule, sim::Trace& trace) const override {
    return Run(schedule, trace).run();
  }
};

TEST(Garbage, nothing_that_is_referred_to_goes_and_nothing_else_stays) {
  const auto finding = sim::find_violation(GarbageSimulation(), sim::Seeds::from_environment(1'600));
  ASSERT_FALSE(finding) << finding->to_string();
}

class PlantedGarbage : public ::testing::TestWithParam<const char*> {};

TEST_P(PlantedGarbage, is_noticed) {
  EXPECT_EQ(sim::unnoticed(GetParam(), {.first = 0, .count = 200}, GarbageSimulation()), "");
}

INSTANTIATE_TEST_SUITE_P(Planted, PlantedGarbage,
                         ::testing::Values("6.5 a put is stamped with less than the device's epoch",
                                           "6.5 a touch does not raise the last put",
                                           "6.6 a device deletes without looking at the last put",
                                           "6.6 the epoch of a transaction's chunks is not checked",
                                           "6.6 prepared references are not counted",
                                           "6.6 references that went in the round are not counted",
                                           "6.6 a move to another shard leaves no dead row",
                                           "6.6 shards are asked before all have the new epoch",
                                           "6.6 answers need not cover the key space",
                                           "6.6 a round that stalls counts as one that asked",
                                           "6.6 nobody asks about what lost a reference",
                                           "6.6 what lost a reference is forgotten before it is judged"));

}  // namespace
}  // namespace kiseki::gc
