#include "sim/detail/inode.h"

#include "base/assert.h"

namespace kiseki::sim::detail {

void Inode::apply(SparseBytes& bytes, const Change& change) {
  if (!change.data.empty()) {
    bytes.write(change.offset, as_view(change.data));
  } else if (change.cuts || change.size > bytes.size()) {
    bytes.resize(change.size);
  }
}

Inode::Ticket Inode::begin(Change change) {
  for (const auto& [ticket, other] : pending_) {
    if (other.completed != 0) continue;
    const bool apart = change.offset + change.data.size() <= other.change.offset ||
                       other.change.offset + other.change.data.size() <= change.offset;
    KISEKI_ASSERT(apart || change.data.empty() || other.change.data.empty());
  }
  pending_.emplace(++clock_, Pending{std::move(change), 0});
  return clock_;
}

void Inode::complete(Ticket ticket) {
  Pending& pending = pending_.at(ticket);
  pending.completed = ++clock_;
  apply(current_, pending.change);
}

void Inode::abandon(Ticket ticket, Rng& rng) {
  const Change change = std::move(pending_.extract(ticket).mapped().change);
  for (Change& part : sectors_of(change)) {
    if (rng.below(2) == 0) complete(begin(std::move(part)));
  }
}

std::vector<Inode::Change> Inode::sectors_of(const Change& change) {
  std::vector<Change> parts;
  for (Bytes at = 0; at < change.data.size(); at += parts.back().data.size()) {
    const Bytes offset = change.offset + at;
    parts.push_back({.offset = offset, .data = change.data.substr(at, sector - offset % sector)});
  }
  return parts;
}

void Inode::finish_sync(Ticket begun) {
  for (auto at = pending_.begin(); at != pending_.end();) {
    const auto& [change, completed] = at->second;
    if (completed == 0 || completed > begun) {
      ++at;
      continue;
    }
    apply(durable_, change);
    at = pending_.erase(at);
  }
}

void Inode::fail_sync(Ticket begun, Rng& rng) {
  for (auto at = pending_.begin(); at != pending_.end();) {
    const auto& [change, completed] = at->second;
    if (completed == 0 || completed > begun || change.data.empty()) {
      ++at;
      continue;
    }
    for (const Change& part : sectors_of(change)) {
      if (rng.below(2) == 0) apply(durable_, part);
    }
    at = pending_.erase(at);
  }
}

void Inode::lose_power(Rng& rng) {
  // A disk that keeps nearly all, nearly nothing or half each finds different faults.
  static constexpr std::array<std::uint64_t, 5> chances = {0, 10, 50, 90, 100};
  const std::uint64_t chance = chances[rng.below(chances.size())];
  for (const auto& [ticket, pending] : pending_) {
    const Change& change = pending.change;
    if (change.data.empty()) {
      if (rng.below(100) < chance) apply(durable_, change);
      continue;
    }
    for (const Change& part : sectors_of(change)) {
      if (rng.below(100) < chance) apply(durable_, part);
    }
  }
  pending_.clear();
  current_ = durable_;
}

void Inode::lose_process(Rng& rng) {
  for (auto& [ticket, pending] : pending_) {
    if (pending.completed == 0 && rng.below(2) == 0) complete(ticket);
  }
  std::erase_if(pending_, [](const auto& entry) { return entry.second.completed == 0; });
}

void Inode::flip_bit(Bytes offset, unsigned bit) {
  current_.flip_bit(offset, bit);
  if (offset < durable_.size()) durable_.flip_bit(offset, bit);
}

}  // namespace kiseki::sim::detail
