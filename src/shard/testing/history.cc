#include "shard/testing/history.h"

#include <algorithm>
#include <fmt/format.h>

namespace kiseki::shard::detail {

namespace {

bool is_prefix(const History::List& list, const History::List& of) {
  return list.size() <= of.size() && std::equal(list.begin(), list.end(), of.begin());
}

/// Acts and what must come after what.
class Order {
 public:
  explicit Order(std::size_t acts) : after_(acts), before_(acts, 0) {}
  void require(std::size_t first, std::size_t second) {
    if (first == second) return;
    after_[first].push_back(second);
    ++before_[second];
  }
  bool is_possible() {
    std::vector<std::size_t> ready;
    for (std::size_t i = 0; i < before_.size(); ++i) {
      if (before_[i] == 0) ready.push_back(i);
    }
    std::size_t placed = 0;
    while (!ready.empty()) {
      const std::size_t one = ready.back();
      ready.pop_back();
      ++placed;
      for (const std::size_t next : after_[one]) {
        if (--before_[next] == 0) ready.push_back(next);
      }
    }
    return placed == before_.size();
  }

 private:
  std::vector<std::vector<std::size_t>> after_;
  std::vector<std::size_t> before_;
};

}  // namespace

void History::fence(std::uint64_t user) {
  const std::uint64_t now = tick();
  for (auto& act : acts_) {
    if (act.user == user && act.outcome == Outcome::unknown) act.ended = std::min(act.ended, now);
  }
}

bool History::has_happened(const Act& act, const std::vector<List>& lists) const {
  return !act.appended.empty() && std::ranges::count(lists[act.appended.front()], act.number) > 0;
}

std::string History::judge_atomicity(const std::vector<List>& lists) const {
  for (const auto& act : acts_) {
    for (const auto& [row, list] : act.saw) {
      if (!is_prefix(list, lists[row])) return fmt::format("row {}: something that was read has gone", row);
    }
    if (act.appended.empty()) continue;
    std::size_t found = 0;
    for (const Row row : act.appended) {
      const auto times = std::ranges::count(lists[row], act.number);
      if (times > 1) return fmt::format("transaction {} happened twice", act.number);
      found += static_cast<std::size_t>(times);
    }
    if (found != 0 && found != act.appended.size()) return fmt::format("transaction {} by half", act.number);
    if (act.outcome == Outcome::committed && found == 0)
      return fmt::format("transaction {} is lost", act.number);
    if (act.outcome == Outcome::refused && found != 0) {
      return fmt::format("transaction {} was refused and happened", act.number);
    }
  }
  return {};
}

std::string History::judge_order(const std::vector<List>& lists) const {
  std::vector<const Act*> acts;
  std::map<std::uint64_t, std::size_t> places;
  for (const auto& act : acts_) {
    if (!act.appended.empty() && !has_happened(act, lists)) continue;
    if (!act.appended.empty()) places.emplace(act.number, acts.size());
    acts.push_back(&act);
  }
  // Every tick is a place too, after the one before: what ended before something began comes before it.
  const auto place_of = [&acts](std::uint64_t tick) { return acts.size() + tick; };
  Order order(place_of(now_ + 1));
  for (std::uint64_t tick = 0; tick < now_; ++tick) order.require(place_of(tick), place_of(tick + 1));
  for (const auto& list : lists) {
    for (std::size_t i = 1; i < list.size(); ++i) order.require(places.at(list[i - 1]), places.at(list[i]));
  }
  for (std::size_t place = 0; place < acts.size(); ++place) {
    for (const auto& [row, seen] : acts[place]->saw) {
      if (!seen.empty()) order.require(places.at(seen.back()), place);
      if (seen.size() < lists[row].size()) order.require(place, places.at(lists[row][seen.size()]));
    }
    order.require(place_of(acts[place]->began), place);
    if (acts[place]->ended <= now_) order.require(place, place_of(acts[place]->ended));
  }
  return order.is_possible() ? std::string() : "no order of the transactions explains what was seen";
}

std::string History::judge(const std::vector<List>& lists) const {
  auto words = judge_atomicity(lists);
  return words.empty() ? judge_order(lists) : words;
}

std::string encode_list(const History::List& list) {
  std::string text;
  for (const auto number : list) text += fmt::format("{},", number);
  return text;
}

History::List decode_list(const std::string& text) {
  History::List list;
  for (std::size_t at = 0; at < text.size(); at = text.find(',', at) + 1)
    list.push_back(std::stoull(text.substr(at)));
  return list;
}

}  // namespace kiseki::shard::detail
