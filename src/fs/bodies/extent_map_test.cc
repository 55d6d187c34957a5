#include "fs/bodies/extent_map.h"

#include "fs/bodies/stored_object.h"
#include "fs/testing/memory_world.h"

namespace kiseki::fs::detail {
namespace {

class ExtentMap : public testing::Test {
 public:
  NamespacePtr context() { return *gateway.get(gateway.tree.namespaces().get(ns)); }
  MapWriter writer(std::size_t record_pieces_max = entry_pieces_max) {
    return MapWriter(gateway.tree, gateway.store, BodyOwner{context(), RowOwner(), record_pieces_max});
  }

  /// A piece that exists nowhere, told apart by its number.
  static Piece piece(std::uint64_t number, std::uint32_t length, std::uint32_t epoch = 1) {
    Piece made;
    SeededRng(number).fill(made.reference.id);
    made.reference.format.block_units = 16;
    made.reference.length = length;
    made.key_epoch = KeyEpoch(epoch);
    return made;
  }

  MemoryWorld world;
  Gateway gateway{world};
  NamespaceId ns = gateway.make_namespace("bucket");
};

TEST_F(ExtentMap, short_maps_stay_in_the_record) {
  auto map = writer();
  for (std::uint64_t i = 0; i < 8; ++i) ASSERT_TRUE(gateway.get(map.add(piece(i, 100), GcEpoch(9 - i % 4))));
  auto body = gateway.get(map.finish());
  ASSERT_TRUE(body);
  EXPECT_EQ(body->kind, shard::Body::references);
  EXPECT_EQ(body->size, 800U);
  EXPECT_EQ(body->epoch, GcEpoch{6});
  EXPECT_EQ(world.shards.count(shard::Kind::map_page), 0U);
  EXPECT_EQ(world.shards.count(shard::Kind::pending), 0U);

  auto empty = writer();
  EXPECT_EQ(gateway.get(empty.finish())->kind, shard::Body::none);
}

TEST_F(ExtentMap, pieces_of_any_length_and_epoch_are_found_by_offset) {
  auto map = writer();
  std::vector<Piece> pieces;
  std::vector<Bytes> starts;
  Bytes size = 0;
  for (std::uint64_t i = 0; i < 1'000; ++i) {
    pieces.push_back(piece(i, static_cast<std::uint32_t>(1 + world.rng.below(1_MiB)), i < 300 ? 1 : 2));
    starts.push_back(size);
    size += pieces.back().reference.length;
    ASSERT_TRUE(gateway.get(map.add(pieces.back(), GcEpoch{})));
  }
  auto body = gateway.get(map.finish());
  ASSERT_TRUE(body);
  EXPECT_EQ(body->kind, shard::Body::pages);
  EXPECT_EQ(body->size, size);
  EXPECT_EQ(world.shards.count(shard::Kind::map_page), 4U);
  EXPECT_EQ(world.shards.count(shard::Kind::pending), 1U);
  for (std::size_t i = 0; i < pieces.size(); i += 7) {
    auto window =
        gateway.get(page_at(gateway.tree, context(), body->file, starts[i] + pieces[i].reference.length - 1));
    ASSERT_TRUE(window);
    Bytes at = window->first;
    std::size_t index = 0;
    while (at < starts[i]) at += window->pieces[index++].reference.length;
    EXPECT_EQ(window->pieces[index], pieces[i]);
  }
  EXPECT_EQ(gateway.get(page_at(gateway.tree, context(), body->file, size)).error().code(), Errc::stale);
  auto all = gateway.get(pages_from(gateway.tree, context(), body->file, 0, 8));
  ASSERT_TRUE(all);
  EXPECT_EQ(all->end, size);
  EXPECT_EQ(all->pieces, pieces);
}

TEST_F(ExtentMap, long_bodies_are_spread_over_leaves_and_freed_whole) {
  const Bytes size = 130_GiB;
  auto map = writer();
  for (std::uint64_t i = 0; i < size / 4_MiB; ++i)
    ASSERT_TRUE(gateway.get(map.add(piece(i, 4_MiB), GcEpoch{1})));
  auto body = gateway.get(map.finish());
  ASSERT_TRUE(body);
  std::set<LeafId> leaves;
  for (const shard::Row& row : world.shards.rows(shard::Kind::map_page)) leaves.insert(row.key.leaf.leaf);
  EXPECT_EQ(leaves, (std::set{LeafId{1}, LeafId{2}, LeafId{3}}));
  for (const Bytes offset : {Bytes{0}, 64_GiB - 1, 64_GiB, 64_GiB + 2_GiB + 5, 128_GiB - 1, size - 1}) {
    auto window = gateway.get(page_at(gateway.tree, context(), body->file, offset));
    ASSERT_TRUE(window) << offset;
    const std::uint64_t number = offset / 4_MiB;
    EXPECT_EQ(window->pieces[(offset - window->first) / 4_MiB], piece(number, 4_MiB));
  }
  gateway.get(map.discard());
  EXPECT_TRUE(gateway.get(gateway.sweep()));
  EXPECT_EQ(world.shards.count(shard::Kind::map_page), 0U);
  EXPECT_EQ(world.shards.count(shard::Kind::garbage), 0U);
}

TEST_F(ExtentMap, a_page_that_crosses_a_leaf_is_found_from_both_sides) {
  auto map = writer();
  // 255 pieces up to just below the boundary of a leaf would be a page of its own: offsets do not fit pages.
  const Bytes size = 66_GiB;
  const std::uint32_t length = 4_MiB - 4_KiB;
  std::uint64_t count = 0;
  for (Bytes at = 0; at < size; at += length)
    ASSERT_TRUE(gateway.get(map.add(piece(count++, length), GcEpoch{})));
  auto body = gateway.get(map.finish());
  for (const Bytes offset : {64_GiB - 1, 64_GiB, 64_GiB + 100_MiB}) {
    auto window = gateway.get(page_at(gateway.tree, context(), body->file, offset));
    ASSERT_TRUE(window) << offset;
    EXPECT_EQ(window->pieces[(offset - window->first) / length], piece(offset / length, length));
  }
  Bytes at = 0;
  while (at < body->size) {
    auto window = gateway.get(pages_from(gateway.tree, context(), body->file, at, 3));
    ASSERT_TRUE(window) << at;
    EXPECT_EQ(window->first, at);
    at = window->end;
  }
  EXPECT_EQ(at, body->size);
}

TEST_F(ExtentMap, bodies_beyond_their_limit_are_too_large) {
  BodyOwner owner{context(), RowOwner()};
  owner.size_max = 10_MiB;
  MapWriter map(gateway.tree, gateway.store, owner);
  EXPECT_TRUE(gateway.get(map.add(piece(1, 4_MiB), GcEpoch{})));
  EXPECT_TRUE(gateway.get(map.add(piece(2, 4_MiB), GcEpoch{})));
  EXPECT_EQ(gateway.get(map.add(piece(3, 4_MiB), GcEpoch{})).error().code(), Errc::too_large);
}

TEST_F(ExtentMap, a_reader_of_many_pages_reads_to_the_end_of_a_body_that_was_replaced) {
  constexpr Bytes length = 100;
  Buffer bytes(length);
  PatternSource::fill(7, 0, bytes.span());
  const auto digest = crypto::sha256(bytes.view());
  const auto stored = gateway.get(gateway.store.put(context()->keys, std::move(bytes), digest));
  ASSERT_TRUE(stored);
  auto map = writer();
  const std::size_t count = 12 * page_pieces_max;  // more pages than are read when an object is opened
  for (std::size_t i = 0; i < count; ++i) ASSERT_TRUE(gateway.get(map.add(stored->piece, GcEpoch{})));
  const auto body = gateway.get(map.finish());
  ASSERT_TRUE(body);
  shard::Record entry;
  entry.id = body->file;
  Content content{{}, gateway.get(pages_from(gateway.tree, context(), body->file, 0, 8)).value()};
  const auto reader = make_reader(gateway.tree, gateway.store, context(), entry, Attributes{body->size, 0},
                                  std::move(content));
  Bytes at = 0;
  for (; at < body->size; at += length) {
    if (at == length) {
      gateway.get(map.discard());
      ASSERT_TRUE(gateway.get(gateway.sweep()));
      ASSERT_EQ(world.shards.count(shard::Kind::map_page), 0U);
    }
    const auto read = gateway.get(reader->read(at, body->size - at));
    ASSERT_TRUE(read) << at << " " << read.error().to_string();
    ASSERT_EQ(read->size(), length);
    ASSERT_TRUE(PatternSource::matches(7, 0, read->view()));
  }
}

TEST(ObjectValue, comes_back_as_it_was_encoded) {
  ObjectValue value;
  value.modified_ms = 123;
  value.upload = InodeId{9};
  value.properties = {"abc", {{"content-type", "x"}}, {{"k", "v"}, {"", ""}}, {{"crc32c", "AAAA"}}};
  value.properties.checksum_type = ChecksumType::composite;
  value.properties.tags = {{"team", "red"}};
  value.properties.grants = {{"somebody", "READ"}};
  value.parts = {{3, 5_MiB}, {1, 7}};
  value.key_epochs = {KeyEpoch{1}, KeyEpoch{1}, KeyEpoch{3}};
  value.bytes = "bytes";
  const std::string bytes = encode(value);
  const auto back = decode_object(as_view(bytes), 3);
  ASSERT_TRUE(back);
  EXPECT_EQ(encode(*back), bytes);
  EXPECT_EQ(back->key_epochs, value.key_epochs);
  EXPECT_EQ(back->bytes, "bytes");
  EXPECT_EQ(back->properties.checksum_type, ChecksumType::composite);
  EXPECT_EQ(back->properties.tags, value.properties.tags);
  EXPECT_EQ(back->properties.grants, value.properties.grants);
  EXPECT_EQ(back->parts, value.parts);
  EXPECT_EQ(decode_object(as_view(bytes), 2).error().code(), Errc::corrupted);
  EXPECT_EQ(decode_object(as_view(bytes), 4).error().code(), Errc::corrupted);
  for (std::size_t size = 1; size + value.bytes.size() < bytes.size(); ++size) {
    EXPECT_FALSE(decode_object(as_view(bytes).first(size), 3));
  }
  EXPECT_EQ(decode_object(as_view("\x07"), 0).error().code(), Errc::wrong_format);
}

}  // namespace
}  // namespace kiseki::fs::detail
