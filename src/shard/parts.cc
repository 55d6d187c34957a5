#include "shard/detail/parts.h"

#include <algorithm>

#include "base/assert.h"

namespace kiseki::shard::detail {

namespace {

class Cutter {
 public:
  Cutter(const Routes& routes, const Transaction& whole) : routes_(routes), whole_(whole) {}

  Result<std::vector<Part>> run() {
    for (std::uint32_t i = 0; i < whole_.asserts.size(); ++i) {
      Part& part = part_of(whole_.asserts[i].key.leaf);
      part.transaction.asserts.push_back(whole_.asserts[i]);
      part.places.push_back(i);
    }
    for (const auto& operation : whole_.operations) add(operation);
    return order();
  }

 private:
  std::size_t place_of(const LeafAddress& leaf) {
    const Route route = routes_.of(leaf);
    const auto found =
        std::ranges::find_if(parts_, [&route](const Part& part) { return part.route.id == route.id; });
    if (found != parts_.end()) return static_cast<std::size_t>(found - parts_.begin());
    Part part;
    part.route = route;
    part.transaction.namespaces = whole_.namespaces;
    part.transaction.chunk_epoch = whole_.chunk_epoch;
    part.transaction.time_ms = whole_.time_ms;
    parts_.push_back(std::move(part));
    moved_out_.push_back(0);
    return parts_.size() - 1;
  }
  Part& part_of(const LeafAddress& leaf) { return parts_[place_of(leaf)]; }

  void add(const Operation& operation) {
    const std::size_t from = place_of(operation.key.leaf);
    const bool leaves = operation.type == Operation::Type::move && place_of(operation.to.leaf) != from;
    if (!leaves) {
      parts_[from].transaction.operations.push_back(operation);
      return;
    }
    Operation out;
    out.type = Operation::Type::move_out;
    out.key = operation.key;
    parts_[from].transaction.operations.push_back(std::move(out));
    Operation in;
    in.type = Operation::Type::move_in;
    in.key = operation.to;
    Part& target = part_of(operation.to.leaf);
    target.incoming.push_back(
        {.part = from, .place = moved_out_[from]++, .operation = target.transaction.operations.size()});
    target.transaction.operations.push_back(std::move(in));
  }

  Result<std::vector<Part>> order() {
    std::vector<std::size_t> new_place(parts_.size(), parts_.size());
    std::vector<std::size_t> sequence;
    while (sequence.size() < parts_.size()) {
      const std::size_t before = sequence.size();
      for (std::size_t i = 0; i < parts_.size(); ++i) {
        const bool is_ready = std::ranges::all_of(parts_[i].incoming, [&](const Part::Incoming& one) {
          return new_place[one.part] < parts_.size();
        });
        if (!is_ready || new_place[i] < parts_.size()) continue;
        new_place[i] = sequence.size();
        sequence.push_back(i);
      }
      if (sequence.size() == before) return fail(Errc::not_supported, "moves between shards in a circle");
    }
    std::vector<Part> ordered;
    for (const std::size_t place : sequence) {
      ordered.push_back(std::move(parts_[place]));
      for (auto& incoming : ordered.back().incoming) incoming.part = new_place[incoming.part];
    }
    return ordered;
  }

  const Routes& routes_;
  const Transaction& whole_;
  std::vector<Part> parts_;
  std::vector<std::size_t> moved_out_;  // by part
};

}  // namespace

Result<std::vector<Part>> cut(const Routes& routes, const Transaction& transaction) {
  return Cutter(routes, transaction).run();
}

Key primary_of(const Part& part) {
  if (!part.transaction.operations.empty()) return part.transaction.operations.front().key;
  KISEKI_ASSERT(!part.transaction.asserts.empty());
  return part.transaction.asserts.front().key;
}

}  // namespace kiseki::shard::detail
