#include "shard/node.h"

#include <gtest/gtest.h>

#include "base/planted.h"
#include "raft/log.h"
#include "shard/testing/shard_world.h"
#include "sim/simulated_disk.h"

namespace kiseki::shard {
namespace {

using detail::record_of_test;
using detail::test_namespace;
using detail::transaction_of_test;
using detail::value_of;
using Type = Assert::Type;

/// A node with its real log and consensus on a simulated disk, and a store that forgets.
class NodeTest : public ::testing::Test {
 protected:
  NodeTest() { disk_ = std::make_unique<sim::SimulatedDisk>(clock_, 1); }
  ~NodeTest() override { stop(); }

  Result<> open(Node::Options options) {
    raft::Log::Options log_options;
    log_options.directory = "/log";
    log_options.segment_size = 1_MiB;
    auto log = loop_.get(raft::Log::open(*disk_, loop_.executor(), clock_, log_options));
    if (!log) return fail(std::move(log).error());
    log_ = std::move(*log);
    auto node = loop_.get(Node::open(options, {store_, *log_, {{loop_.executor(), &clock_}}, pool_}));
    if (!node) {
      loop_.get(log_->stop());
      log_.reset();
      return fail(std::move(node).error());
    }
    node_ = std::move(*node);
    return {};
  }
  void open() {
    const auto opened = open(Node::Options{});
    ASSERT_TRUE(opened) << opened.error().to_string();
  }
  void stop() {
    client_.reset();
    if (node_) loop_.get(node_->stop());
    if (log_) loop_.get(log_->stop());
    node_.reset();
    log_.reset();
    loop_.run_for(std::chrono::seconds(1));
  }
  void crash(std::uint64_t seed) {
    disk_->crash();
    store_.set_full(true);  // The stop below flushes nothing any more.
    stop();
    store_.set_full(false);
    store_.crash(seed);
  }
  void connect(std::uint64_t process = 1) {
    auto client = loop_.get(node_->connect({loop_.executor(), &clock_}, process));
    ASSERT_TRUE(client) << client.error().to_string();
    client_ = std::move(*client);
  }
  Result<Outcome> create(std::uint64_t container, std::string value) {
    auto transaction = transaction_of_test();
    transaction.require(Type::absent, row(container)).put(row(container), record_of_test(std::move(value)));
    return loop_.get(client_->commit(std::move(transaction)));
  }
  std::string read(std::uint64_t container) {
    ReadRequest request;
    request.gets.push_back({row(container), false});
    auto reply = loop_.get(client_->read(std::move(request)));
    if (!reply) return reply.error().to_string();
    return reply->gets.front().record ? value_of(*reply->gets.front().record) : "-";
  }
  static Key row(std::uint64_t container) {
    return key({test_namespace, InodeId(container), LeafId(0)}, Kind::inode, item_of(container));
  }

