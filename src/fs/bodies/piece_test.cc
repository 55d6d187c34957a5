#include "fs/bodies/piece.h"

#include <cstring>
#include <gtest/gtest.h>

#include "chunk/single_device_store.h"
#include "chunk/testing/memory_device.h"
#include "sim/simulated_clock.h"

namespace kiseki::fs::detail {
namespace {

KeysPtr make_keys(std::uint64_t seed, std::uint32_t epochs) {
  SeededRng rng(seed);
  crypto::Key256 chunk_id = crypto::Key256::random(rng);
  crypto::Key256 handle = crypto::Key256::random(rng);
  std::map<KeyEpoch, keys::NamespaceKeys::Epoch> secrets;
  for (std::uint32_t epoch = 1; epoch <= epochs; ++epoch) {
    secrets.emplace(KeyEpoch(epoch),
                    keys::NamespaceKeys::Epoch{crypto::Key256::random(rng), crypto::Key256::random(rng)});
  }
  return std::make_shared<const keys::NamespaceKeys>(NamespaceId{7}, std::move(chunk_id), std::move(handle),
                                                     std::move(secrets));
}

Buffer make_body(std::uint64_t seed, Bytes size) {
  Buffer body(size);
  SeededRng(seed).fill(body.span());
  return body;
}

ChunkName name_of(const Piece& piece) { return kiseki::name_of(NamespaceId{7}, piece.reference); }

class Pieces : public testing::Test {
 public:
  void run(Task<> task) {
    asio::co_spawn(loop, std::move(task), [](const std::exception_ptr& thrown) {
      if (thrown) std::rethrow_exception(thrown);
    });
    loop.restart();
    loop.run();
  }

  Services services() {
    Services all{loop.get_executor()};
    all.clock = &clock;
    all.rng = &rng;
    all.chunks = &chunks;
    return all;
  }

  Task<Result<PieceStore::Stored>> put(KeysPtr under, View body) {
    co_return co_await store.put(std::move(under), Buffer::copy_of(body), crypto::sha256(body));
  }

  Task<Result<Buffer>> read(KeysPtr under, Piece piece, Bytes offset, Bytes length) {
    auto stretch = co_await store.read(std::move(under), piece, offset, length);
    if (!stretch) co_return fail(stretch.error());
    if (const auto opened = stretch->first(length); !opened) co_return fail(opened.error());
    co_return stretch->release();
  }

