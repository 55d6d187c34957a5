#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace kiseki::shard::detail {

/// What users did to rows that hold lists, each transaction appending its number to some; and whether that
/// could have happened one after the other, in an order that agrees with when they began and ended.
class History {
 public:
  using Row = std::size_t;
  using List = std::vector<std::uint64_t>;
  enum class Outcome : std::uint8_t { unknown, committed, refused };

  /// A transaction, or a read (without number and appends). Times count the beginnings and ends.
  struct Act {
    std::uint64_t number = 0;
    std::map<Row, List> saw;
    std::vector<Row> appended;
    std::uint64_t began = 0, ended = ~std::uint64_t{0};
    Outcome outcome = Outcome::unknown;
    std::uint64_t user = 0;
  };

  std::uint64_t tick() { return ++now_; }
  std::uint64_t next_number() { return ++numbers_; }
  void end(std::size_t place, Outcome outcome) {
    acts_[place].outcome = outcome;
    acts_[place].ended = tick();
  }
  void add(Act act) { acts_.push_back(std::move(act)); }
  /// Whatever the user began and never heard of has happened by now, or never will.
  void fence(std::uint64_t user);

  /// What contradicts the lists as they are at the end; empty: nothing.
  std::string judge(const std::vector<List>& lists) const;
  bool has_happened(const Act& act, const std::vector<List>& lists) const;
  const std::vector<Act>& acts() const noexcept { return acts_; }

 private:
  std::string judge_atomicity(const std::vector<List>& lists) const;
  std::string judge_order(const std::vector<List>& lists) const;

  std::vector<Act> acts_;
  std::uint64_t now_ = 0, numbers_ = 0;
};

std::string encode_list(const History::List& list);
History::List decode_list(const std::string& text);

}  // namespace kiseki::shard::detail
