#include "shard/testing/transactions_simulation.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <set>
#include <stdexcept>

#include "base/codec.h"
#include "shard/testing/history.h"
#include "shard/testing/shard_world.h"

namespace kiseki::shard::detail {

namespace {

using Type = Assert::Type;

constexpr std::uint64_t users = 4;
constexpr std::uint64_t consumer = 8, checker = 9;
constexpr int acts_a_life = 6;

class Run {
 public:
  Run(const sim::Schedule& schedule, sim::Trace& trace)
      : schedule_(schedule), trace_(trace), rng_(schedule.seed), world_(3) {
    world_.weather().rng = SeededRng(schedule.seed + 1);
    // Eight rows; the first two share a leaf, and the first shard has most: it is split.
    const auto leaf = world_.leaf_in(1);
    rows_ = {key(leaf, Kind::inode, item_of(1)), key(leaf, Kind::inode, item_of(2))};
    for (std::uint64_t nth = 1; nth < 4; ++nth) rows_.push_back(row_in(1, nth));
    rows_.push_back(row_in(2, 0));
    rows_.push_back(row_in(2, 1));
    rows_.push_back(row_in(3, 0));
  }

  std::string words() {
    make_rows();
    auto& weather = world_.weather();
    weather.duplicates = rng_.below(2) * 20;
    weather.lost_answers = rng_.below(2) * 10;
    start_users();
    for (const auto& step : schedule_.steps) {
      world_.loop().run_until([] { return false; }, std::max(step.at - elapsed_, Duration::zero()));
      elapsed_ = std::max(elapsed_, step.at);
      take(step);
      start_users();
    }
    if (!world_.loop().run_until([this] { return running_.empty(); }, std::chrono::hours(1))) {
      return "a user waits for ever";
    }
    weather = Weather{};
    settle();
    if (violation_.empty() && !world_.is_clean()) violation_ = "an intent stays for ever";
    if (violation_.empty()) check();
    return violation_;
  }

 private:
  Key row_in(std::size_t shard, std::uint64_t nth) {
    return key(world_.leaf_in(shard, nth), Kind::inode, item_of(1));
  }
  void note(const std::string& words) {
    trace_.note(world_.loop().now(), [&] { return words; });
  }
  void violated(std::string words) {
    if (violation_.empty()) violation_ = std::move(words);
  }

  void make_rows() {
    auto transaction = transaction_of_test();
    for (const auto& row : rows_) transaction.require(Type::absent, row).put(row, record_of_test(""));
    const auto made = world_.loop().get(world_.connect(checker).session->commit(std::move(transaction)));
    KISEKI_ASSERT(made && made->committed());
    world_.loop().run();
  }

  void start_users() {
    for (std::uint64_t user = 0; user <= users; ++user) {
      const std::uint64_t process = user == users ? consumer : user;
      if (running_.contains(process)) continue;
      auto& mortal = world_.connect(process);
      history_.fence(process);
      if (rng_.below(3) == 0 && process != consumer) {
        mortal.life.messages = static_cast<std::int64_t>(1 + rng_.below(60));
        mortal.life.last_arrives = rng_.below(2) == 0;
      }
      running_.insert(process);
      asio::co_spawn(world_.loop().executor(),
                     process == consumer ? consume(*mortal.session, acts_a_life) : use(mortal, process),
                     [this, process](const std::exception_ptr& thrown) {
                       KISEKI_ASSERT(thrown == nullptr);
                       running_.erase(process);
                     });
    }
  }

  void take(const sim::Step& step) {
    note(fmt::format("{} {}", step.what, step.argument));
    if (step.what == "crash") world_.crash(step.argument);
    if (step.what == "sweep") world_.sweep();
    if (step.what == "store") {
      SeededRng rng(step.argument);
      world_.change_store(rng);
    }
    if (step.what == "split") {
      const auto first =
          static_cast<Slot>(slot_of(rows_[step.argument % rows_.size()].leaf) + step.argument / 8 % 2);
      world_.split(world_.routes().of(first).id, first);
    }
  }

  static History::List list_of(const Record& record) { return decode_list(value_of(record)); }

  Task<> use(MortalSession& mortal, std::uint64_t user) {
    for (int i = 0; i < acts_a_life; ++i) {
      History::Act look;
      look.user = user;
      look.began = history_.tick();
      ReadRequest request;
      for (const auto& row : rows_) request.gets.push_back({row, false});
      const auto seen = co_await mortal.session->read(std::move(request));
      if (!seen) co_return;
      look.ended = history_.tick();
      record_reads(look, *seen);
      if (!co_await append(*mortal.session, *seen, user)) co_return;
    }
  }

  /// Rows of one leaf are of one moment, others each of their own.
  void record_reads(const History::Act& look, const ReadReply& seen) {
    for (std::size_t row = 0; row < rows_.size(); ++row) {
      if (!seen.gets[row].record) return violated("a row has gone");
      History::Act act = look;
      act.saw[row] = list_of(*seen.gets[row].record);
      if (row == 0 && seen.gets[1].record) act.saw[1] = list_of(*seen.gets[1].record);
      history_.add(std::move(act));
    }
  }

