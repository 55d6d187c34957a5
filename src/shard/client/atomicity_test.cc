#include <gtest/gtest.h>
#include <stdexcept>

#include "shard/testing/shard_world.h"
#include "sim/simulation.h"

// Many users at once, who die, whose messages are lost, late or repeated, on nodes that crash. Each planted
// violation of the protocol must be noticed by one of the checkers.

namespace kiseki::shard::detail {
namespace {

using Type = Assert::Type;

/// Users of one world; a checker says what they do and what must hold.
class Users {
 public:
  Users(std::uint64_t seed, Lie lie) : rng_(seed), world_(4) {
    world_.weather().rng = SeededRng(seed + 1);
    world_.weather().lie = lie;
    if (rng_.below(2) == 0) world_.weather().duplicates = 20;
    if (rng_.below(2) == 0) world_.weather().lost_answers = 10;
  }
  virtual ~Users() = default;

  bool fails_a_shard() {
    (void)run();
    return world_.has_failed();
  }

  /// What went wrong; empty: nothing.
  std::string run() {
    try {
      return run_rounds();
    } catch (const std::runtime_error& failed) {
      return failed.what();
    }
  }

 protected:
  std::string run_rounds() {
    for (int round = 0; round < 3 && violation_.empty(); ++round) {
      this->round();
      if (rng_.below(2) == 0) world_.crash(rng_.next());
      trouble();
    }
    world_.weather().duplicates = world_.weather().lost_answers = 0;
    for (std::uint64_t process = 0; process < users; ++process) world_.connect(process);
    world_.sweep();
    world_.sweep();
    if (violation_.empty() && !world_.is_clean()) violation_ = "an intent stays for ever";
    if (violation_.empty()) check(*world_.connect(100).session);
    return violation_;
  }

  static constexpr std::uint64_t users = 4;
  virtual Task<> use(MortalSession& user, std::uint64_t number) = 0;
  virtual void check(Session& session) = 0;
  /// Between two rounds.
  virtual void trouble() {}

  void violated(const char* what) {
    if (violation_.empty()) violation_ = what;
  }
  Key row(std::size_t shard, std::uint64_t number, std::uint64_t nth = 0) {
    return key(world_.leaf_in(shard, nth), Kind::inode, item_of(number));
  }
  void make(const std::vector<std::pair<Key, std::string>>& rows) {
    auto transaction = transaction_of_test();
    for (const auto& [row, value] : rows) {
      transaction.require(Type::absent, row).put(row, record_of_test(value));
    }
    const auto weather = std::exchange(world_.weather(), Weather{});
    const auto made = world_.loop().get(world_.connect(100).session->commit(std::move(transaction)));
    world_.loop().run();
    world_.weather() = weather;
    KISEKI_ASSERT(made && made->committed());
  }

  SeededRng rng_;
  ShardWorld world_;

 private:
  void round() {
    std::size_t running = users;
    for (std::uint64_t process = 0; process < users; ++process) {
      auto& user = world_.connect(process);
      if (rng_.below(2) == 0) {
        user.life.messages = static_cast<std::int64_t>(1 + rng_.below(60));
        user.life.last_arrives = rng_.below(2) == 0;
      }
      asio::co_spawn(world_.loop().executor(), use(user, process), [&](const std::exception_ptr& thrown) {
        KISEKI_ASSERT(thrown == nullptr);
        --running;
      });
    }
    if (!world_.loop().run_until([&running] { return running == 0; }, std::chrono::hours(1))) {
      violated("a user waits for ever");
      world_.loop().run_until([&running] { return running == 0; });
    }
  }

  std::string violation_;
};

/// Money moves between accounts in several shards. What one was told happened once, nothing else did by half
/// or twice, and no money was made.
class Bank final : public Users {
 public:
  Bank(std::uint64_t seed, Lie lie) : Users(seed, lie) {
    std::vector<std::pair<Key, std::string>> rows;
    for (std::uint64_t i = 0; i < accounts; ++i) rows.emplace_back(account(i), std::to_string(start));
    make(rows);
  }

 private:
  static constexpr std::uint64_t accounts = 6, start = 1000;

  Key account(std::uint64_t number) { return row(1 + number % 4, number, number / 4); }
  /// A row that every transfer makes beside, so that each leaves a trace of its own.
  Key receipt() {
    const auto number = 1000 + next_receipt_++;
    return row(1 + number % 4, number);
  }

