#include "gc/collector.h"

#include <gtest/gtest.h>

#include "base/planted.h"
#include "chunk/testing/device_world.h"
#include "chunk/testing/memory_device.h"
#include "shard/testing/shard_world.h"

namespace kiseki::gc {
namespace {

using namespace shard::detail;
using shard::Assert;
using shard::Key;
using shard::Kind;
using shard::Record;
using std::chrono::seconds;

/// Shards, one collector and devices in memory.
class CollectorTest : public testing::Test {
 public:
  Result<> round() { return world_.loop().get(collector_.round()); }
  chunk::SealedChunkPtr put(chunk::Device& device, std::uint64_t number) {
    auto chunk = chunk::make_chunk(number, 3000);
    EXPECT_TRUE(world_.loop().get(device.put(copy_of(chunk, 0))));
    return chunk;
  }
  /// A row that refers to the chunk.
  void refer(std::uint64_t number, const chunk::SealedChunk& chunk, NamespaceId ns) {
    Record record;
    record.references.push_back(chunk::reference_to(chunk));
    auto transaction = transaction_of_test();
    transaction.namespaces = {{ns, 1}};
    const Key place = key_of_entry(number, ns);
    transaction.require(Assert::Type::absent, place).put(place, std::move(record));
    EXPECT_TRUE(world_.loop().get(user_.session->commit(std::move(transaction)))->committed());
  }
  void erase(std::uint64_t number, NamespaceId ns) {
    auto transaction = transaction_of_test();
    transaction.namespaces = {{ns, 1}};
    transaction.erase(key_of_entry(number, ns));
    EXPECT_TRUE(world_.loop().get(user_.session->commit(std::move(transaction)))->committed());
  }
  static Key key_of_entry(std::uint64_t number, NamespaceId ns) {
    return shard::key({ns, InodeId(1), LeafId(0)}, Kind::entry, fmt::format("{:016}", number));
  }

