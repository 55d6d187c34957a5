#include "shard/client/branches.h"

#include <algorithm>

#include "base/assert.h"

namespace kiseki::shard::detail {

namespace {

class Cutter {
 public:
  Cutter(const Routes& routes, const Transaction& whole) : routes_(routes), whole_(whole) {}

  Result<std::vector<Branch>> run() {
    for (std::uint32_t i = 0; i < whole_.asserts.size(); ++i) {
      Branch& branch = branch_of(whole_.asserts[i].key.leaf);
      branch.transaction.asserts.push_back(whole_.asserts[i]);
      branch.places.push_back(i);
    }
    for (const auto& operation : whole_.operations) add(operation);
    return order();
  }

 private:
  std::size_t place_of(const LeafAddress& leaf) {
    const Route route = routes_.of(leaf);
    const auto found = std::ranges::find_if(
        branches_, [&route](const Branch& branch) { return branch.route.id == route.id; });
    if (found != branches_.end()) return static_cast<std::size_t>(found - branches_.begin());
    Branch branch;
    branch.route = route;
    branch.transaction.namespaces = whole_.namespaces;
    branch.transaction.chunk_epoch = whole_.chunk_epoch;
    branch.transaction.time_ms = whole_.time_ms;
    branches_.push_back(std::move(branch));
    moved_out_.push_back(0);
    return branches_.size() - 1;
  }
  Branch& branch_of(const LeafAddress& leaf) { return branches_[place_of(leaf)]; }

  void add(const Operation& operation) {
    const std::size_t from = place_of(operation.key.leaf);
    const bool leaves = operation.type == Operation::Type::move && place_of(operation.to.leaf) != from;
    if (!leaves) {
      branches_[from].transaction.operations.push_back(operation);
      return;
    }
    Operation out;
    out.type = Operation::Type::move_out;
    out.key = operation.key;
    branches_[from].transaction.operations.push_back(std::move(out));
    Operation in;
    in.type = Operation::Type::move_in;
    in.key = operation.to;
    Branch& target = branch_of(operation.to.leaf);
    target.incoming.push_back(
        {.branch = from, .place = moved_out_[from]++, .operation = target.transaction.operations.size()});
    target.transaction.operations.push_back(std::move(in));
  }

  Result<std::vector<Branch>> order() {
    std::vector<std::size_t> new_place(branches_.size(), branches_.size());
    std::vector<std::size_t> sequence;
    while (sequence.size() < branches_.size()) {
      const std::size_t before = sequence.size();
      for (std::size_t i = 0; i < branches_.size(); ++i) {
        const bool is_ready = std::ranges::all_of(branches_[i].incoming, [&](const Branch::Incoming& one) {
          return new_place[one.branch] < branches_.size();
        });
        if (!is_ready || new_place[i] < branches_.size()) continue;
        new_place[i] = sequence.size();
        sequence.push_back(i);
      }
      if (sequence.size() == before) return fail(Errc::not_supported, "moves between shards in a circle");
    }
    std::vector<Branch> ordered;
    for (const std::size_t place : sequence) {
      ordered.push_back(std::move(branches_[place]));
      for (auto& incoming : ordered.back().incoming) incoming.branch = new_place[incoming.branch];
    }
    return ordered;
  }

  const Routes& routes_;
  const Transaction& whole_;
  std::vector<Branch> branches_;
  std::vector<std::size_t> moved_out_;  // by branch
};

}  // namespace

Result<std::vector<Branch>> cut(const Routes& routes, const Transaction& transaction) {
  return Cutter(routes, transaction).run();
}

Key primary_of(const Branch& branch) {
  if (!branch.transaction.operations.empty()) return branch.transaction.operations.front().key;
  KISEKI_ASSERT(!branch.transaction.asserts.empty());
  return branch.transaction.asserts.front().key;
}

}  // namespace kiseki::shard::detail
