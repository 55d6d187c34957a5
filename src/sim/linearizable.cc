#include "sim/linearizable.h"

#include <algorithm>
#include <fmt/format.h>
#include <list>
#include <map>
#include <set>

namespace kiseki::sim {

namespace {

/// The beginning or the end of a call.
struct Event {
  std::size_t call;
  bool begins;
};
using Events = std::list<Event>;

std::int64_t microseconds(BootTime time) {
  return std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch()).count();
}

std::string describe(const Call& call) {
  static constexpr const char* names[] = {"read", "write", "swap", "refused swap"};
  const std::string end = call.returned ? fmt::format("{} us", microseconds(*call.returned)) : "no answer";
  return fmt::format("{} of {} (expected {}), {} us to {}", names[static_cast<std::size_t>(call.type)],
                     call.value, call.expected, microseconds(call.called), end);
}

bool has_seen(const Call& call, std::uint64_t value) {
  if (call.type == Call::Type::read) return call.value == value;
  return call.type == Call::Type::swap && call.expected == value;
}

/// Calls without an end whose value nobody has seen explain nothing, unless a swap was refused for them: they
/// never happened, as well as not.
void drop_without_trace(std::vector<Call>& calls) {
  const auto is_open = [](const Call& one) { return !one.returned; };
  std::erase_if(calls, [&](const Call& one) {
    return is_open(one) && one.type != Call::Type::write && one.type != Call::Type::swap;
  });
  const auto leaves_no_trace = [&](const Call& one) {
    if (!is_open(one)) return false;
    return std::ranges::none_of(calls, [&](const Call& other) {
      const bool is_refused = other.type == Call::Type::swap_refused && *other.returned > one.called;
      return is_refused || (&other != &one && has_seen(other, one.value));
    });
  };
  for (auto found = calls.end(); (found = std::ranges::find_if(calls, leaves_no_trace)) != calls.end();) {
    calls.erase(found);
  }
}

/// The calls of one register.
class Search {
 public:
  struct Verdict {
    enum class Kind : std::uint8_t { explained, impossible, undecided } kind;
    std::size_t place = 0;  ///< Impossible: of the call whose end was the furthest that none can reach.
  };

  explicit Search(std::vector<Call> calls);
  Verdict run(std::size_t choices_max);
  const Call& call(std::size_t place) const { return calls_[place]; }

 private:
  struct Choice {
    Events::iterator begin, end;  // of the call taken
    Events::iterator after_begin, after_end;
    std::uint64_t held;
  };
  std::optional<std::uint64_t> after(const Call& call) const;
  bool take(Events::iterator event);
  Events::iterator undo();

  std::vector<Call> calls_;
  Events events_;
  std::vector<Events::iterator> ends_;
  Events taken_;  // spliced out of `events_`
  std::vector<Choice> choices_;
  std::set<std::pair<std::vector<bool>, std::uint64_t>> seen_;
  std::vector<bool> done_;
  std::uint64_t held_ = 0;
};

Search::Search(std::vector<Call> calls) : calls_(std::move(calls)) {
  drop_without_trace(calls_);
  struct At {
    BootTime time;
    bool ends;
    std::size_t call;
    auto operator<=>(const At&) const = default;
  };
  std::vector<At> times;
  for (std::size_t i = 0; i < calls_.size(); ++i) {
    times.push_back({calls_[i].called, false, i});
    times.push_back({calls_[i].returned.value_or(BootTime::max()), true, i});
  }
  std::ranges::sort(times);
  ends_.resize(calls_.size());
  done_.resize(calls_.size());
  for (const At& at : times) {
    const auto place = events_.insert(events_.end(), {at.call, !at.ends});
    if (at.ends) ends_[at.call] = place;
  }
}

/// What the register holds after the call, if the call could have been answered so.
std::optional<std::uint64_t> Search::after(const Call& call) const {
  switch (call.type) {
    case Call::Type::read:
      return held_ == call.value ? std::optional(held_) : std::nullopt;
    case Call::Type::write:
      return call.value;
    case Call::Type::swap:
      return held_ == call.expected ? std::optional(call.value) : std::nullopt;
    case Call::Type::swap_refused:
      return held_ != call.expected ? std::optional(held_) : std::nullopt;
  }
  return std::nullopt;
}

bool Search::take(Events::iterator event) {
  const std::size_t number = event->call;
  const auto next = after(calls_[number]);
  if (!next) return false;
  done_[number] = true;
  if (!seen_.emplace(done_, *next).second) {
    done_[number] = false;
    return false;
  }
  const auto end = ends_[number];
  const auto after_end = std::next(end);
  taken_.splice(taken_.end(), events_, end);
  const auto after_begin = std::next(event);
  taken_.splice(taken_.end(), events_, event);
  choices_.push_back({event, end, after_begin, after_end, held_});
  held_ = *next;
  return true;
}

/// Where to go on: behind the call that was taken last.
Events::iterator Search::undo() {
  const Choice last = choices_.back();
  choices_.pop_back();
  done_[last.begin->call] = false;
  held_ = last.held;
  events_.splice(last.after_begin, taken_, last.begin);
  events_.splice(last.after_end, taken_, last.end);
  return std::next(last.begin);
}

Search::Verdict Search::run(std::size_t choices_max) {
  using Kind = Verdict::Kind;
  std::size_t furthest = 0;
  BootTime reached = BootTime::min();
  for (auto at = events_.begin(); at != events_.end();) {
    if (seen_.size() >= choices_max) return {Kind::undecided};
    if (at->begins) {
      at = take(at) ? events_.begin() : std::next(at);
      continue;
    }
    const auto& returned = calls_[at->call].returned;
    // Nothing but calls without an answer is left.
    if (!returned) break;
    if (*returned > reached) {
      reached = *returned;
      furthest = at->call;
    }
    if (choices_.empty()) return {Kind::impossible, furthest};
    at = undo();
  }
  return {Kind::explained};
}

}  // namespace

std::string linearizability_violation(const std::vector<Call>& calls, std::size_t choices_max) {
  std::map<std::string, std::vector<Call>> registers;
  for (const Call& call : calls) registers[call.key].push_back(call);
  for (auto& [key, own] : registers) {
    const std::size_t count = own.size();
    Search search(std::move(own));
    const auto verdict = search.run(choices_max);
    if (verdict.kind == Search::Verdict::Kind::impossible) {
      return fmt::format("register {} is not linearizable: {}", key, describe(search.call(verdict.place)));
    }
    if (verdict.kind == Search::Verdict::Kind::undecided) {
      return fmt::format("undecided: the {} calls of register {} have too many orders", count, key);
    }
  }
  return {};
}

}  // namespace kiseki::sim
