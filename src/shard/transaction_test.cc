#include "shard/transaction.h"

#include <gtest/gtest.h>

#include "shard/testing/test_rows.h"

namespace kiseki::shard::detail {
namespace {

using Type = Assert::Type;

const LeafAddress leaf{test_namespace, InodeId(1), LeafId(0)};

Key entry(char name) { return key(leaf, Kind::entry, std::string(16, name)); }

TEST(TransactionRules, invalid_ones_are_refused_before_they_are_sent) {
  const auto code = [](const Transaction& transaction) {
    const auto valid = transaction.validate();
    return valid ? Errc{} : valid.error().code();
  };
  EXPECT_EQ(code(transaction_of_test().require(Type::absent, entry('a')).put(entry('a'), {})), Errc{});
  EXPECT_EQ(code(transaction_of_test().put(entry('a'), {})), Errc::invalid_argument);
  EXPECT_EQ(code(transaction_of_test().erase(entry('a')).erase(entry('a'))), Errc::invalid_argument);
  EXPECT_EQ(code(transaction_of_test().erase(key(leaf, Kind::counters))), Errc::invalid_argument);
  EXPECT_EQ(code(transaction_of_test().put_stamped(entry('a'), {})), Errc::invalid_argument);
  EXPECT_EQ(code(Transaction{}.erase(entry('a'))), Errc::invalid_argument);
  auto move = transaction_of_test().require(Type::exists, entry('a')).require(Type::absent, entry('b'));
  EXPECT_EQ(code(move.move(entry('a'), entry('b'))), Errc::invalid_argument);
  const Key lock = lock_key(leaf, InodeId(3), SessionId(9));
  EXPECT_EQ(code(transaction_of_test().break_lock(lock, Stamp(1))), Errc{});
  EXPECT_EQ(code(transaction_of_test().break_lock(entry('a'), Stamp(1))), Errc::invalid_argument);
  EXPECT_EQ(code(transaction_of_test().erase(key(leaf, Kind::lock, item_of(1)))), Errc::invalid_argument);
  for (const auto left_out : {Operation::Type::erase, Operation::Type::put}) {
    auto fence = transaction_of_test().break_lock(lock, Stamp(1));
    if (left_out == Operation::Type::put) fence.asserts.clear();
    std::erase_if(fence.operations, [left_out](const auto& one) { return one.type == left_out; });
    EXPECT_EQ(code(fence), Errc::invalid_argument);
  }
  Transaction large = transaction_of_test();
  for (std::uint64_t i = 0; i < 8193; ++i) large.erase(key(leaf, Kind::inode, item_of(i)));
  EXPECT_EQ(code(large), Errc::too_large);
  auto record = transaction_of_test().require(Type::absent, entry('a'));
  EXPECT_EQ(code(record.put(entry('a'), record_of_test(std::string(65536, 'x')))), Errc::too_large);
}

}  // namespace
}  // namespace kiseki::shard::detail
