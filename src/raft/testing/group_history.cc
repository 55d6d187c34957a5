#include "raft/testing/group_history.h"

#include <fmt/format.h>

namespace kiseki::raft {

void GroupHistory::violate(std::string words) {
  if (violation_.empty()) violation_ = std::move(words);
}

void GroupHistory::on_leader(NodeId node, Term term) {
  const auto [place, is_first] = leaders_.emplace(term, node);
  if (place->second != node) {
    violate(fmt::format("term {} has two leaders: {} and {}", term, place->second, node));
  }
}

void GroupHistory::on_applied(NodeId node, const RegisterMachine::Applied& applied) {
  const Entry& entry = applied.entry;
  const bool is_command = entry.type == EntryType::normal && !entry.data.empty();
  const Record record{.term = entry.term,
                      .digest = applied.digest,
                      .number = is_command ? Command::decode(entry.data).number : 0,
                      .is_refused_swap = applied.is_refused_swap};
  const auto [place, is_first] = records_.emplace(entry.index, record);
  if (place->second != record) {
    violate(fmt::format("node {} applies at {} another entry or state than others: term {} and {}", node,
                        entry.index, record.term, place->second.term));
  }
  if (!is_first || !is_command) return;
  if (!commands_.emplace(record.number, record.is_refused_swap).second) {
    violate(fmt::format("command {} is applied twice", record.number));
  }
}

void GroupHistory::judge_calls(BootTime end) {
  std::vector<sim::Call> calls;
  for (auto& [call, number] : calls_) {
    const auto command = commands_.find(number);
    if (number != 0 && command == commands_.end()) {
      if (call.returned) violate(fmt::format("command {} was acknowledged and is lost", number));
      continue;
    }
    // What got no answer and was applied did happen, some time before the end.
    if (!call.returned) {
      if (number == 0 || command->second) continue;
      call.returned = end;
    }
    calls.push_back(call);
  }
  if (auto words = sim::linearizability_violation(calls); !words.empty()) violate(std::move(words));
}

}  // namespace kiseki::raft
