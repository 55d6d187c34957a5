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
    for (const ShardId shard : {ShardId(0), ShardId(1)}) {
      batch.put(family_state, ReplicaRow::key(shard), ReplicaRow{.id = 1}.encode());
    }
    EXPECT_TRUE(store_.write(batch) && store_.flush());
    start();
  }
  ~LocalReplicasTest() override { end(); }
  void start() {
    log_ = loop_.get(raft::Log::open(disk_, loop_.executor(), clock_, {.directory = "/log"})).value();
    replicas_ =
        std::make_unique<LocalReplicas>(LocalReplicas::Services{.store = store_,
                                                                .log = *log_,
                                                                .pool = pool_,
                                                                .cores = {{loop_.executor(), &clock_}},
                                                                .transport = &transport_,
                                                                .node = 1,
                                                                .on_change = [this] { ++changes_; }});
    EXPECT_TRUE(loop_.get(replicas_->open(log_->take_recovered())));
  }
  void end() {
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
  void lose_power(std::uint64_t seed) {
    disk_.crash();
    end();
    store_.set_full(false);
    store_.crash(seed);
    start();
  }
  /// The group of shard 1 goes on without the replica here, as both other voters say.
  void remove() {
    for (const raft::ReplicaId from : {raft::ReplicaId{2}, raft::ReplicaId{3}}) {
      raft::Message word{.type = raft::MessageType::removed, .to = 1, .from = from, .term = 9, .index = 50};
      word.reject = from != 2;
      word.snapshot = raft::Snapshot{{50, 9, {.voters = {2, 3}}}, {}};
      replicas_->receive(ShardId(1), {word}, nullptr);
    }
    loop_.run_for(std::chrono::milliseconds(1));
  }
  /// Whether a message to a replica of the shard makes it begin.
  bool begins(std::uint32_t shard, raft::ReplicaId to = 1,
              raft::MessageType type = raft::MessageType::heartbeat) {
    replicas_->receive(ShardId(shard), {{.type = type, .to = to, .from = 2}}, nullptr);
    EXPECT_TRUE(loop_.get(replicas_->begin_wanted(map_)));
    return replicas_->find(ShardId(shard)) != nullptr;
  }
  raft::ReplicaId id_of(std::uint32_t shard) {
    return ReplicaRow::read(store_, ShardId(shard)).value().value_or(ReplicaRow{}).id;
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
  split.put(family_state, ReplicaRow::key(ShardId(2)), ReplicaRow{.id = 1}.encode());
  ASSERT_TRUE(store_.write(split));
  const auto applied = [this] { return Machine::open(store_, ShardId(2)).value()->applied(); };
  // The child's group has removed this replica, and taken the node in once more.
  const raft::ReplicaId next = raft::replica_of(1, 1);
  EXPECT_FALSE(begins(2, next));
  EXPECT_EQ(applied(), 1U);
  const planted::Fault fault("1.8 a child is begun again before it is opened");
  replicas_->receive(ShardId(2), {{.type = raft::MessageType::heartbeat, .to = next, .from = 2}}, nullptr);
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

TEST_F(LocalReplicasTest, a_removed_replica_stays_away_and_the_next_one_begins) {
  map_.add(ShardId(1), 1);
  map_.add(ShardId(2), 1000);
  kv::Batch batch;
  batch.put(family_state, ReplicaRow::key(ShardId(2)), ReplicaRow{.id = raft::replica_of(1, 4)}.encode());
  ASSERT_TRUE(store_.write(batch));
  ASSERT_TRUE(remove_replica(store_, ShardId(2)));
  EXPECT_FALSE(begins(2, raft::replica_of(1, 4)));
  EXPECT_FALSE(begins(2, raft::replica_of(1, 3))) << "an earlier one";
  EXPECT_FALSE(begins(2, raft::replica_of(3, 5))) << "one of another node";
  EXPECT_EQ(id_of(2), raft::replica_of(1, 4));
  EXPECT_TRUE(begins(2, raft::replica_of(1, 5)));
  EXPECT_EQ(id_of(2), raft::replica_of(1, 5));
}

/// It has forgotten what it voted.
TEST_F(LocalReplicasTest, a_removed_replica_does_not_begin_again) {
  map_.add(ShardId(1), 1);
  remove();
  ASSERT_TRUE(loop_.get(replicas_->follow()));
  EXPECT_FALSE(begins(1));
  const planted::Fault fault("1.8 a removed replica comes back");
  EXPECT_TRUE(begins(1));
  EXPECT_GT(fault.met(), 0U);
}

/// Who has looked it up may call it a little later.
TEST_F(LocalReplicasTest, a_replica_that_has_gone_still_answers_late_calls) {
  LocalReplica& replica = *replicas_->find(ShardId(1));
  remove();
  ASSERT_TRUE(loop_.get(replicas_->follow()));
  EXPECT_FALSE(loop_.get(replica.status()).leader());
  EXPECT_FALSE(loop_.get(replica.failure()));
  EXPECT_TRUE(loop_.get(replica.compact()));
  EXPECT_FALSE(loop_.get(replica.transfer_leader(2)));
  const auto late = loop_.get(replica.port().call(LeaderRequest{}, std::chrono::seconds(1)));
  EXPECT_FALSE(late);
}

TEST_F(LocalReplicasTest, the_next_replica_begins_when_the_log_of_the_last_has_gone) {
  map_.add(ShardId(1), 1);
  remove();
  store_.set_full(true);
  EXPECT_EQ(loop_.get(replicas_->follow()).error().code(), Errc::no_space);
  EXPECT_FALSE(begins(1, raft::replica_of(1, 1)));
  store_.set_full(false);
  ASSERT_TRUE(loop_.get(replicas_->follow()));
  EXPECT_TRUE(begins(1, raft::replica_of(1, 1)));
  EXPECT_EQ(id_of(1), raft::replica_of(1, 1));
}

/// The steps from one replica to the next, with a loss of power after any of them.
class LocalReplicasCut : public LocalReplicasTest, public ::testing::WithParamInterface<std::uint64_t> {
 protected:
  static constexpr std::uint64_t seeds = 4;

  void take(std::uint64_t step) {
    const raft::ReplicaId next = raft::replica_of(1, 1);
    store_.set_full(step % 2 == 0);
    switch (step) {
      case 0:
        remove();
        EXPECT_FALSE(loop_.get(replicas_->follow())) << "nothing is durable, and the log stays";
        break;
      case 2:
        replicas_->receive(ShardId(1), {{.type = raft::MessageType::heartbeat, .to = next, .from = 2}},
                           nullptr);
        EXPECT_FALSE(loop_.get(replicas_->begin_wanted(map_))) << "there is no log yet";
        break;
      default:
        EXPECT_TRUE(loop_.get(replicas_->follow()));
        break;
    }
    store_.set_full(false);
  }
};

TEST_P(LocalReplicasCut, the_next_replica_begins_whatever_is_cut) {
  map_.add(ShardId(1), 1);
  for (std::uint64_t step = 0; step < GetParam() / seeds; ++step) take(step);
  lose_power(GetParam());
  if (id_of(1) == 1 && replicas_->find(ShardId(1)) != nullptr) remove();
  ASSERT_TRUE(loop_.get(replicas_->follow()));
  const raft::ReplicaId next = raft::replica_of(1, 1);
  EXPECT_TRUE(begins(1, next));
  EXPECT_EQ(id_of(1), next);
  lose_power(GetParam() + 1);
  EXPECT_EQ(id_of(1), next);
  EXPECT_NE(replicas_->find(ShardId(1)), nullptr);
}

INSTANTIATE_TEST_SUITE_P(EveryStep, LocalReplicasCut, testing::Range<std::uint64_t>(0, 5 * 4));

TEST_F(LocalReplicasTest, the_newest_of_several_that_are_named_begins) {
  map_.add(ShardId(1), 1);
  map_.add(ShardId(2), 1000);
  const auto beat = [](std::uint32_t number) {
    return raft::Message{.type = raft::MessageType::heartbeat, .to = raft::replica_of(1, number), .from = 2};
  };
  replicas_->receive(ShardId(2), {beat(3), beat(5)}, nullptr);
  replicas_->receive(ShardId(2), {beat(4)}, nullptr);
  ASSERT_TRUE(loop_.get(replicas_->begin_wanted(map_)));
  EXPECT_EQ(id_of(2), raft::replica_of(1, 5));
}

/// Who was left alone asks every node it knows; an answer finds nobody when the replica has gone.
TEST_F(LocalReplicasTest, questions_and_answers_begin_nothing) {
  map_.add(ShardId(1), 1);
  map_.add(ShardId(2), 1000);
  using Type = raft::MessageType;
  for (const Type type :
       {Type::alone, Type::removed, Type::quiesce, Type::append_response, Type::request_vote_response,
        Type::heartbeat_response, Type::timeout_now, Type::request_pre_vote_response}) {
    EXPECT_FALSE(begins(2, 1, type)) << static_cast<int>(type);
  }
  EXPECT_EQ(changes_, 0);
  EXPECT_TRUE(begins(2, 1, Type::request_vote));
}

}  // namespace
}  // namespace kiseki::shard::detail