 protected:
  ShardWorld world_{3};
  chunk::MemoryDevice first_{world_.loop().executor()}, second_{world_.loop().executor()};
  SessionClient client_{*world_.connect(50).session};
  Collector collector_{
      {}, world_.clock(), client_, shard::ChunkReferences(world_.routes()), {&first_, &second_}};
  MortalSession& user_ = world_.connect(1);
};

TEST_F(CollectorTest, a_page_of_garbage_is_deleted_in_one_call_to_a_device) {
  for (std::uint64_t i = 0; i < 900; ++i) put(i % 3 == 0 ? second_ : first_, i);
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(round());
  EXPECT_EQ(first_.count() + second_.count(), 0U);
  EXPECT_EQ(first_.erase_calls, 1U);
  EXPECT_EQ(second_.erase_calls, 1U);
  EXPECT_EQ(collector_.status().freed_chunks, 900U);
}

TEST_F(CollectorTest, more_garbage_than_a_page_of_a_device_goes_in_one_round) {
  for (std::uint64_t i = 0; i < 2 * chunk::MemoryDevice::aged_page_max + 1; ++i) put(first_, i);
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(round());
  EXPECT_EQ(first_.count(), 0U);
}

TEST_F(CollectorTest, more_lost_chunks_than_a_page_of_a_shard_go_in_one_round) {
  constexpr std::uint64_t chunks = 600;
  for (std::uint64_t i = 0; i < chunks; ++i) refer(i, *put(first_, i), chunk::test_namespace);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(round());
  EXPECT_EQ(first_.count(), chunks);
  for (std::uint64_t i = 0; i < chunks; ++i) erase(i, chunk::test_namespace);
  ASSERT_TRUE(round());
  EXPECT_EQ(first_.count(), 0U);
}

TEST_F(CollectorTest, a_chunk_that_lost_one_of_its_references_is_asked_about_once) {
  const auto kept = put(first_, 1);
  refer(1, *kept, chunk::test_namespace);
  refer(2, *kept, chunk::test_namespace);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(round());
  erase(1, chunk::test_namespace);
  ASSERT_TRUE(round());
  EXPECT_EQ(collector_.status().candidates, 1U);
  ASSERT_TRUE(round());
  EXPECT_EQ(collector_.status().candidates, 0U);
  EXPECT_TRUE(first_.holds(kept->name));
}

TEST_F(CollectorTest, the_first_round_that_ends_asks_about_everything) {
  put(second_, 1);
  SessionClient client(*world_.connect(60).session);
  Collector other({}, world_.clock(), client, shard::ChunkReferences(world_.routes()), {&first_});
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(world_.loop().get(other.round()));
  first_.leave();
  EXPECT_FALSE(round());
  first_.come_back();
  ASSERT_TRUE(round());
  EXPECT_EQ(second_.count(), 0U);
}

TEST_F(CollectorTest, a_round_without_the_whole_key_space_does_not_end) {
  auto known = world_.routes().all();
  known.pop_back();
  const Routes routes(std::move(known));
  Collector one({}, world_.clock(), client_, shard::ChunkReferences(routes), {&first_});
  const auto done = world_.loop().get(one.round());
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code(), Errc::unavailable);
}

TEST_F(CollectorTest, a_chunk_on_several_devices_is_asked_about_once) {
  for (std::uint64_t i = 0; i < 10; ++i) put(first_, i);
  for (std::uint64_t i = 0; i < 10; ++i) put(second_, i);
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(round());
  EXPECT_EQ(first_.count() + second_.count(), 0U);
  EXPECT_EQ(collector_.status().candidates, 10U);
}

TEST_F(CollectorTest, a_reference_of_one_namespace_keeps_no_chunk_of_another) {
  const auto kept = put(first_, 1);
  refer(1, *kept, chunk::test_namespace);
  // The same id, as only a tenant who guesses it can make it.
  auto other = std::make_shared<chunk::SealedChunk>();
  other->name = {kept->name.id, NamespaceId{77}, kept->name.pool};
  other->format = kept->format;
  other->tags = kept->tags;
  other->ciphertext = Buffer::copy_of(kept->ciphertext.view());
  ASSERT_TRUE(world_.loop().get(first_.put(copy_of(other, 0))));
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(round());
  EXPECT_TRUE(first_.holds(kept->name));
  EXPECT_FALSE(first_.holds(other->name));
}

TEST_F(CollectorTest, garbage_that_is_not_collected_for_long_raises_an_alarm) {
  Scope scope(world_.loop().executor());
  scope.spawn(collector_.run(scope));
  world_.loop().run_for(std::chrono::minutes(15));
  EXPECT_GT(collector_.status().rounds, 5U);
  EXPECT_FALSE(collector_.status().is_overdue);
  first_.leave();
  world_.loop().run_for(std::chrono::minutes(8));
  EXPECT_NE(collector_.status().stalled, "");
  EXPECT_FALSE(collector_.status().is_overdue);
  world_.loop().run_for(std::chrono::minutes(4));
  EXPECT_TRUE(collector_.status().is_overdue);
  first_.come_back();
  world_.loop().run_for(std::chrono::minutes(3));
  EXPECT_FALSE(collector_.status().is_overdue);
  world_.loop().get(scope.stop());
}

enum class Meanwhile : std::uint8_t { another_round, rebuilt };

/// A reference moves to a shard that the round has asked already, just before the collector asks the shard it
/// leaves.
class Moving final : public MortalPort {
 public:
  Moving(MortalPort way, std::function<Task<>()> before, Meanwhile meanwhile)
      : MortalPort(std::move(way)),
        before_(std::move(before)),
        is_rebuilt_(meanwhile == Meanwhile::rebuilt) {}
  Task<Result<shard::Reply>> call(shard::Request request, Duration limit) override {
    const bool judges = std::holds_alternative<shard::JudgeRequest>(request);
    if (judges && before_) co_await std::exchange(before_, nullptr)();
    auto reply = co_await MortalPort::call(std::move(request), limit);
    if (judges && is_rebuilt_) {
      auto& judgement = std::get<shard::Judgement>(*reply);
      judgement.is_known = false;
      judgement.counted.assign(judgement.counted.size(), false);
    }
    co_return reply;
  }

