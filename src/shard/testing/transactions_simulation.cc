#include "shard/testing/transactions_simulation.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <set>
#include <stdexcept>

#include "shard/testing/list_users.h"
#include "shard/testing/shard_world.h"

namespace kiseki::shard::detail {

namespace {

constexpr std::uint64_t users_count = 4;
constexpr std::uint64_t consumer = 8, checker = 9;
constexpr int acts_a_life = 6;

class Run {
 public:
  Run(const sim::Schedule& schedule, sim::Trace& trace)
      : schedule_(schedule), trace_(trace), rng_(schedule.seed), world_(3) {
    users_.emplace(rng_, rows());
    world_.weather().rng = SeededRng(schedule.seed + 1);
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
    if (users_->violation().empty() && !world_.is_clean()) return "an intent stays for ever";
    if (users_->violation().empty()) {
      SessionClient client(*world_.connect(checker).session);
      world_.loop().get(users_->judge(client));
    }
    return users_->violation();
  }

 private:
  Key row_in(std::size_t shard, std::uint64_t nth) {
    return key(world_.leaf_in(shard, nth), Kind::inode, item_of(1));
  }
  /// The first two share a leaf, and the first shard has most: it is split.
  std::vector<Key> rows() {
    const auto leaf = world_.leaf_in(1);
    std::vector<Key> rows = {key(leaf, Kind::inode, item_of(1)), key(leaf, Kind::inode, item_of(2))};
    for (std::uint64_t nth = 1; nth < 4; ++nth) rows.push_back(row_in(1, nth));
    rows.push_back(row_in(2, 0));
    rows.push_back(row_in(2, 1));
    rows.push_back(row_in(3, 0));
    return rows;
  }
  void note(const std::string& words) {
    trace_.note(world_.loop().now(), [&] { return words; });
  }
  void make_rows() {
    const auto made = world_.loop().get(world_.connect(checker).session->commit(users_->beginning()));
    KISEKI_ASSERT(made && made->committed());
    world_.loop().run();
  }

  void start_users() {
    for (std::uint64_t user = 0; user <= users_count; ++user) {
      const std::uint64_t process = user == users_count ? consumer : user;
      if (running_.contains(process)) continue;
      auto& mortal = world_.connect(process);
      users_->fence(process);
      if (rng_.below(3) == 0 && process != consumer) {
        mortal.life.messages = static_cast<std::int64_t>(1 + rng_.below(60));
        mortal.life.last_arrives = rng_.below(2) == 0;
      }
      running_.insert(process);
      asio::co_spawn(world_.loop().executor(), live(mortal, process),
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
      const auto& rows = users_->rows();
      const auto first =
          static_cast<Slot>(slot_of(rows[step.argument % rows.size()].leaf) + step.argument / 8 % 2);
      world_.split(world_.routes().of(first).id, first);
    }
  }

  Task<> live(MortalSession& mortal, std::uint64_t process) {
    SessionClient client(*mortal.session);
    for (int i = 0; i < acts_a_life; ++i) {
      if (process == consumer) {
        co_await users_->consume(client);
      } else if (!co_await users_->act(client, process)) {
        co_return;
      }
    }
  }

  void settle() {
    for (std::uint64_t user = 0; user < users_count; ++user) {
      world_.connect(user);
      users_->fence(user);
    }
    world_.sweep();
    world_.sweep();
  }

  const sim::Schedule& schedule_;
  sim::Trace& trace_;
  SeededRng rng_;
  std::set<std::uint64_t> running_;
  Duration elapsed_{};
  std::optional<ListUsers> users_;
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