  /// Appends to some rows, relies on another, and leaves a row for the consumer. False when the user has
  /// died.
  Task<bool> append(Session& session, const ReadReply& seen, std::uint64_t user) {
    History::Act act;
    act.user = user;
    act.number = history_.next_number();
    std::set<std::size_t> chosen;
    const std::size_t count = 1 + rng_.below(3);
    while (chosen.size() < count) chosen.insert(rng_.below(rows_.size()));
    auto transaction = transaction_of_test();
    for (const std::size_t row : chosen) {
      if (!seen.gets[row].record) co_return false;
      const auto& record = *seen.gets[row].record;
      auto list = list_of(record);
      act.saw[row] = list;
      act.appended.push_back(row);
      list.push_back(act.number);
      transaction.require(Type::version, rows_[row], record.version);
      transaction.put(rows_[row], record_of_test(encode_list(list)));
    }
    const std::size_t relied = rng_.below(rows_.size());
    if (!chosen.contains(relied) && seen.gets[relied].record) {
      act.saw[relied] = list_of(*seen.gets[relied].record);
      transaction.require(Type::version, rows_[relied], seen.gets[relied].record->version);
    }
    transaction.put_stamped(key(rows_[act.appended.front()].leaf, Kind::garbage, item_of(act.number)), {});
    act.began = history_.tick();
    const std::size_t place = history_.acts().size();
    history_.add(act);
    const auto outcome = co_await session.commit(std::move(transaction));
    if (outcome) {
      history_.end(place, outcome->committed() ? History::Outcome::committed : History::Outcome::refused);
    }
    co_return outcome.has_value();
  }

  /// Takes rows in the order of their stamps and never looks back.
  Task<> consume(Session& session, int rounds) {
    for (int i = 0; i < rounds; ++i) {
      for (const auto& route : session.routes().all()) {
        const ShardId shard = route.id;
        const auto rows = co_await session.scan(shard, Kind::garbage, consumed_up_to_[shard], 4);
        if (!rows) co_return;
        for (const auto& row : *rows) {
          Decoder in(as_view(row.key.item));
          consumed_.insert(in.integer<std::uint64_t>());
          consumed_up_to_[shard] = std::max(consumed_up_to_[shard], row.key.stamp);
        }
      }
    }
  }

  void settle() {
    for (std::uint64_t user = 0; user < users; ++user) {
      world_.connect(user);
      history_.fence(user);
    }
    world_.sweep();
    world_.sweep();
  }

  void check() {
    auto& session = *world_.connect(checker).session;
    ReadRequest request;
    for (const auto& row : rows_) request.gets.push_back({row, false});
    const auto last = world_.loop().get(session.read(std::move(request)));
    if (!last) return violated("the rows cannot be read");
    std::vector<History::List> lists;
    for (const auto& got : last->gets) {
      if (!got.record) return violated("a row has gone");
      lists.push_back(list_of(*got.record));
    }
    violated(history_.judge(lists));
    world_.loop().get(consume(session, 200));
    for (const auto& act : history_.acts()) {
      if (act.appended.empty()) continue;
      const bool is_consumed = consumed_.contains(act.number);
      if (is_consumed == history_.has_happened(act, lists)) continue;
      violated(fmt::format("transaction {}: its row for the consumer {}", act.number,
                           is_consumed ? "should not be" : "was missed"));
    }
  }

  const sim::Schedule& schedule_;
  sim::Trace& trace_;
  SeededRng rng_;
  std::vector<Key> rows_;
  History history_;
  std::set<std::uint64_t> running_;
  std::map<ShardId, Stamp> consumed_up_to_;
  std::set<std::uint64_t> consumed_;
  Duration elapsed_{};
  std::string violation_;
  ShardWorld world_;  // first to go: what runs in it uses the rest
};

}  // namespace

sim::Schedule TransactionsSimulation::plan(std::uint64_t seed) const {
  SeededRng rng(seed);
  sim::Schedule schedule{.seed = seed, .steps = {}};
  Duration at{};
  for (int i = 0; i < 8; ++i) {
    at += std::chrono::microseconds(rng.below(rng.below(3) == 0 ? 2'000'000 : 30'000));
    constexpr std::array<const char*, 6> kinds{"split", "split", "crash", "store", "sweep", "users"};
    schedule.steps.push_back(
        {.at = at, .what = kinds[rng.below(kinds.size())], .argument = rng.below(1U << 20)});
  }
  return schedule;
}

std::string TransactionsSimulation::run(const sim::Schedule& schedule, sim::Trace& trace) const {
  try {
    return Run(schedule, trace).words();
  } catch (const std::runtime_error& failed) {
    return fmt::format("a shard has failed: {}", failed.what());
  }
}

}  // namespace kiseki::shard::detail