  sim::SimulatedLoop loop_;
  sim::SimulatedClock clock_{loop_};
  std::unique_ptr<sim::SimulatedDisk> disk_;
  sim::CrashableKv store_{Node::families().size()};
  BlockingPool pool_{0};
  std::unique_ptr<raft::Log> log_;
  std::unique_ptr<Node> node_;
  std::unique_ptr<Client> client_;
};

TEST_F(NodeTest, makes_the_system_shard_and_equal_data_shards) {
  open();
  const auto status = loop_.get(node_->status());
  ASSERT_EQ(status.size(), 5U);
  EXPECT_EQ(status[0].first, 0);
  EXPECT_EQ(status[0].last, 0);
  EXPECT_EQ(status[1].first, 1);
  EXPECT_EQ(status[4].last, 65535);
  for (std::size_t i = 1; i < status.size(); ++i) {
    EXPECT_TRUE(status[i].leader());
    EXPECT_EQ(status[i].first, status[i - 1].last + 1);
  }
}

TEST_F(NodeTest, splits_a_shard_and_finds_the_child_after_a_power_cut) {
  open();
  connect();
  std::uint64_t made = 0;
  for (std::uint64_t seed = 0; seed < 6; ++seed) {
    for (int i = 0; i < 10; ++i, ++made) ASSERT_TRUE(create(made, "v" + std::to_string(made))->committed());
    const auto status = loop_.get(node_->status());
    const auto& widest =
        *std::ranges::max_element(status, {}, [](const auto& one) { return one.last - one.first; });
    const auto first = static_cast<Slot>(widest.first + (widest.last - widest.first) / 2);
    const auto child = loop_.get(node_->split(widest.id, first));
    ASSERT_TRUE(child) << child.error().to_string();
    EXPECT_EQ(*child, ShardId(static_cast<std::uint32_t>(5 + seed)));
    for (int i = 0; i < 10; ++i, ++made) ASSERT_TRUE(create(made, "v" + std::to_string(made))->committed());
    crash(seed);
    open();
    connect();
    EXPECT_EQ(loop_.get(node_->status()).size(), 6 + seed);
    for (std::uint64_t i = 0; i < made; ++i) ASSERT_EQ(read(i), "v" + std::to_string(i)) << seed;
  }
  EXPECT_EQ(loop_.get(node_->split(ShardId(0), 0)).error().code(), Errc::invalid_argument);
}

/// What a look around finds besides the child that it looks for.
TEST_F(NodeTest, a_shard_that_does_not_open_stops_the_node) {
  open();
  kv::Batch batch;
  batch.put(detail::family_state, detail::state_key(ShardId(77), detail::StateType::progress), "damaged");
  ASSERT_TRUE(store_.write(batch));
  EXPECT_FALSE(node_->failure());
  std::ignore = loop_.get(node_->split(ShardId(1), 100));
  loop_.run_for(std::chrono::seconds(1));
  ASSERT_TRUE(node_->failure());
  EXPECT_NE(node_->failure()->code(), Errc::no_space);
}

TEST_F(NodeTest, what_was_acknowledged_survives_a_power_cut) {
  std::uint64_t made = 0;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    open();
    connect();
    for (std::uint64_t i = 0; i < made; ++i) ASSERT_EQ(read(i), "v" + std::to_string(i)) << seed;
    for (int i = 0; i < 10; ++i, ++made) {
      const auto outcome = create(made, "v" + std::to_string(made));
      ASSERT_TRUE(outcome && outcome->committed());
      if (seed % 3 == 0 && i == 4) {
        ASSERT_TRUE(store_.flush());
      }
    }
    crash(seed);
  }
}

TEST_F(NodeTest, a_stop_and_a_start_keep_everything_and_new_ones_are_refused_old_names) {
  open();
  connect();
  ASSERT_TRUE(create(1, "one")->committed());
  stop();
  open();
  connect();
  EXPECT_EQ(read(1), "one");
  EXPECT_EQ(create(1, "two")->refusal, Refusal::exists);
}

TEST_F(NodeTest, a_session_is_fenced_by_the_next_of_its_process) {
  open();
  connect(1);
  auto earlier = std::move(client_);
  connect(2);
  auto other = std::move(client_);
  connect(1);
  EXPECT_NE(earlier->session(), client_->session());
  std::swap(earlier, client_);
  EXPECT_EQ(create(1, "late").error().code(), Errc::fenced);
  std::swap(other, client_);
  EXPECT_TRUE(create(1, "fine")->committed());
}

TEST_F(NodeTest, pending_rows_of_fenced_sessions_are_abandoned) {
  open();
  connect();
  const LeafAddress leaf{test_namespace, InodeId(5), LeafId(0)};
  const Key pending = key(leaf, Kind::pending, item_of(client_->session().value()));
  auto transaction = transaction_of_test().require(Type::absent, pending).put(pending, {});
  ASSERT_TRUE(loop_.get(client_->commit(std::move(transaction)))->committed());
  const auto abandoned = [&] {
    std::vector<Row> all;
    for (const auto shard : client_->shards()) {
      auto rows = loop_.get(client_->abandoned(shard, 10));
      EXPECT_TRUE(rows);
      for (auto& row : *rows) all.push_back(std::move(row));
    }
    return all;
  };
  EXPECT_TRUE(abandoned().empty());
  crash(3);
  open();
  connect();
  ASSERT_EQ(abandoned().size(), 1U);
  EXPECT_EQ(abandoned().front().key, pending);
  // Also when the fenced session is forgotten.
  loop_.run_for(std::chrono::seconds(5));
  ASSERT_EQ(abandoned().size(), 1U);
  ASSERT_TRUE(loop_.get(client_->commit(transaction_of_test().erase(pending)))->committed());
  EXPECT_TRUE(abandoned().empty());
}

TEST_F(NodeTest, a_node_whose_session_was_fenced_stops) {
  open();
  connect(1);
  connect(1);  // The earlier one is fenced, and nothing is wrong with that.
  loop_.run_for(std::chrono::seconds(30));
  EXPECT_FALSE(node_->failure());
  const planted::Fault deaf("5.1 heartbeats are not heard");
  loop_.run_for(std::chrono::seconds(30));
  ASSERT_TRUE(node_->failure());
  EXPECT_EQ(node_->failure()->code(), Errc::fenced);
}

TEST_F(NodeTest, a_session_lives_as_long_as_its_node_beats) {
  open();
  connect(2);
  const SessionId left = client_->session();
  const Key pending = key({test_namespace, InodeId(5), LeafId(0)}, Kind::pending, item_of(left.value()));
  auto transaction = transaction_of_test().require(Type::absent, pending).put(pending, {});
  ASSERT_TRUE(loop_.get(client_->commit(std::move(transaction)))->committed());
  loop_.run_for(std::chrono::seconds(30));
  EXPECT_TRUE(create(1, "alive")->committed());
  crash(3);
  open();
  connect(1);
  const auto abandoned = [&] {
    std::size_t rows = 0;
    for (const auto shard : client_->shards()) rows += loop_.get(client_->abandoned(shard, 10))->size();
    return rows;
  };
  loop_.run_for(std::chrono::seconds(9));
  EXPECT_EQ(abandoned(), 0U);
  loop_.run_for(std::chrono::seconds(6));
  EXPECT_EQ(abandoned(), 1U);
  loop_.run_for(std::chrono::seconds(60));
  EXPECT_TRUE(create(2, "alive")->committed());
}

TEST_F(NodeTest, another_cluster_is_refused) {
  open();
  stop();
  Node::Options options;
  options.cluster.fill(std::byte{1});
  EXPECT_EQ(open(options).error().code(), Errc::wrong_format);
  open();
}

TEST_F(NodeTest, a_log_without_its_store_is_refused) {
  open();
  connect();
  stop();
  kv::Batch batch;
  for (kv::Family family = 0; family < Node::families().size(); ++family) batch.erase_range(family, {});
  ASSERT_TRUE(store_.write(batch) && store_.flush());
  EXPECT_EQ(open(Node::Options{}).error().code(), Errc::corrupted);
}

TEST_F(NodeTest, a_store_without_its_log_is_refused) {
  open();
  connect();
  ASSERT_TRUE(create(1, "one")->committed());
  stop();
  disk_ = std::make_unique<sim::SimulatedDisk>(clock_, 2);
  EXPECT_EQ(open(Node::Options{}).error().code(), Errc::corrupted);
}

TEST_F(NodeTest, the_log_is_kept_short) {
  ASSERT_TRUE(open({.log_limit = 4_MiB}));
  connect();
  for (std::uint64_t i = 0; i < 400; ++i) ASSERT_TRUE(create(i, std::string(60000, 'x'))->committed());
  loop_.run_for(std::chrono::seconds(2));
  EXPECT_LT(log_->live_bytes(), 8_MiB);
  crash(1);
  open();
  connect();
  EXPECT_EQ(read(399).size(), 60000U);
}

TEST_F(NodeTest, a_full_disk_takes_deletes_and_nothing_new) {
  open();
  connect();
  ASSERT_TRUE(create(1, "one")->committed());
  store_.set_full(true);
  loop_.run_for(std::chrono::seconds(1));
  EXPECT_EQ(create(2, "two").error().code(), Errc::no_space);
  EXPECT_TRUE(loop_.get(client_->commit(transaction_of_test().erase(row(1))))->committed());
  EXPECT_FALSE(node_->failure());
  store_.set_full(false);
  loop_.run_for(std::chrono::seconds(1));
  EXPECT_TRUE(create(2, "two")->committed());
}

TEST_F(NodeTest, a_store_that_fails_a_write_stops_the_node_and_loses_nothing) {
  open();
  connect();
  ASSERT_TRUE(create(1, "one")->committed());
  store_.fail_writes(1);
  asio::co_spawn(loop_.executor(), client_->commit(transaction_of_test().erase(row(7))),
                 [](const std::exception_ptr&, const Result<Outcome>&) {});
  loop_.run_for(std::chrono::seconds(2));
  EXPECT_TRUE(node_->failure());
  crash(5);
  open();
  connect();
  EXPECT_EQ(read(1), "one");
}

}  // namespace
}  // namespace kiseki::shard