  Task<> use(MortalSession& user, std::uint64_t) override {
    for (int i = 0; i < 6; ++i) {
      const auto from = rng_.below(accounts), to = (from + 1 + rng_.below(accounts - 1)) % accounts;
      const auto amount = rng_.below(50);
      const Key trace = receipt();
      ReadRequest request;
      request.gets = {{account(from), false}, {account(to), false}};
      const auto before = co_await user.session->read(std::move(request));
      if (!before) co_return;
      auto transfer = transaction_of_test();
      const std::array<std::uint64_t, 2> numbers{from, to};
      for (std::size_t side = 0; side < 2; ++side) {
        if (!before->gets[side].record) co_return violated("an account went");
        const auto& record = *before->gets[side].record;
        const auto balance = std::stoull(value_of(record));
        transfer.require(Type::version, account(numbers[side]), record.version);
        transfer.put(account(numbers[side]),
                     record_of_test(std::to_string(side == 0 ? balance - amount : balance + amount)));
      }
      transfer.require(Type::absent, trace).put(trace, {});
      const auto outcome = co_await user.session->commit(std::move(transfer));
      if (!outcome) co_return;
      (outcome->committed() ? told_ : refused_).push_back(trace);
    }
  }

  void check(Session& session) override {
    ReadRequest request;
    for (std::uint64_t i = 0; i < accounts; ++i) request.gets.push_back({account(i), false});
    for (const auto& receipt : told_) request.gets.push_back({receipt, false});
    for (const auto& receipt : refused_) request.gets.push_back({receipt, false});
    const auto reply = world_.loop().get(session.read(std::move(request)));
    if (!reply) return violated("the accounts cannot be read");
    std::uint64_t sum = 0;
    for (std::uint64_t i = 0; i < accounts; ++i) sum += std::stoull(value_of(*reply->gets[i].record));
    if (sum != accounts * start) violated("money was made or lost");
    for (std::size_t i = accounts; i < reply->gets.size(); ++i) {
      const bool was_told = i < accounts + told_.size();
      if (reply->gets[i].record.has_value() == was_told) continue;
      violated(was_told ? "an acknowledged transfer is lost" : "a refused transfer happened");
    }
  }

  std::vector<Key> told_, refused_;
  std::uint64_t next_receipt_ = 0;
};

/// One number in three rows, two of them in one shard. It never goes back, for nobody, and the two are equal
/// in every read.
class Register final : public Users {
 public:
  Register(std::uint64_t seed, Lie lie) : Users(seed, lie) {
    std::vector<std::pair<Key, std::string>> rows;
    for (const auto& row : places()) rows.emplace_back(row, "0");
    make(rows);
  }

 private:
  std::array<Key, 3> places() { return {row(2, 1), row(2, 2, 1), row(3, 3)}; }

  static std::uint64_t number(const std::optional<Record>& record) {
    return record ? std::stoull(value_of(*record)) : 0;
  }

  Task<> use(MortalSession& user, std::uint64_t process) override {
    for (int i = 0; i < 12; ++i) {
      const std::uint64_t floor = floor_;
      ReadRequest request;
      for (const auto& place : places()) request.gets.push_back({place, false});
      if (process % 2 == 1 && i % 2 == 0) request.gets.erase(request.gets.begin(), request.gets.end() - 1);
      const auto seen = co_await user.session->read(std::move(request));
      if (!seen) co_return;
      for (const auto& got : seen->gets) {
        if (number(got.record) < floor) violated("an older value was read");
      }
      if (seen->gets.size() == 3) {
        if (number(seen->gets[0].record) != number(seen->gets[1].record))
          violated("a torn read of one shard");
      }
      for (const auto& got : seen->gets) floor_ = std::max(floor_, number(got.record));
      if (process % 2 == 1) continue;
      const std::uint64_t next = number(seen->gets[0].record) + 1;
      auto raise = transaction_of_test();
      for (std::size_t place = 0; place < 3; ++place) {
        if (!seen->gets[place].record) co_return violated("a row went");
        raise.require(Type::version, places()[place], seen->gets[place].record->version);
        raise.put(places()[place], record_of_test(std::to_string(next)));
      }
      const auto outcome = co_await user.session->commit(std::move(raise));
      if (!outcome) co_return;
      if (outcome->committed()) floor_ = std::max(floor_, next);
    }
  }

  void check(Session& session) override {
    ReadRequest request;
    for (const auto& place : places()) request.gets.push_back({place, false});
    const auto seen = world_.loop().get(session.read(std::move(request)));
    if (!seen) return violated("the register cannot be read");
    for (const auto& got : seen->gets) {
      if (number(got.record) != number(seen->gets[0].record)) violated("the rows differ");
      if (number(got.record) < floor_) violated("an older value at the end");
    }
  }

  std::uint64_t floor_ = 0;
};

/// Entries move between leaves of several shards, which split, and are written where they are. Each is in one
/// place at the end, counted there, with nothing written that is lost.
class Movers final : public Users {
 public:
  Movers(std::uint64_t seed, Lie lie) : Users(seed, lie) {
    std::vector<std::pair<Key, std::string>> rows;
    for (std::uint64_t i = 0; i < entries; ++i) rows.emplace_back(place(i, rng_.below(leaves)), "0");
    make(rows);
  }

