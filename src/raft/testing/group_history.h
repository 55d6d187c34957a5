#pragma once

#include <map>
#include <set>
#include <string>

#include "raft/testing/register_machine.h"
#include "sim/linearizable.h"

namespace kiseki::raft {

/// What all replicas and clients of a group tell, from outside, and what in it contradicts.
class GroupHistory {
 public:
  struct Record {
    Term term;
    std::uint64_t digest;
    std::uint64_t number;  ///< Of the command; 0 for none.
    bool is_refused_swap;
    friend bool operator==(const Record&, const Record&) = default;
  };
  /// A call by a client. `number` is that of its command, 0 for a read.
  struct Made {
    sim::Call call;
    std::uint64_t number = 0;
  };

  void on_leader(NodeId node, Term term);
  void on_applied(NodeId node, const RegisterMachine::Applied& applied);
  void note(Made made) { calls_.push_back(std::move(made)); }
  /// The first one stays.
  void violate(std::string words);
  const std::string& violation() const noexcept { return violation_; }
  const std::map<Index, Record>& records() const noexcept { return records_; }

  /// Once nothing is under way: are the registers linearizable, and is every answered command applied?
  void judge_calls(BootTime end);

 private:
  std::map<Term, NodeId> leaders_;
  std::map<Index, Record> records_;
  std::map<std::uint64_t, bool> commands_;  // applied, by number: whether a swap was refused
  std::vector<Made> calls_;
  std::string violation_;
};

}  // namespace kiseki::raft
