#include "shard/node/local_replicas.h"

#include <gtest/gtest.h>

#include "base/planted.h"
#include "shard/snapshots/removal.h"
#include "shard/testing/shard_world.h"
#include "sim/simulated_disk.h"

namespace kiseki::shard::detail {
namespace {

/// Nobody is there.
class Silence final : public raft::Transport {
 public:
  void send(raft::GroupId, std::span<const raft::Message>) override {}
  Task<Result<>> send_snapshot(raft::GroupId, const raft::Message&, raft::SnapshotSource&) override {
    co_return fail(Errc::unavailable, "nobody is there");
  }
};

/// One of three nodes, with replicas of the system shard and of one that has the slots 1 to 999.
class LocalReplicasTest : public ::testing::Test {
 protected:
  LocalReplicasTest() {
    kv::Batch batch;
    Machine::create(batch, ShardId(0), {0, 0}, first_base({1, 2, 3}));
    Machine::create(batch, ShardId(1), {1, 999}, first_base({1, 2, 3}));
    EXPECT_TRUE(store_.write(batch) && store_.flush());
    log_ = loop_.get(raft::Log::open(disk_, loop_.executor(), clock_, {.directory = "/log"})).value();
    replicas_ =
        std::make_unique<LocalReplicas>(LocalReplicas::Services{.store = store_,
                                                                .log = *log_,
                                                                .pool = pool_,
                                                                .cores = {{loop_.executor(), &clock_}},
                                                                .transport = &transport_,
                                                                .node = 1,
                                                                .on_change = [this] { ++changes_; }});
    EXPECT_TRUE(loop_.get(replicas_->open({})));
  }
  ~LocalReplicasTest() override {
    replicas_->close();
    for (LocalReplica* const replica : replicas_->all()) {
      loop_.get(replica->quiet());
      loop_.get(replica->stop());
    }
    loop_.get(log_->stop());
    replicas_.reset();
    log_.reset();
    loop_.run_for(std::chrono::seconds(1));
  }
  /// Whether a message to the shard makes a replica of it begin.
  bool begins(std::uint32_t shard) {
    replicas_->receive(ShardId(shard), {{.type = raft::MessageType::heartbeat, .to = 1, .from = 2}}, nullptr);
    EXPECT_TRUE(loop_.get(replicas_->begin_wanted(map_)));
    return replicas_->find(ShardId(shard)) != nullptr;
  }

  sim::SimulatedLoop loop_;
  sim::SimulatedClock clock_{loop_};
  sim::SimulatedDisk disk_{clock_, 1};
  sim::CrashableKv store_{family_count};
  BlockingPool pool_{0};
  Silence transport_;
  std::unique_ptr<raft::Log> log_;
  std::unique_ptr<LocalReplicas> replicas_;
  ShardMap map_;
  int changes_ = 0;
};

TEST_F(LocalReplicasTest, begins_what_has_slots_of_its_own_one_after_the_other) {
  map_.add(ShardId(1), 1);
  map_.add(ShardId(2), 1000);
  map_.add(ShardId(3), 2000);
  EXPECT_FALSE(begins(9)) << "no map names it";
  EXPECT_TRUE(begins(2));
  EXPECT_FALSE(begins(3)) << "what the snapshot of the first will bring is not known yet";
  EXPECT_EQ(changes_, 3);
}

/// The shard here has yet to apply that split.
TEST_F(LocalReplicasTest, does_not_begin_what_a_shard_here_still_has) {
  map_.add(ShardId(1), 1);
  map_.add(ShardId(2), 500);
  EXPECT_FALSE(begins(2));
  const planted::Fault fault("1.8 the slots of two replicas here overlap");
  EXPECT_TRUE(begins(2));
}

/// The child's state is there, made with the split of the shard here, and not opened yet.
TEST_F(LocalReplicasTest, does_not_begin_what_a_split_has_just_made) {
  map_.add(ShardId(1), 1);
  map_.add(ShardId(2), 500);
  kv::Batch split;
  split.put(family_state, state_key(ShardId(1), StateType::range),
            encode(SlotRange{.first = 1, .last = 499}));
  Machine::create(split, ShardId(2), {500, 999}, first_base({1, 2, 3}));
  ASSERT_TRUE(store_.write(split));
  const auto applied = [this] { return Machine::open(store_, ShardId(2)).value()->applied(); };
  EXPECT_FALSE(begins(2));
  EXPECT_EQ(applied(), 1U);
  const planted::Fault fault("1.8 a child is begun again before it is opened");
  replicas_->receive(ShardId(2), {{.type = raft::MessageType::heartbeat, .to = 1, .from = 2}}, nullptr);
  EXPECT_FALSE(loop_.get(replicas_->begin_wanted(map_)));
  EXPECT_EQ(applied(), 0U);
}

TEST_F(LocalReplicasTest, messages_wait_for_the_core_within_a_bound_of_bytes) {
  LocalReplica& replica = *replicas_->find(ShardId(1));
  const std::string bytes(1_MiB, 'm');
  const std::size_t count = 2 * LocalReplica::received_max / bytes.size();
  for (std::size_t i = 0; i < count; ++i) {
    raft::Message message{.type = raft::MessageType::heartbeat, .to = 1, .from = 2};
    message.context = as_view(bytes);
    replicas_->receive(ShardId(1), {message}, nullptr);
  }
  EXPECT_GT(replica.received(), LocalReplica::received_max / 2);
  EXPECT_LE(replica.received(), LocalReplica::received_max);
  loop_.run_for(std::chrono::milliseconds(1));
  EXPECT_EQ(replica.received(), 0U);
}

TEST_F(LocalReplicasTest, does_not_begin_what_was_removed) {
  map_.add(ShardId(1), 1);
  map_.add(ShardId(2), 1000);
  ASSERT_TRUE(remove_replica(store_, ShardId(2)));
  EXPECT_FALSE(begins(2));
}

}  // namespace
}  // namespace kiseki::shard::detail
