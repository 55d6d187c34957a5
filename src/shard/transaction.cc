#include "shard/transaction.h"

namespace kiseki::shard {

Transaction& Transaction::require(Assert::Type type, Key row, Stamp stamp) {
  asserts.push_back({.type = type, .key = std::move(row), .stamp = stamp});
  return *this;
}

Transaction& Transaction::put(Key row, Record record) {
  operations.push_back({.type = Operation::Type::put,
                        .key = std::move(row),
                        .record = std::move(record),
                        .to = {},
                        .touch = {}});
  return *this;
}

Transaction& Transaction::erase(Key row) {
  operations.push_back(
      {.type = Operation::Type::erase, .key = std::move(row), .record = {}, .to = {}, .touch = {}});
  return *this;
}

Transaction& Transaction::put_stamped(Key row, Record record) {
  operations.push_back({.type = Operation::Type::put_stamped,
                        .key = std::move(row),
                        .record = std::move(record),
                        .to = {},
                        .touch = {}});
  return *this;
}

Transaction& Transaction::move(Key from, Key to) {
  operations.push_back({.type = Operation::Type::move,
                        .key = std::move(from),
                        .record = {},
                        .to = std::move(to),
                        .touch = {}});
  return *this;
}

Transaction& Transaction::break_lock(Key row, Stamp version) {
  require(Assert::Type::version, row, version);
  erase(row);
  operations.push_back(
      {.type = Operation::Type::fence, .key = std::move(row), .record = {}, .to = {}, .touch = {}});
  return *this;
}

}  // namespace kiseki::shard