 private:
  static constexpr std::uint64_t entries = 5, leaves = 8;

  static LeafAddress leaf(std::uint64_t number) {
    return {test_namespace, InodeId(1), LeafId(static_cast<std::uint32_t>(number))};
  }
  static Key place(std::uint64_t entry, std::uint64_t number) {
    return key(leaf(number), Kind::entry, std::string(16, static_cast<char>('a' + entry)));
  }
  static std::uint64_t number(const Record& record) { return std::stoull(value_of(record)); }
  static ReadRequest look_for(std::uint64_t entry) {
    ReadRequest request;
    for (std::uint64_t i = 0; i < leaves; ++i) request.gets.push_back({place(entry, i), false});
    return request;
  }

  /// False: the user has died.
  Task<bool> add(MortalSession& user, Transaction& transaction, std::uint64_t entry) {
    const auto seen = co_await user.session->read(look_for(entry));
    if (!seen) co_return false;
    for (std::uint64_t at = 0; at < leaves; ++at) {
      const auto& record = seen->gets[at].record;
      if (!record) continue;
      const Key from = place(entry, at);
      if (rng_.below(3) == 0) {
        transaction.require(Type::version, from, record->version);
        transaction.put(from, record_of_test(std::to_string(number(*record) + 1)));
        ++begun_[entry];
      } else {
        const Key to = place(entry, (at + 1 + rng_.below(leaves - 1)) % leaves);
        transaction.require(rng_.below(3) == 0 ? Type::exists : Type::version, from, record->version);
        transaction.require(Type::absent, to).move(from, to);
      }
      break;
    }
    co_return true;
  }

  Task<> use(MortalSession& user, std::uint64_t) override {
    for (int i = 0; i < 8; ++i) {
      auto transaction = transaction_of_test();
      const auto first = rng_.below(entries);
      if (!co_await add(user, transaction, first)) co_return;
      if (rng_.below(2) == 0 && !co_await add(user, transaction, (first + 1) % entries)) co_return;
      if (transaction.operations.empty()) continue;
      const auto written = transaction.operations;
      const auto outcome = co_await user.session->commit(std::move(transaction));
      if (!outcome && outcome.error().code() != Errc::not_supported) co_return;
      if (!outcome || !outcome->committed()) continue;
      for (const auto& one : written) {
        auto& told = told_[static_cast<std::uint64_t>(one.key.item.front() - 'a')];
        if (one.type == Operation::Type::put) told = std::max(told, number(one.record));
      }
    }
  }

  void trouble() override {
    if (rng_.below(3) == 0) world_.change_store(rng_);
    if (rng_.below(2) == 0) return;
    const Slot first = slot_of(leaf(rng_.below(leaves)));
    world_.split(world_.routes().of(first).id, first);
    world_.loop().run_for(std::chrono::milliseconds(5));
  }

  void check(Session& session) override {
    std::map<std::uint64_t, std::uint64_t> counted;
    for (std::uint64_t entry = 0; entry < entries; ++entry) {
      const auto seen = world_.loop().get(session.read(look_for(entry)));
      if (!seen) return violated("the entries cannot be read");
      int found = 0;
      for (std::uint64_t at = 0; at < leaves; ++at) {
        const auto& record = seen->gets[at].record;
        if (!record) continue;
        ++counted[at];
        if (++found > 1) violated("an entry is in two places");
        if (number(*record) < told_[entry] || number(*record) > begun_[entry]) violated("a write is lost");
      }
      if (found == 0) violated("an entry is lost");
    }
    for (std::uint64_t at = 0; at < leaves; ++at) {
      const auto counters = world_.loop().get(session.counters({leaf(at)}));
      if (!counters || counters->front().entries != counted[at]) violated("entries are counted wrong");
    }
  }