 private:
  std::function<Task<>()> before_;
  bool is_rebuilt_;
};

class MovedReference {
 public:
  /// Whether the chunk is there afterwards.
  bool keeps_the_chunk(Meanwhile meanwhile) {
    const auto chunk = chunk::make_chunk(1, 5000);
    const auto put = world_.loop().get(device_.put(copy_of(chunk, 0)));
    Record record;
    record.references.push_back(chunk::reference_to(*chunk));
    auto transaction = transaction_of_test();
    transaction.chunk_epoch = put->epoch;
    transaction.require(Assert::Type::absent, from_).put(from_, std::move(record));
    EXPECT_TRUE(world_.loop().get(user_.session->commit(std::move(transaction)))->committed());
    SessionClient other_client(*world_.connect(60).session);
    Collector other({}, world_.clock(), other_client, shard::ChunkReferences(world_.routes()), {&device_});
    for (int i = 0; i < 2; ++i) EXPECT_TRUE(world_.loop().get(other.round()));
    std::vector<Route> routes = world_.routes().all();
    const auto& left = world_.routes().of(from_.leaf);
    Moving port(
        MortalPort(*left.port, life_, world_.weather(), late_, world_.clock()),
        [&]() -> Task<> { return move_meanwhile(meanwhile, other); }, meanwhile);
    for (auto& route : routes) {
      if (route.id == left.id) route.port = &port;
    }
    Routes own(std::move(routes));
    SessionClient client(*world_.connect(50).session);
    Collector collector({}, world_.clock(), client, shard::ChunkReferences(own), {&device_});
    (void)world_.loop().get(collector.round());
    return device_.holds(chunk->name);
  }

 private:
  Task<> move_meanwhile(Meanwhile meanwhile, Collector& other) {
    shard::ReadRequest request;
    request.gets.push_back({.key = from_});
    const auto found = co_await user_.session->read(std::move(request));
    auto transaction = transaction_of_test();
    transaction.require(Assert::Type::version, from_, found->gets.front().record->version);
    transaction.require(Assert::Type::absent, to_).move(from_, to_);
    EXPECT_TRUE((co_await user_.session->commit(std::move(transaction)))->committed());
    co_await world_.clock().sleep(seconds(1));
    if (meanwhile == Meanwhile::another_round) EXPECT_TRUE(co_await other.round());
  }

  /// An entry of one name in the leaf that a later, or an earlier, shard has.
  Key entry_in(bool later) {
    std::optional<Key> best;
    for (std::uint32_t leaf = 0; leaf < 20; ++leaf) {
      Key key = shard::key({test_namespace, InodeId(1), LeafId(leaf)}, Kind::entry, std::string(16, 'a'));
      const auto place = world_.routes().of(key.leaf).range.first;
      const auto known = best ? world_.routes().of(best->leaf).range.first : place;
      if (!best || (later ? place > known : place < known)) best = std::move(key);
    }
    return *best;
  }

  ShardWorld world_{3};
  chunk::MemoryDevice device_{world_.loop().executor()};
  Lifeline life_;
  Scope late_{world_.loop().executor()};
  MortalSession& user_ = world_.connect(1);
  Key from_ = entry_in(true), to_ = entry_in(false);
};

TEST(MovedReference, a_move_behind_the_questions_is_not_missed) {
  EXPECT_TRUE(MovedReference().keeps_the_chunk(Meanwhile::another_round));
  EXPECT_TRUE(MovedReference().keeps_the_chunk(Meanwhile::rebuilt));
}

TEST(MovedReference, believing_a_shard_of_another_round_is_noticed) {
  const planted::Fault fault("6.6 a shard of another round is believed");
  EXPECT_FALSE(MovedReference().keeps_the_chunk(Meanwhile::another_round));
  EXPECT_GT(fault.met(), 0U);
}

TEST(MovedReference, believing_a_shard_that_was_rebuilt_is_noticed) {
  const planted::Fault fault("6.6 a shard built from a snapshot is believed");
  EXPECT_FALSE(MovedReference().keeps_the_chunk(Meanwhile::rebuilt));
  EXPECT_GT(fault.met(), 0U);
}

}  // namespace
}  // namespace kiseki::gc
