#include <gtest/gtest.h>

#include "base/rng.h"
#include "shard/record.h"

namespace kiseki::shard {
namespace {

const LeafAddress leaf{NamespaceId(7), InodeId(42), LeafId(3)};

Key sample_key(Kind kind) {
  Key row = key(leaf, kind, "item");
  if (is_stamped(kind) || is_scanned(kind)) row.stamp = Stamp(0x0123456789abcdef);
  return row;
}

ChunkReference sample_reference() {
  ChunkReference reference;
  reference.id.fill(std::byte{0xaa});
  reference.format.block_units = 16;
  reference.length = 4 << 20;
  reference.root.fill(std::byte{0xbb});
  return reference;
}

Record full_record() {
  Record record;
  record.cipher = 1;
  record.key_epoch = KeyEpoch(2);
  record.nonce.fill(std::byte{3});
  record.account = 4;
  record.id = InodeId(5);
  record.home = {InodeId(6), LeafId(7)};
  record.type = EntryType::object;
  record.body = Body::references;
  record.logical = 8;
  record.stored = 9;
  record.retention = {Retention::Mode::governance, 10, true};
  record.references = {sample_reference(), sample_reference()};
  record.link = DirectoryLink{InodeId(11), LeafId(12), {}, true};
  record.guard = GuardLink{Stamp(13), LeafId(14), LeafId(15)};
  record.version = Stamp(16);
  record.change = 17;
  record.value = crypto::Sealed::from_store("sealed");
  return record;
}

TEST(Key, survives_encoding_for_every_kind) {
  for (unsigned number = 0; number < 256; ++number) {
    const auto value = static_cast<std::uint8_t>(number);
    if (!is_known(value)) continue;
    const Key row = sample_key(static_cast<Kind>(value));
    const auto decoded = Key::decode(as_view(row.encode()));
    ASSERT_TRUE(decoded) << number;
    EXPECT_EQ(*decoded, row) << number;
  }
}

TEST(Key, orders_rows_of_a_leaf_by_kind_and_item) {
  EXPECT_LT(key(leaf, Kind::header).encode(), key(leaf, Kind::guard).encode());
  EXPECT_LT(key(leaf, Kind::entry, "a").encode(), key(leaf, Kind::entry, "b").encode());
  EXPECT_LT(key(leaf, Kind::entry, "b").encode(), key(leaf, Kind::inode, "a").encode());
}

TEST(Key, orders_scanned_rows_of_a_slot_by_stamp) {
  Key first = key(leaf, Kind::feed, "z"), second = key(leaf, Kind::feed, "a");
  first.stamp = Stamp(1);
  second.stamp = Stamp(2);
  EXPECT_LT(first.encode(), second.encode());
}

TEST(Key, system_rows_lie_in_slot_0_and_others_never) {
  EXPECT_EQ(slot_of(LeafAddress{}), 0);
  for (std::uint64_t i = 1; i < 2000; ++i) EXPECT_NE(slot_of({NamespaceId(i), InodeId(1), LeafId(0)}), 0);
}

// The example of docs/formats/keys.md.
TEST(Key, matches_the_documented_example) {
  EXPECT_EQ(to_hex(as_view(key(leaf, Kind::inode, item_of(9)).encode())),
            "149f0000000000000007000000000000002a00000003070000000000000009");
}

TEST(Key, hostile_bytes_are_corrupted) {
  const std::string good = sample_key(Kind::slice).encode();
  for (std::size_t size = 0; size < good.size(); ++size) {
    // Nothing readable behind it.
    const View part = as_view(good).first(size);
    const std::vector<std::byte> exact(part.begin(), part.end());
    const auto decoded = Key::decode(exact);
    if (decoded) {
      EXPECT_EQ(decoded->encode(), good.substr(0, size));
    }
  }
  std::string other_slot = good;
  other_slot[0] = static_cast<char>(other_slot[0] ^ 1);
  EXPECT_EQ(Key::decode(as_view(other_slot)).error().code(), Errc::corrupted);
  const std::string too_long = key(leaf, Kind::entry, std::string(item_max, 'x')).encode() + "y";
  EXPECT_FALSE(Key::decode(as_view(too_long)));
}

TEST(Record, survives_encoding) {
  for (const auto& record : {Record{}, full_record()}) {
    const auto decoded = Record::decode(as_view(record.encode()));
    ASSERT_TRUE(decoded);
    EXPECT_EQ(*decoded, record);
  }
}

TEST(Record, of_a_small_object_is_small) {
  Record record = full_record();
  record.retention = {};
  record.references.clear();
  record.link.reset();
  record.guard.reset();
  record.value = crypto::Sealed::from_store(std::string(140, 'x'));
  EXPECT_LT(record.encode().size(), 250U);
}

TEST(Record, every_truncation_fails_or_shortens_the_value) {
  const std::string good = full_record().encode();
  for (std::size_t size = 0; size < good.size(); ++size) {
    const auto decoded = Record::decode(as_view(good).first(size));
    if (decoded) {
      EXPECT_EQ(decoded->encode(), good.substr(0, size));
    }
  }
}

TEST(Record, damaged_bytes_never_decode_to_another_encoding) {
  const std::string good = full_record().encode();
  SeededRng rng(1);
  for (int i = 0; i < 20000; ++i) {
    std::string bad = good;
    bad[rng.below(bad.size())] = static_cast<char>(rng.below(256));
    if (const auto decoded = Record::decode(as_view(bad))) {
      EXPECT_EQ(decoded->encode(), bad);
    }
  }
}

TEST(Record, another_format_is_said_so) {
  std::string bytes = full_record().encode();
  bytes[0] = 99;
  EXPECT_EQ(Record::decode(as_view(bytes)).error().code(), Errc::wrong_format);
  EXPECT_EQ(Record::decode({}).error().code(), Errc::corrupted);
  EXPECT_EQ(Record::decode(as_view(std::string(Record::size_max + 1, '\x01'))).error().code(),
            Errc::corrupted);
}

TEST(AssociatedData, holds_whatever_moves_and_what_the_shard_keeps) {
  const Key row = sample_key(Kind::entry);
  const Record record = full_record();
  const std::string data = associated_data(row, record);
  Key moved = row;
  moved.leaf.leaf = LeafId(99);
  moved.stamp = Stamp(5);
  Record later = record;
  later.version = Stamp(99);
  later.change = 99;
  later.guard->birth = Stamp(99);
  EXPECT_EQ(associated_data(moved, later), data);
}

TEST(AssociatedData, changes_with_all_that_the_writer_chose) {
  const Key row = sample_key(Kind::entry);
  std::vector<Record> others(12, full_record());
  others[0].cipher = 0;
  others[1].key_epoch = KeyEpoch(9);
  others[2].account = 9;
  others[3].id = InodeId(9);
  others[4].home.leaf = LeafId(9);
  others[5].type = EntryType::file;
  others[6].body = Body::pages;
  others[7].logical = 99;
  others[8].retention.legal_hold = false;
  others[9].references.pop_back();
  others[10].link->token[0] = std::byte{1};
  others[11].guard->right = LeafId(99);
  const std::string data = associated_data(row, full_record());
  for (const auto& other : others) EXPECT_NE(associated_data(row, other), data);
  Key elsewhere = row;
  elsewhere.leaf.container = InodeId(1);
  EXPECT_NE(associated_data(elsewhere, full_record()), data);
  Key guard = key(leaf, Kind::guard), other_guard = guard;
  other_guard.leaf.leaf = LeafId(4);
  EXPECT_NE(associated_data(guard, Record{}), associated_data(other_guard, Record{}));
}

TEST(Counters, survive_encoding_and_refuse_hostile_bytes) {
  const Counters counters{1, 2, 3, 4, 5, 6};
  const std::string bytes = counters.encode();
  EXPECT_EQ(*Counters::decode(as_view(bytes)), counters);
  for (std::size_t size = 0; size < bytes.size(); ++size)
    EXPECT_FALSE(Counters::decode(as_view(bytes).first(size)));
  EXPECT_FALSE(Counters::decode(as_view(bytes + "x")));
}

}  // namespace
}  // namespace kiseki::shard
