#pragma once

#include <string>
#include <vector>

#include "base/rng.h"
#include "shard/machine/machine.h"

namespace kiseki::shard::detail {

/// Proposals as a node gone wrong sends them: most would be good ones of several sessions that know the rows,
/// some are changed in a field or two, a few in a byte.
class OddProposals {
 public:
  OddProposals(kv::KvStore& store, SlotRange range) : store_(store), range_(range) {}

  /// An entry; `machine` is what it will be applied to.
  std::string entry(SeededRng& rng, const Machine& machine);

 private:
  using Body = decltype(Proposal::body);
  enum class Form : std::uint8_t { whole, branch };

  Body body(const Machine& machine);
  Body ending(const Machine& machine);
  Body order();
  Prepare prepare(const Machine& machine);
  Transaction transaction(Form form);
  void add(Transaction& transaction, Form form);
  void add_move(Transaction& transaction, Form form, const Key& row, const std::optional<Record>& there);
  Key row();
  LeafAddress leaf();
  Record record(Kind kind);
  TransactionId id();
  std::optional<Record> find(const Key& row) { return Draft(store_).record(row).value(); }

  void distort(Proposal& proposal);
  void distort(Transaction& transaction);
  void distort(Key& row);
  std::uint64_t odd_number();
  bool chance(std::uint64_t of_hundred) { return rng_->below(100) < of_hundred; }

  kv::KvStore& store_;
  SlotRange range_;
  SeededRng* rng_ = nullptr;
};

}  // namespace kiseki::shard::detail