  asio::io_context loop{1};
  SystemClock clock{loop};
  SeededRng rng{1};
  chunk::MemoryDevice device{loop.get_executor()};
  chunk::SingleDeviceStore chunks{device};
  PieceStore store{services()};
  KeysPtr keys = make_keys(1, 1);
};

Task<> check_round_trip(Pieces& t, Bytes size) {
  const Buffer body = make_body(size, size);
  auto stored = co_await t.put(t.keys, body.view());
  EXPECT_TRUE(stored);
  if (!stored) co_return;
  EXPECT_EQ(stored->piece.reference.length, size);
  const std::pair<Bytes, Bytes> ranges[] = {{0, size},
                                            {0, 1},
                                            {size - 1, 1},
                                            {size / 2, size - size / 2},
                                            {size / 3, std::min<Bytes>(size - size / 3, 70'000)}};
  for (const auto& [offset, length] : ranges) {
    if (length == 0) continue;
    auto bytes = co_await t.read(t.keys, stored->piece, offset, length);
    EXPECT_TRUE(bytes) << size << " " << offset << " " << length;
    if (bytes) EXPECT_TRUE(equal(bytes->view(), body.view().subspan(offset, length)));
  }
}

TEST_F(Pieces, come_back_whole_and_in_ranges) {
  for (const Bytes size : {1_KiB / 1024, Bytes{4095}, 4_KiB, 64_KiB - 1, 64_KiB, 64_KiB + 1, piece_size - 1,
                           piece_size, piece_size_max}) {
    run(check_round_trip(*this, size));
  }
}

TEST_F(Pieces, a_range_reads_only_its_blocks) {
  run([](Pieces& t) -> Task<> {
    const Buffer body = make_body(3, piece_size);
    auto stored = co_await t.put(t.keys, body.view());
    t.device.blocks_read = 0;
    auto bytes = co_await t.read(t.keys, stored->piece, 64_KiB * 5 + 100, 4_KiB);
    EXPECT_TRUE(bytes && equal(bytes->view(), body.view().subspan(64_KiB * 5 + 100, 4_KiB)));
    EXPECT_EQ(t.device.blocks_read, 1U);
  }(*this));
}

TEST_F(Pieces, equal_content_is_one_chunk_within_a_namespace_and_epoch_alone) {
  run([](Pieces& t) -> Task<> {
    const Buffer body = make_body(4, 100'000);
    auto first = co_await t.put(t.keys, body.view());
    auto second = co_await t.put(t.keys, body.view());
    EXPECT_EQ(first->piece, second->piece);
    EXPECT_EQ(t.device.count(), 1U);
    auto elsewhere = co_await t.put(make_keys(2, 1), body.view());
    EXPECT_NE(first->piece.reference.id, elsewhere->piece.reference.id);
    auto rotated = co_await t.put(make_keys(1, 2), body.view());
    EXPECT_NE(first->piece.reference.id, rotated->piece.reference.id);
    EXPECT_EQ(rotated->piece.key_epoch, KeyEpoch{2});
    // The old piece opens with the keys of both epochs.
    auto bytes = co_await t.read(make_keys(1, 2), first->piece, 0, 100'000);
    EXPECT_TRUE(bytes && equal(bytes->view(), body.view()));
  }(*this));
}

TEST_F(Pieces, ciphertext_shows_nothing_of_the_plaintext) {
  run([](Pieces& t) -> Task<> {
    const std::string text(64_KiB, 'a');
    auto stored = co_await t.put(t.keys, as_view(text));
    auto blocks = co_await t.chunks.read(NamespaceId{7}, stored->piece.reference, {0, 1});
    EXPECT_EQ(as_text(blocks->ciphertext.view()).find("aaaa"), std::string::npos);
  }(*this));
}

TEST_F(Pieces, a_damaged_block_is_corrupted_and_the_others_are_fine) {
  run([](Pieces& t) -> Task<> {
    const Buffer body = make_body(5, 256_KiB);
    auto stored = co_await t.put(t.keys, body.view());
    t.device.damage(name_of(stored->piece), 64_KiB + 7);
    auto whole = co_await t.read(t.keys, stored->piece, 0, 256_KiB);
    EXPECT_EQ(whole.error().code(), Errc::corrupted);
    auto block = co_await t.read(t.keys, stored->piece, 64_KiB + 8, 1);
    EXPECT_EQ(block.error().code(), Errc::corrupted);
    auto other = co_await t.read(t.keys, stored->piece, 128_KiB, 128_KiB);
    EXPECT_TRUE(other && equal(other->view(), body.view().subspan(128_KiB)));
  }(*this));
}

TEST_F(Pieces, foreign_keys_and_unknown_formats_do_not_open) {
  run([](Pieces& t) -> Task<> {
    const Buffer body = make_body(6, 10'000);
    auto stored = co_await t.put(t.keys, body.view());
    auto foreign = co_await t.read(make_keys(9, 1), stored->piece, 0, 10'000);
    EXPECT_EQ(foreign.error().code(), Errc::corrupted);
    Piece later = stored->piece;
    later.key_epoch = KeyEpoch{2};
    auto unknown = co_await t.read(t.keys, later, 0, 10'000);
    EXPECT_EQ(unknown.error().code(), Errc::key_unavailable);
  }(*this));
}

TEST_F(Pieces, an_occupied_id_makes_a_private_chunk) {
  run([](Pieces& t) -> Task<> {
    const Buffer body = make_body(7, 200'000);
    auto first = co_await t.put(t.keys, body.view());
    t.device.occupy(name_of(first->piece), 200'000);
    auto second = co_await t.put(t.keys, body.view());
    EXPECT_TRUE(second);
    EXPECT_NE(second->piece.reference.id, first->piece.reference.id);
    auto bytes = co_await t.read(t.keys, second->piece, 0, 200'000);
    EXPECT_TRUE(bytes && equal(bytes->view(), body.view()));
  }(*this));
}

TEST_F(Pieces, a_touch_raises_the_epoch_of_what_is_there) {
  run([](Pieces& t) -> Task<> {
    const Buffer body = make_body(8, 70'000);
    auto stored = co_await t.put(t.keys, body.view());
    EXPECT_EQ(stored->epoch, GcEpoch{1});
    (void)co_await t.device.raise_epoch(GcEpoch{5});
    auto touched = co_await t.store.touch(NamespaceId{7}, stored->piece);
    EXPECT_EQ(touched.value(), GcEpoch{5});
    const auto erased = co_await t.device.erase_aged({{name_of(stored->piece), 0}}, GcEpoch{5});
    EXPECT_FALSE(erased->front());
    t.device.occupy(name_of(stored->piece), 70'000);
    const auto other = co_await t.store.touch(NamespaceId{7}, stored->piece);
    EXPECT_EQ(other.error().code(), Errc::corrupted);
    t.device.forget_all();
    auto gone = co_await t.store.touch(NamespaceId{7}, stored->piece);
    EXPECT_EQ(gone.error().code(), Errc::unavailable);
  }(*this));
}

class HoldTest : public testing::Test {
 public:
  HoldTest() {
    services.clock = &clock;
    services.rng = &rng;
    services.chunks = &chunks;
    store.emplace(services);
  }
  ~HoldTest() override { loop.get(store->stop()); }

  /// Whether a garbage round that finds no reference to the chunk takes it.
  bool is_taken_by_a_round(const Piece& piece) {
    epoch = GcEpoch(epoch.value() + 1);
    (void)loop.get(device.raise_epoch(epoch));
    // A touch that fails is repeated.
    device.refuse_puts(Errc::unavailable);
    loop.run_for(std::chrono::seconds(1));
    device.refuse_puts({});
    loop.run_for(std::chrono::seconds(1));
    return loop.get(device.erase_aged({{name_of(piece), 0}}, epoch))->front();
  }

  sim::SimulatedLoop loop;
  sim::SimulatedClock clock{loop};
  SeededRng rng{1};
  chunk::MemoryDevice device{loop.executor()};
  chunk::SingleDeviceStore chunks{device};
  Services services{loop.executor()};
  std::optional<PieceStore> store;
  const Buffer body = make_body(3, 70'000);
  GcEpoch epoch{1};
};

TEST_F(HoldTest, keeps_its_chunks_through_every_round) {
  const auto stored =
      loop.get(store->put(make_keys(1, 1), Buffer::copy_of(body.view()), crypto::sha256(body.view())));
  auto hold = store->hold(NamespaceId{7});
  hold->add(stored->piece.reference, stored->epoch);
  for (int round = 0; round < 5; ++round) EXPECT_FALSE(is_taken_by_a_round(stored->piece));
  hold.reset();
  EXPECT_TRUE(is_taken_by_a_round(stored->piece));
}

TEST_F(HoldTest, keeps_what_is_put_beside_its_owner) {
  MemoryBudget budget(8_MiB);
  auto hold = store->hold(NamespaceId{7});
  auto outcome = store->start_put(make_keys(1, 1), Buffer::copy_of(body.view()), crypto::sha256(body.view()),
                                  *budget.try_acquire(MemoryUse::transfer, 1_MiB), hold);
  const auto stored = loop.get(outcome->take());
  ASSERT_TRUE(stored);
  for (int round = 0; round < 3; ++round) EXPECT_FALSE(is_taken_by_a_round(stored->piece));
}

/// Gives out what stands under the name, whatever root the reference has.
class CarelessStore final : public chunk::ChunkStore {
 public:
  explicit CarelessStore(chunk::ChunkStore& below) : below_(below) {}

  Result<Profile> profile(PoolId pool) const override { return below_.profile(pool); }
  Task<Result<chunk::PutReply>> put(chunk::SealedChunkPtr chunk) override {
    latest_ = chunk::reference_to(*chunk);
    return below_.put(std::move(chunk));
  }
  Task<Result<GcEpoch>> touch(NamespaceId ns, ChunkReference reference) override {
    return below_.touch(ns, reference);
  }
  Task<Result<chunk::Blocks>> read(NamespaceId ns, ChunkReference, chunk::BlockRange blocks) override {
    return below_.read(ns, latest_, blocks);
  }
  Task<Result<GcEpoch>> epoch() override { return below_.epoch(); }

 private:
  chunk::ChunkStore& below_;
  ChunkReference latest_;
};

TEST_F(HoldTest, a_chunk_of_another_root_than_its_reference_is_never_given_out) {
  CarelessStore careless(chunks);
  services.chunks = &careless;
  PieceStore reading(services);
  const KeysPtr keys = make_keys(1, 1);
  const auto sum = crypto::sha256(body.view());
  const auto put = [&](std::uint64_t seed) {
    return loop.get(reading.put(keys, make_body(seed, 70'000), sum));  // of the same name, whatever it holds
  };
  const auto first = put(1);
  ASSERT_TRUE(first);
  EXPECT_TRUE(loop.get(reading.read(keys, first->piece, 0, 70'000)));
  device.forget_all();
  ASSERT_TRUE(put(2));
  EXPECT_EQ(loop.get(reading.read(keys, first->piece, 0, 70'000)).error().code(), Errc::corrupted);
  loop.get(reading.stop());
}

TEST_F(Pieces, a_put_beside_the_caller_gives_its_memory_back) {
  run([](Pieces& t) -> Task<> {
    MemoryBudget budget(8_MiB);
    const Buffer body = make_body(9, 1_MiB);
    auto outcome =
        t.store.start_put(t.keys, Buffer::copy_of(body.view()), crypto::sha256(body.view()),
                          *budget.try_acquire(MemoryUse::transfer, 1_MiB), t.store.hold(NamespaceId{7}));
    EXPECT_EQ(budget.held(), 1_MiB);
    EXPECT_TRUE(co_await outcome->take());
    EXPECT_EQ(budget.held(), 0U);
    // Forgotten by its caller, it still runs to its end.
    t.device.refuse_puts(Errc::no_space);
    t.store.start_put(t.keys, Buffer::copy_of(body.view()), crypto::sha256(body.view()),
                      *budget.try_acquire(MemoryUse::transfer, 1_MiB), t.store.hold(NamespaceId{7}));
    co_await t.store.stop();
    EXPECT_EQ(budget.held(), 0U);
  }(*this));
}

}  // namespace
}  // namespace kiseki::fs::detail