  std::map<std::uint64_t, std::uint64_t> told_, begun_;
};

template <class Checker>
std::string first_violation(Lie lie, sim::Seeds seeds) {
  for (std::uint64_t seed = seeds.first; seed < seeds.first + seeds.count; ++seed) {
    const auto violation = Checker(seed, lie).run();
    if (!violation.empty()) return "seed " + std::to_string(seed) + ": " + violation;
  }
  return {};
}

TEST(Atomicity, transfers_are_whole_and_counted_once) {
  EXPECT_EQ(first_violation<Bank>(Lie::none, sim::Seeds::from_environment(480)), "");
}

TEST(Atomicity, a_register_over_shards_is_linearizable) {
  EXPECT_EQ(first_violation<Register>(Lie::none, sim::Seeds::from_environment(480)), "");
}

TEST(Atomicity, entries_that_move_are_in_one_place) {
  EXPECT_EQ(first_violation<Movers>(Lie::none, sim::Seeds::from_environment(480)), "");
}

class PlantedLie : public ::testing::TestWithParam<Lie> {};

TEST_P(PlantedLie, is_noticed) {
  const sim::Seeds some{.first = 0, .count = 100};
  const bool noticed = !first_violation<Register>(GetParam(), some).empty() ||
                       !first_violation<Bank>(GetParam(), some).empty();
  EXPECT_TRUE(noticed);
}

INSTANTIATE_TEST_SUITE_P(Violations, PlantedLie,
                         ::testing::Values(Lie::forget_undecided, Lie::call_pending_aborted,
                                           Lie::call_pending_committed, Lie::pretend_prepared,
                                           Lie::swallow_resolve));

/// Whatever clients are told, and do then: no shard stops.
class AnyLie : public ::testing::TestWithParam<Lie> {};

TEST_P(AnyLie, stops_no_shard) {
  const auto seeds = sim::Seeds::from_environment(8);
  for (std::uint64_t seed = seeds.first; seed < seeds.first + seeds.count; ++seed) {
    EXPECT_FALSE(Bank(seed, GetParam()).fails_a_shard()) << seed;
    EXPECT_FALSE(Movers(seed, GetParam()).fails_a_shard()) << seed;
  }
}

INSTANTIATE_TEST_SUITE_P(Violations, AnyLie,
                         ::testing::Values(Lie::forget_undecided, Lie::call_pending_aborted,
                                           Lie::call_pending_committed, Lie::pretend_prepared,
                                           Lie::swallow_resolve, Lie::swallow_fence, Lie::refuse_again));

/// Lies that need a schedule of their own.
class Directed : public ::testing::Test {
 protected:
  Result<Outcome> commit(MortalSession& user, Transaction transaction) {
    return world_.loop().get(user.session->commit(std::move(transaction)));
  }
  Transaction create() {
    return transaction_of_test().require(Type::absent, row_).put(row_, record_of_test("late"));
  }
  bool exists(MortalSession& user) {
    ReadRequest request;
    request.gets.push_back({row_, false});
    return world_.loop().get(user.session->read(std::move(request)))->gets.front().record.has_value();
  }

  /// A user's create arrives late, after its repetition was refused and the reason for that went.
  bool happened_although_refused(Lie lie) {
    world_.weather().lie = lie;
    auto& slow = world_.connect(1);
    auto& other = world_.connect(2);
    world_.weather().delay_next = std::chrono::seconds(5);
    std::optional<Result<Outcome>> told;
    asio::co_spawn(
        world_.loop().executor(), slow.session->commit(create()),
        [&told](const std::exception_ptr&, Result<Outcome> outcome) { told = std::move(outcome); });
    world_.loop().run_until([this] { return !world_.weather().delay_next; });
    EXPECT_TRUE(commit(other, create())->committed());
    world_.loop().run_until([&told] { return told.has_value(); });
    EXPECT_EQ((*told)->refusal, Refusal::exists);
    EXPECT_TRUE(commit(other, transaction_of_test().erase(row_))->committed());
    world_.loop().run_for(std::chrono::seconds(10));
    return exists(other);
  }

  /// A create of a process that died arrives when its next session is there.
  bool happened_after_the_fence(Lie lie) {
    world_.weather().lie = lie;
    auto& dying = world_.connect(1);
    world_.weather().delay_next = std::chrono::seconds(5);
    dying.life.messages = 1;
    dying.life.last_arrives = true;
    EXPECT_FALSE(commit(dying, create()));
    auto& next = world_.connect(1);
    EXPECT_FALSE(exists(next));
    world_.loop().run_for(std::chrono::seconds(10));
    return exists(next);
  }

  ShardWorld world_{4};
  Key row_ = key(world_.leaf_in(2), Kind::inode, item_of(1));
};

TEST_F(Directed, a_late_message_does_nothing_after_its_refusal) {
  EXPECT_FALSE(happened_although_refused(Lie::none));
}
TEST_F(Directed, trusting_foresight_on_a_repetition_is_noticed) {
  EXPECT_TRUE(happened_although_refused(Lie::refuse_again));
}
TEST_F(Directed, a_late_message_does_nothing_after_the_fence) {
  EXPECT_FALSE(happened_after_the_fence(Lie::none));
}
TEST_F(Directed, a_fence_that_never_came_is_noticed) {
  EXPECT_TRUE(happened_after_the_fence(Lie::swallow_fence));
}

}  // namespace
}  // namespace kiseki::shard::detail
