#include "shard/transaction.h"

#include <algorithm>
#include <set>

namespace kiseki::shard {

namespace {

using Type = Operation::Type;

constexpr std::size_t client_item_max = 40;

Result<> check_key(const Key& key) {
  const bool is_the_shards_own = key.kind == Kind::counters || key.kind == Kind::intent ||
                                 key.kind == Kind::decision || key.kind == Kind::dead ||
                                 key.kind == Kind::reference;
  const bool is_nobodys = key.kind == Kind::lock && !lock_holder(key);
  if (is_the_shards_own || is_nobodys || !is_known(static_cast<std::uint8_t>(key.kind)) ||
      key.item.size() > client_item_max || key.leaf.space.value() >= space_end) {
    return fail(Errc::invalid_argument, "transaction: a key no client writes");
  }
  return {};
}

/// Keys with an assert and keys with an operation.
struct Named {
  std::set<Key> asserted, absent, versioned, changed, erased;
};

Result<> check_operation(const Operation& operation, Named& named) {
  KISEKI_TRY(check_key(operation.key));
  if (operation.type == Type::fence) return {};
  const bool is_put_stamped = operation.type == Type::put_stamped;
  if (is_put_stamped && (!operation.key.stamp.is_none() ||
                         !(is_stamped(operation.key.kind) || is_scanned(operation.key.kind)))) {
    return fail(Errc::invalid_argument, "transaction: put-stamped of a row without a stamp");
  }
  if (!is_put_stamped && !named.changed.insert(operation.key).second) {
    return fail(Errc::invalid_argument, "transaction: two operations on one row");
  }
  if (operation.type == Type::erase) named.erased.insert(operation.key);
  const bool needs_assert =
      operation.type == Type::put || operation.type == Type::move || operation.type == Type::move_in;
  if (needs_assert && !named.asserted.contains(operation.key)) {
    return fail(Errc::invalid_argument, "transaction: a put without an assert");
  }
  if (operation.type != Type::move) return {};
  const auto& [from, to] = std::tie(operation.key, operation.to);
  const bool opens_there = from.kind == Kind::entry && to.kind == Kind::entry && from.item == to.item &&
                           from.leaf.space == to.leaf.space && from.leaf.container == to.leaf.container;
  if (!opens_there || !named.absent.contains(to) || !named.changed.insert(to).second) {
    return fail(Errc::invalid_argument, "transaction: a move to where the row cannot be");
  }
  return {};
}

/// Only who takes a lock away fences its holder.
Result<> check_fences(const Transaction& transaction, const Named& named) {
  for (const auto& one : transaction.operations) {
    if (one.type != Type::fence) continue;
    const bool breaks_lock =
        lock_holder(one.key) && named.versioned.contains(one.key) && named.erased.contains(one.key);
    if (!breaks_lock) return fail(Errc::invalid_argument, "transaction: a fence without a broken lock");
  }
  return {};
}

Result<> check_spaces(const Transaction& transaction, const Named& named) {
  std::set<NamespaceId> known{NamespaceId{}};
  for (const auto& space : transaction.spaces) known.insert(space.space);
  const auto is_known_space = [&known](const Key& key) { return known.contains(key.leaf.space); };
  const bool all =
      std::ranges::all_of(named.asserted, is_known_space) &&
      std::ranges::all_of(named.changed, is_known_space) &&
      std::ranges::all_of(transaction.operations, [&](const auto& one) { return is_known_space(one.key); });
  if (!all) return fail(Errc::invalid_argument, "transaction: a namespace without its epoch");
  return {};
}

}  // namespace

Result<> Transaction::validate() const {
  if (asserts.size() + operations.size() > rows_max)
    return fail(Errc::too_large, "transaction: too many rows");
  Named named;
  for (const auto& assertion : asserts) {
    KISEKI_TRY(check_key(assertion.key));
    if (assertion.type == Assert::Type::prefix_empty) continue;
    named.asserted.insert(assertion.key);
    if (assertion.type == Assert::Type::absent) named.absent.insert(assertion.key);
    if (assertion.type == Assert::Type::version) named.versioned.insert(assertion.key);
  }
  Bytes size = 0;
  for (const auto& operation : operations) {
    KISEKI_TRY(check_operation(operation, named));
    const Bytes record = operation.record.value.view().size() + operation.record.references.size() * 72 + 256;
    if (record > Record::size_max || operation.record.references.size() > Record::references_max) {
      return fail(Errc::too_large, "transaction: a record is too large");
    }
    size += record;
  }
  if (size > size_max + operations.size() * 256) return fail(Errc::too_large, "transaction: too large");
  KISEKI_TRY(check_fences(*this, named));
  return check_spaces(*this, named);
}

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
