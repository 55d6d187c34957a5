#include "shard/machine/check.h"

#include <algorithm>

#include "base/assert.h"
#include "base/planted.h"
#include "shard/rows/state_rows.h"

namespace kiseki::shard::detail {

// The steps answer false when they refuse; a blocker lets the others go on.

Result<Checked> Check::run() {
  const bool is_late = !transaction_.chunk_epoch.is_none() && transaction_.chunk_epoch < shard_.epoch;
  if (is_late && !KISEKI_PLANTED("6.6 the epoch of a transaction's chunks is not checked")) {
    refuse(Refusal::chunk_epoch);
    return checked_;
  }
  auto passed = namespaces();
  for (std::size_t i = 0; i < transaction_.asserts.size() && passed && *passed; ++i) passed = assertion(i);
  for (std::size_t i = 0; i < transaction_.operations.size() && passed && *passed; ++i) {
    passed = operation(transaction_.operations[i]);
  }
  if (!passed) return fail(std::move(passed).error());
  return checked_;
}

bool Check::refuse(Refusal refusal, std::size_t place, Stamp stamp) {
  checked_.outcome = {.refusal = refusal, .assertion = static_cast<std::uint32_t>(place), .stamp = stamp};
  checked_.blocker.reset();
  return false;
}

void Check::block(const Holder* holder) {
  if (holder != nullptr && !checked_.blocker) checked_.blocker = *holder;
}

Result<bool> Check::namespaces() {
  for (const auto& ns : transaction_.namespaces) {
    const auto bytes = draft_.view(family_state, state_key(shard_.id, StateType::ns, ns.ns.value()));
    if (!bytes) return fail(bytes.error());
    NamespaceConfiguration known;
    if (*bytes) {
      const auto decoded = NamespaceConfiguration::decode(**bytes);
      if (!decoded) return fail(decoded.error());
      known = *decoded;
    }
    const bool is_sweep = purpose_ == Purpose::sweep && ns.epoch == known.epoch && only_erases();
    if (known.state == NamespaceState::deleted && !is_sweep) return refuse(Refusal::deleted);
    if (ns.epoch == known.epoch) continue;
    return refuse(known.state == NamespaceState::deleting ? Refusal::deleted : Refusal::configuration);
  }
  return true;
}

bool Check::only_erases() const {
  return std::ranges::all_of(transaction_.operations,
                             [](const Operation& one) { return one.type == Operation::Type::erase; });
}

Result<bool> Check::assertion(std::size_t place) {
  const Assert& assertion = transaction_.asserts[place];
  if (assertion.type == Assert::Type::prefix_empty) return prefix_empty(assertion, place);
  if (const auto* holder = shard_.locks.writer_of(assertion.key)) {
    block(holder);
    return true;
  }
  if (assertion.type == Assert::Type::generation) return generation(assertion, place);
  const auto row = draft_.header(assertion.key);
  if (!row) return fail(row.error());
  const Stamp version = *row ? (*row)->version : Stamp{};
  switch (assertion.type) {
    case Assert::Type::version:
      if (KISEKI_PLANTED("1.5 an assert of a version is not checked")) return true;
      if (!*row || version != assertion.stamp) return refuse(Refusal::version, place, version);
      return true;
    case Assert::Type::absent:
      if (*row) return refuse(Refusal::exists, place, version);
      return true;
    case Assert::Type::exists:
      if (!*row) return refuse(Refusal::missing, place);
      return true;
    case Assert::Type::generation:
    case Assert::Type::prefix_empty:
      break;
  }
  KISEKI_ASSERT(false);
}

bool Check::adds_entries(const LeafAddress& leaf) {
  if (!growing_) {
    growing_.emplace();
    for (const auto& one : transaction_.asserts) {
      if (one.type == Assert::Type::absent && one.key.kind == Kind::entry) growing_->insert(one.key.leaf);
    }
  }
  return growing_->contains(leaf);
}

Result<bool> Check::generation(const Assert& assertion, std::size_t place) {
  const auto guard = draft_.header(assertion.key);
  if (!guard) return fail(guard.error());
  const Stamp version = *guard ? (*guard)->version : Stamp{};
  if (!*guard || version != assertion.stamp) return refuse(Refusal::generation, place, version);
  if (!adds_entries(assertion.key.leaf)) return true;
  const auto counters = draft_.counters(assertion.key.leaf);
  if (!counters) return fail(counters.error());
  if (counters->entries >= leaf_entries_max || counters->entry_bytes >= leaf_bytes_max) {
    return refuse(Refusal::split_first, place, version);
  }
  return true;
}

Result<bool> Check::prefix_empty(const Assert& assertion, std::size_t place) {
  if (const auto writers = shard_.locks.writers_in(assertion.key.leaf, Kind::entry); !writers.empty()) {
    block(writers.front());
    return true;
  }
  const auto counters = draft_.counters(assertion.key.leaf);
  if (!counters) return fail(counters.error());
  if (counters->entries > 0) return refuse(Refusal::not_empty, place);
  return true;
}

Result<bool> Check::operation(const Operation& operation) {
  switch (operation.type) {
    case Operation::Type::put_stamped:
      return true;
    case Operation::Type::touch:
      if (purpose_ != Purpose::prepare || KISEKI_PLANTED("4.1 a prepared touch locks a row others rely on")) {
        block(shard_.locks.writer_of(operation.key));
      } else {
        block(shard_.locks.user_of(operation.key));
      }
      return true;
    case Operation::Type::put:
    case Operation::Type::erase:
      if (const auto* holder = shard_.locks.user_of(operation.key)) {
        block(holder);
        return true;
      }
      return may_vanish(operation.key);
    case Operation::Type::move:
      block(shard_.locks.user_of(operation.key));
      block(shard_.locks.user_of(operation.to));
      return true;
    case Operation::Type::move_out:
    case Operation::Type::move_in:
      block(shard_.locks.user_of(operation.key));
      return true;
    case Operation::Type::fence:
      fence(operation.key);
      return true;
  }
  KISEKI_ASSERT(false);
}

/// What the holder has prepared here may be committed at a primary elsewhere: it is ended first.
void Check::fence(const Key& lock) {
  const auto holder = lock_holder(lock);
  if (!holder || KISEKI_PLANTED("5.1 a lock is broken under what its holder has prepared")) return;
  block(shard_.locks.any_of(*holder));
}

/// Rule 3.8 without a clock: a held row stays until its retention is lifted, whatever its date.
Result<bool> Check::may_vanish(const Key& key) {
  const auto row = draft_.header(key);
  if (!row) return fail(row.error());
  if (!*row) return true;
  const auto& retention = (*row)->retention;
  if (retention.mode == Retention::Mode::none && !retention.legal_hold) return true;
  return refuse(Refusal::retained, 0, (*row)->version);
}

}  // namespace kiseki::shard::detail
