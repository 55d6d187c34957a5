#include "shard/testing/odd_proposals.h"

#include <array>

#include "shard/testing/test_rows.h"

namespace kiseki::shard::detail {

namespace {

using Type = Operation::Type;

constexpr std::uint64_t sessions = 4, sequences = 40, leaves = 5;

template <class... Visitors>
struct Overloaded : Visitors... {
  using Visitors::operator()...;
};

}  // namespace

std::string OddProposals::entry(SeededRng& rng, const Machine& machine) {
  rng_ = &rng;
  Proposal proposal{.stamp = Stamp(machine.last().value() + rng.below(1000)), .body = body(machine)};
  if (chance(4)) proposal.stamp = Stamp(odd_number());
  if (chance(35)) distort(proposal);
  std::string bytes = proposal.encode();
  // The first byte is the format: entries of another version are not passed over.
  if (chance(5)) bytes[1 + rng.below(bytes.size() - 1)] = static_cast<char>(rng.below(256));
  return bytes;
}

std::uint64_t OddProposals::odd_number() {
  constexpr std::uint64_t top = ~std::uint64_t{0};
  constexpr std::array<std::uint64_t, 9> odd{0,          1,          4097,    1ULL << 31, 1ULL << 48,
                                             1ULL << 56, 1ULL << 63, top - 1, top};
  return odd[rng_->below(odd.size())];
}

LeafAddress OddProposals::leaf() {
  // Some lie in no slot of the shard.
  return {test_namespace, InodeId(1), LeafId(static_cast<std::uint32_t>(rng_->below(leaves)))};
}

Key OddProposals::row() {
  const LeafAddress where = leaf();
  const auto nth = rng_->below(3);
  switch (rng_->below(10)) {
    case 0:
      return key(where, Kind::guard);
    case 1:
      return key(where, Kind::pending, item_of(1 + nth));
    case 2:
      return lock_key(where, InodeId(7), SessionId(1 + nth));
    case 3:
      return key(where, Kind::inode, item_of(nth));
    case 4: {
      Key version = key(where, Kind::version, item_of(nth));
      version.stamp = Stamp(5);
      return version;
    }
    default:
      return key(where, Kind::entry, std::string(16, static_cast<char>('a' + nth)));
  }
}

Record OddProposals::record(Kind kind) {
  Record record = record_of_test(std::string(rng_->below(40), 'v'));
  record.type = static_cast<EntryType>(rng_->below(4));
  record.logical = chance(10) ? odd_number() : rng_->below(1000);
  if (kind == Kind::guard) record.guard = GuardLink{{}, LeafId(0), LeafId(1)};
  for (auto left = rng_->below(3); left > 0; --left) {
    ChunkReference reference;
    reference.id.fill(static_cast<std::byte>('a' + rng_->below(3)));
    reference.format.block_units = 1;
    reference.length = 10;
    record.references.push_back(reference);
  }
  if (chance(4)) record.retention.legal_hold = true;
  return record;
}

TransactionId OddProposals::id() {
  return {SessionId(1 + rng_->below(sessions)), 1 + rng_->below(sequences)};
}

void OddProposals::add_move(Transaction& transaction, Form form, const Key& row,
                            const std::optional<Record>& there) {
  Key to = row;
  to.leaf = leaf();
  if (form == Form::branch && !there) {
    transaction.require(Assert::Type::absent, row);
    transaction.operations.push_back({Type::move_in, row, record(row.kind), {}, {}});
  } else if (form == Form::branch && chance(50)) {
    transaction.require(Assert::Type::version, row, there->version);
    transaction.operations.push_back({Type::move_out, row, {}, {}, {}});
  } else {
    transaction.require(Assert::Type::exists, row).require(Assert::Type::absent, to).move(row, to);
  }
}

void OddProposals::add(Transaction& transaction, Form form) {
  const Key row = this->row();
  const auto there = find(row);
  const auto require = [&] {
    if (there) {
      transaction.require(Assert::Type::version, row, chance(8) ? Stamp(3) : there->version);
    } else {
      transaction.require(chance(8) ? Assert::Type::exists : Assert::Type::absent, row);
    }
  };
  switch (rng_->below(9)) {
    case 0:
      transaction.erase(row);
      return;
    case 1:
      transaction.operations.push_back({Type::touch, row, {}, {}, {odd_number(), odd_number()}});
      return;
    case 2:
      transaction.put_stamped(key(row.leaf, Kind::garbage, item_of(rng_->below(9))), record(Kind::garbage));
      return;
    case 3:
    case 4:
      if (row.kind == Kind::entry) return add_move(transaction, form, row, there);
      return require();
    case 5:
      if (row.kind == Kind::guard) {
        transaction.require(Assert::Type::prefix_empty, row);
      } else if (row.kind == Kind::lock && there && form == Form::whole) {
        transaction.break_lock(row, there->version);
      }
      return require();
    default:
      require();
      transaction.put(row, record(row.kind));
  }
}

Transaction OddProposals::transaction(Form form) {
  auto transaction = transaction_of_test();
  transaction.time_ms = rng_->below(5000);
  for (auto left = 1 + rng_->below(4); left > 0; --left) add(transaction, form);
  // Most would name a leaf elsewhere otherwise.
  if (chance(10)) return transaction;
  const auto is_elsewhere = [this](const auto& one) { return !range_.contains(slot_of(one.key.leaf)); };
  std::erase_if(transaction.asserts, is_elsewhere);
  std::erase_if(transaction.operations, [&](const Operation& one) {
    return is_elsewhere(one) || (one.type == Type::move && !range_.contains(slot_of(one.to.leaf)));
  });
  return transaction;
}

Prepare OddProposals::prepare(const Machine& machine) {
  Prepare prepare{.id = id(),
                  .low_water = 0,
                  .age = {},
                  .primary = system_key(Kind::session, item_of(9)),
                  .branch = transaction(Form::branch)};
  if (chance(50) && !prepare.branch.operations.empty())
    prepare.primary = prepare.branch.operations.front().key;
  const auto& standing = machine.locks().all();
  if (chance(10) && !standing.empty()) prepare.id = standing.begin()->first;
  if (chance(20)) prepare.age = Stamp(odd_number());
  return prepare;
}

/// Of a transaction that stands, as a rule.
OddProposals::Body OddProposals::ending(const Machine& machine) {
  const auto& standing = machine.locks().all();
  Holder holder{.id = id(), .age = {}, .primary = key(leaf(), Kind::entry, std::string(16, 'a'))};
  if (!standing.empty() && !chance(20)) {
    holder =
        std::next(standing.begin(), static_cast<std::ptrdiff_t>(rng_->below(standing.size())))->second.holder;
  }
  const auto verdict = chance(60) ? Verdict::committed : Verdict::aborted;
  const Stamp stamp(machine.last().value() + rng_->below(50));
  const bool is_here = range_.contains(slot_of(holder.primary.leaf));
  if (is_here != chance(10)) {
    return Decide{
        .id = holder.id, .low_water = 0, .primary = holder.primary, .verdict = verdict, .floor = stamp};
  }
  return Resolve{.id = holder.id, .verdict = verdict, .stamp = stamp};
}

OddProposals::Body OddProposals::order() {
  const auto epoch = static_cast<std::uint32_t>(rng_->below(3));
  switch (rng_->below(8)) {
    case 0:
      return Fence{SessionId(1 + rng_->below(sessions + 3))};
    case 1: {
      Forget forget{.gone = {.last = SessionId(rng_->below(sessions + 3)), .living = {}}};
      for (std::uint64_t i = 1; i <= forget.gone.last.value(); ++i) {
        if (chance(60)) forget.gone.living.push_back(SessionId(i));
      }
      return forget;
    }
    case 2:
      return Configure{chance(80) ? NamespaceId(77) : test_namespace, 1, NamespaceState::active};
    case 3:
    case 4:
      return RaiseEpoch{GcEpoch(epoch + 1)};
    default: {
      Trim trim{.below = GcEpoch(epoch + 2), .chunks = {}};
      for (const char letter : {'a', 'b', 'c'})
        trim.chunks.emplace_back(ChunkName{{}, test_namespace, {}}).id.fill(static_cast<std::byte>(letter));
      return trim;
    }
  }
}

OddProposals::Body OddProposals::body(const Machine& machine) {
  const auto kind = rng_->below(100);
  if (kind < 1)
    return Split{ShardId(6 + static_cast<std::uint32_t>(rng_->below(3))),
                 static_cast<Slot>(rng_->below(65536))};
  if (kind < 10) return order();
  if (kind < 45) return ending(machine);
  if (kind < 70) return prepare(machine);
  Commit commit{.id = id(), .low_water = 0, .transaction = transaction(Form::whole)};
  if (chance(10)) commit.low_water = commit.id.sequence;
  if (chance(5)) commit.id = {};
  return commit;
}

void OddProposals::distort(Key& row) {
  switch (rng_->below(5)) {
    case 0:
      row.kind = static_cast<Kind>(rng_->below(0x40));
      return;
    case 1:
      row.item = std::string(rng_->below(120), 'i');
      return;
    case 2:
      row.stamp = Stamp(odd_number());
      return;
    case 3:
      row.leaf.container = InodeId(odd_number());
      return;
    default:
      row.leaf.ns = NamespaceId(rng_->below(3));
  }
}

void OddProposals::distort(Transaction& transaction) {
  auto& operations = transaction.operations;
  auto& asserts = transaction.asserts;
  if (operations.empty() || chance(10)) {
    transaction.namespaces.clear();
    transaction.chunk_epoch = GcEpoch(odd_number());
    return;
  }
  auto& one = operations[rng_->below(operations.size())];
  switch (rng_->below(9)) {
    case 0:
      operations.push_back(Operation(one));
      return;
    case 1:
      one.type = static_cast<Type>(1 + rng_->below(8));
      return;
    case 2:
      if (!asserts.empty()) asserts.erase(asserts.begin());
      return;
    case 3:
      if (!asserts.empty()) asserts.front().type = static_cast<Assert::Type>(1 + rng_->below(5));
      return;
    case 4:
      one.key = row();
      return;
    case 5:
      one.to = one.key;
      return;
    case 6:
      // At the edge of what a row may hold, and beyond.
      one.record = record_of_test(std::string(65'200 + rng_->below(500), 'x'));
      return;
    case 7:
      if (!asserts.empty()) distort(asserts.front().key);
      return;
    default:
      distort(one.key);
  }
}

void OddProposals::distort(Proposal& proposal) {
  const auto distort_id = [this](TransactionId& id) {
    if (chance(50)) id.session = SessionId(odd_number());
    if (chance(50)) id.sequence = odd_number();
  };
  std::visit(Overloaded{[&](Commit& one) {
                          if (chance(70)) return distort(one.transaction);
                          distort_id(one.id);
                          one.low_water = odd_number();
                        },
                        [&](Prepare& one) {
                          if (chance(70)) return distort(one.branch);
                          distort_id(one.id);
                          if (chance(50)) distort(one.primary);
                          one.low_water = odd_number();
                        },
                        [&](Decide& one) {
                          distort_id(one.id);
                          one.floor = Stamp(odd_number());
                          if (chance(50)) one.primary = row();
                        },
                        [&](Resolve& one) {
                          if (chance(30)) distort_id(one.id);
                          one.stamp = Stamp(odd_number());
                        },
                        [&](Fence& one) { one.session = SessionId(odd_number()); },
                        [&](Forget& one) {
                          one.gone.last = SessionId(odd_number());
                          if (chance(50)) one.gone.living = {SessionId(2), SessionId(2), SessionId(1)};
                        },
                        [&](Configure& one) { one.ns = NamespaceId(odd_number()); },
                        [&](RaiseEpoch& one) { one.epoch = GcEpoch(rng_->below(4)); },
                        [&](Split& one) { one.child = ShardId(static_cast<std::uint32_t>(odd_number())); },
                        [&](Trim& one) { one.below = GcEpoch(odd_number()); }},
             proposal.body);
}

}  // namespace kiseki::shard::detail
