#include <gtest/gtest.h>

#include "shard/testing/shard_world.h"

namespace kiseki::shard::detail {
namespace {

using Type = Assert::Type;

/// What the shards must be: one map, one transaction after another.
struct Model {
  struct Row {
    std::string value;
    Stamp version;
  };
  std::map<Key, Row> rows;

  Refusal check(const Transaction& transaction) const {
    for (const auto& one : transaction.asserts) {
      const auto found = rows.find(one.key);
      if (one.type == Type::absent && found != rows.end()) return Refusal::exists;
      if (one.type == Type::exists && found == rows.end()) return Refusal::missing;
      if (one.type == Type::version && (found == rows.end() || found->second.version != one.stamp)) {
        return Refusal::version;
      }
    }
    return Refusal::none;
  }
  void apply(const Transaction& transaction, Stamp stamp) {
    for (const auto& one : transaction.operations) {
      if (one.type == Operation::Type::put) rows[one.key] = {value_of(one.record), stamp};
      if (one.type == Operation::Type::erase) rows.erase(one.key);
      if (one.type == Operation::Type::move) {
        if (auto node = rows.extract(one.key); !node.empty()) rows.insert_or_assign(one.to, node.mapped());
      }
    }
  }
};

class Run {
 public:
  Run(std::uint64_t seed, std::uint32_t shards) : rng_(seed), world_(shards) {
    // Leaves of one container, so that entries may move between them.
    for (std::uint32_t leaf = 0; leaf < 12; ++leaf)
      leaves_.push_back({test_namespace, InodeId(1), LeafId(leaf)});
    session_ = world_.connect(1).session.get();
  }

  void step() {
    const auto kind = rng_.below(100);
    if (kind < 2) return restart();
    if (kind < 4) {
      ASSERT_TRUE(world_.store().flush());
      return;
    }
    if (kind < 30) return read();
    auto transaction = random_transaction();
    if (!transaction.validate()) return;
    const auto outcome = world_.loop().get(session_->commit(transaction));
    ASSERT_TRUE(outcome) << outcome.error().to_string();
    const auto expected = model_.check(transaction);
    ASSERT_EQ(outcome->committed(), expected == Refusal::none) << static_cast<int>(outcome->refusal);
    if (outcome->committed()) model_.apply(transaction, outcome->stamp);
  }
  void compare() {
    std::map<LeafAddress, std::uint64_t> entries;
    for (const auto& leaf : leaves_) {
      ReadRequest request;
      request.scans.push_back({leaf, Kind::entry, {}, 4096, Scan::Direction::forward});
      const auto reply = world_.loop().get(session_->read(std::move(request)));
      ASSERT_TRUE(reply);
      std::map<Key, std::string> found, expected;
      for (const auto& row : reply->scans.front().rows) found[row.key] = value_of(row.record);
      for (const auto& [row, content] : model_.rows) {
        if (row.leaf == leaf) expected[row] = content.value;
      }
      ASSERT_EQ(found, expected);
      const auto counters = world_.loop().get(session_->counters({leaf}));
      ASSERT_EQ(counters->front().entries, expected.size());
    }
  }

 private:
  Key random_row() {
    return key(leaves_[rng_.below(leaves_.size())], Kind::entry,
               std::string(16, static_cast<char>('a' + rng_.below(4))));
  }
  void require_something(Transaction& transaction, const Key& row) {
    const auto found = model_.rows.find(row);
    const bool wrong = rng_.below(12) == 0;
    if (found == model_.rows.end()) {
      transaction.require(wrong ? Type::exists : Type::absent, row);
    } else {
      transaction.require(Type::version, row, wrong ? Stamp(1) : found->second.version);
    }
  }
  Transaction random_transaction() {
    auto transaction = transaction_of_test();
    for (auto left = 1 + rng_.below(4); left > 0; --left) {
      const Key row = random_row();
      require_something(transaction, row);
      const auto kind = rng_.below(4);
      if (kind == 0) continue;
      if (kind == 1) transaction.erase(row);
      if (kind == 2) transaction.put(row, record_of_test(std::to_string(rng_.below(1000))));
      if (kind == 3 && model_.rows.contains(row)) {
        Key to = row;
        to.leaf = leaves_[rng_.below(leaves_.size())];
        transaction.require(Type::absent, to).move(row, to);
      }
    }
    return transaction;
  }
  void read() {
    ReadRequest request;
    for (int i = 0; i < 3; ++i) request.gets.push_back({random_row(), false});
    const auto keys = request.gets;
    const auto reply = world_.loop().get(session_->read(std::move(request)));
    ASSERT_TRUE(reply);
    for (std::size_t i = 0; i < keys.size(); ++i) {
      const auto found = model_.rows.find(keys[i].key);
      const auto& record = reply->gets[i].record;
      ASSERT_EQ(record.has_value(), found != model_.rows.end());
      if (!record) continue;
      ASSERT_EQ(value_of(*record), found->second.value);
      ASSERT_EQ(record->version, found->second.version);
    }
  }
  void restart() {
    world_.crash(rng_.next());
    session_ = world_.connect(1).session.get();
  }

  SeededRng rng_;
  ShardWorld world_;
  std::vector<LeafAddress> leaves_;
  Session* session_ = nullptr;
  Model model_;
};

void run(std::uint64_t seed, std::uint32_t shards) {
  SCOPED_TRACE("seed " + std::to_string(seed) + ", shards " + std::to_string(shards));
  Run run(seed, shards);
  for (int i = 0; i < 40; ++i) {
    run.step();
    if (::testing::Test::HasFatalFailure()) return;
  }
  run.compare();
}

TEST(Model, one_shard_behaves_as_a_map) {
  for (std::uint64_t seed = 0; seed < 200 && !::testing::Test::HasFailure(); ++seed) run(seed, 1);
}

TEST(Model, several_shards_behave_as_a_map) {
  for (std::uint64_t seed = 0; seed < 200 && !::testing::Test::HasFailure(); ++seed) run(seed, 4);
}

}  // namespace
}  // namespace kiseki::shard::detail
