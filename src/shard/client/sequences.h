#pragma once

#include <cstdint>
#include <set>

namespace kiseki::shard::detail {

/// The sequences of a session: what is under way, and below which mark nothing is (rule 4.4).
class Sequences {
 public:
  std::uint64_t begin() {
    open_.insert(next_);
    return next_++;
  }
  /// Every intent of it is resolved, or none was ever made.
  void finish(std::uint64_t sequence) { open_.erase(sequence); }
  std::uint64_t low_water() const { return open_.empty() ? next_ : *open_.begin(); }
  std::size_t open() const noexcept { return open_.size(); }

 private:
  std::set<std::uint64_t> open_;
  std::uint64_t next_ = 1;
};

}  // namespace kiseki::shard::detail
