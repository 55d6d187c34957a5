#include "fs/testing/race_simulation.h"

#include <fmt/format.h>

#include "base/assert.h"
#include "fs/testing/racer.h"
#include "fs/testing/rounds.h"
#include "fs/testing/tree_check.h"

namespace kiseki::fs {

namespace {

constexpr std::size_t gateways = 3;
constexpr int rounds = 22;
constexpr TreeLimits tiny_leaves{.entries_split = 3, .index_page_max = 200, .cached_max = 64};
constexpr Duration round_length = std::chrono::seconds(2);

Task<> sweep(Gateway& on) { (void)co_await on.sweep(); }

/// What a run is about, by its seed.
enum class Theme : std::uint8_t { names, moves, leaves };

Theme theme_of(std::uint64_t seed) { return static_cast<Theme>(seed % 3); }

std::string draw_path(SeededRng& rng, Theme theme) {
  const auto name = [&rng](std::uint64_t among) {
    return std::string(1, static_cast<char>('a' + rng.below(among)));
  };
  const std::string leafy = "k" + std::to_string(rng.below(10));
  switch (theme) {
    case Theme::names:
      if (rng.below(5) == 0) return leafy;
      return rng.below(3) == 0 ? name(3) : name(3) + "/" + name(3);
    case Theme::moves:
      return rng.below(2) == 0 ? name(2) : name(2) + "/" + name(2);
    case Theme::leaves:
      return rng.below(4) == 0 ? leafy : "s/" + leafy;
  }
  return {};
}

std::string draw_call(SeededRng& rng, Theme theme) {
  static const std::vector<std::string> calls[] = {
      {"put", "put", "put", "restate", "get", "get", "remove", "remove", "mkdir", "mkdir", "rmdir", "rename",
       "rename"},
      {"put", "put", "remove", "mkdir", "mkdir", "rmdir", "rmdir", "rename", "rename", "rename", "rename"},
      {"put", "put", "put", "put", "restate", "get", "remove", "remove", "remove", "remove", "rename"}};
  const auto& those = calls[static_cast<std::size_t>(theme)];
  return those[rng.below(those.size())];
}

class Run {
 public:
  Run(std::uint64_t seed, sim::Trace& trace)
      : world_(seed, {.shards = static_cast<std::uint32_t>(1 + seed % 4), .entries_max = 9}),
        trace_(trace),
        theme_(theme_of(seed)),
        gateways_(gateways),
        fates_(gateways) {
    for (std::size_t i = 0; i < gateways; ++i) renew(i);
    ns_ = gateways_[0]->make_namespace("bucket");
    context_ = *gateways_[0]->get(gateways_[0]->tree.namespaces().get(ns_));
    KISEKI_ASSERT(gateways_[0]->get(put_copied(*gateways_[0], ns_)));
    state_.put(std::string(copied_key), std::string(copied_content));
  }

  /// Steps of one moment.
  std::string take(const std::vector<sim::Step>& steps) {
    std::vector<std::unique_ptr<Racer>> racers;
    std::optional<std::size_t> dying;
    for (const auto& step : steps) {
      SeededRng rng(step.argument);
      const std::size_t on = rng.below(gateways);
      if (step.what == "sweep") {
        world_.loop.spawn(sweep(*gateways_[on]));
      } else if (step.what == "silence") {
        fates_[on]->unanswered = 1 + rng.below(5);
      } else if (step.what == "crash") {
        dying = on;
        fates_[on]->commits_left = 1 + rng.below(5);
        fates_[on]->last_answer_lost = rng.below(2) == 0;
      } else {
        racers.push_back(begin(step, rng, on));
      }
    }
    const auto all_ended = [&] {
      return std::ranges::all_of(racers, [](const auto& one) { return one->ended; });
    };
    if (!racers.empty() && !world_.loop.run_until(all_ended)) return "the calls never end";
    world_.loop.run_for(std::chrono::seconds(1));
    if (dying) renew(*dying);
    for (const auto& fate : fates_) fate->unanswered.reset();
    return judge(racers);
  }

  std::string end() {
    for (int round = 0; round < 6; ++round) {
      for (std::size_t i = 0; i < gateways; ++i) renew(i);
      world_.loop.run_for(std::chrono::seconds(2));
      Gateway& on = *gateways_[0];
      (void)on.get(detail::list_objects(on.tree, ns_, {}));
      if (const auto swept = on.get(on.sweep()); !swept) return "sweep: " + swept.error().to_string();
    }
    const TreeCheck check(world_.shards, context_);
    if (!check.problems().empty()) return check.problems().front();
    if (!check.leftovers().empty()) return "left over: " + check.leftovers().front();
    return count_rows(check);
  }

 private:
  void renew(std::size_t gateway) {
    if (gateways_[gateway]) world_.shards.fence(gateways_[gateway]->client->session());
    gateways_[gateway].reset();
    fates_[gateway] = std::make_shared<MemoryShards::Fate>();
    gateways_[gateway] = std::make_unique<Gateway>(world_, tiny_leaves, fates_[gateway]);
  }

  std::string draw_content() {
    static constexpr std::string_view writers[] = {"", "", "c", "u"};
    ++contents_;
    return fmt::format("{}{}", writers[contents_ % 4], contents_);
  }

  /// What the objects need is there, and nothing else.
  std::string count_rows(const TreeCheck& check) {
    // What a crash left of an upload stays, with its parts, until somebody aborts it.
    if (std::ranges::any_of(check.objects(), is_upload, [](const auto& item) { return item.first; }))
      return {};
    std::size_t inline_rows = 0, pages = 0;
    for (const auto& [key, etag] : etags_of(check)) {
      const Writer writer = writer_of(etag);
      inline_rows += writer == Writer::plain ? 1 : 0;
      pages += writer == Writer::copy ? 1 : 0;
    }
    using shard::Kind;
    const std::pair<Kind, std::size_t> expected[] = {
        {Kind::inline_data, inline_rows}, {Kind::map_page, pages}, {Kind::pending, 0}, {Kind::garbage, 0}};
    for (const auto& [kind, wanted] : expected) {
      const auto found = world_.shards.count(kind);
      if (found != wanted) {
        return fmt::format("{} rows of kind {} instead of {}", found, static_cast<int>(kind), wanted);
      }
    }
    return {};
  }

  static bool is_upload(const std::string& key) { return key.starts_with("uploads:"); }

  static PlainTree::Contents etags_of(const TreeCheck& check) {
    PlainTree::Contents etags;
    for (const auto& [key, value] : check.objects()) {
      if (is_upload(key)) continue;
      const auto decoded = detail::decode_object(as_view(value), check.references(key));
      etags[key] = decoded ? decoded->properties.etag : "damaged";
    }
    return etags;
  }

  std::unique_ptr<Racer> begin(const sim::Step& step, SeededRng& rng, std::size_t on) {
    auto racer = std::make_unique<Racer>(Racer{.on = gateways_[on].get(), .ns = ns_, .call = {}});
    RacingCall& call = racer->call;
    call.what = step.what;
    call.path = draw_path(rng, theme_);
    if (call.what == "rename") call.to = draw_path(rng, theme_);
    if (call.what == "put") call.content = draw_content();
    world_.loop.spawn(race(*racer));
    return racer;
  }

  std::string judge(const std::vector<std::unique_ptr<Racer>>& racers) {
    const TreeCheck check(world_.shards, context_);
    std::vector<RacingCall> calls;
    std::string words;
    for (const auto& racer : racers) {
      const auto& call = racer->call;
      calls.push_back(call);
      words += fmt::format("{} {} {} {}{}; ", call.what, call.path, call.to, call.content,
                           !call.is_known ? " unknown"
                           : call.error   ? fmt::format(" {}", name_of(*call.error))
                                          : "");
    }
    trace_.note(world_.loop.now(), [&] { return words; });
    if (!check.problems().empty()) return words + check.problems().front();
    PlainTree after(etags_of(check), check.directories());
    const bool explained = RaceModel(state_).explains(std::move(calls), after);
    state_ = std::move(after);
    if (explained) return {};
    words = "no order explains: " + words + "afterwards: ";
    for (const auto& [key, content] : state_.objects()) words += fmt::format("{} {}; ", key, content);
    return words;
  }

  MemoryWorld world_;
  sim::Trace& trace_;
  Theme theme_;
  std::vector<std::unique_ptr<Gateway>> gateways_;
  std::vector<std::shared_ptr<MemoryShards::Fate>> fates_;
  NamespaceId ns_;
  detail::NamespacePtr context_;
  PlainTree state_;  // after the last round
  std::uint64_t contents_ = 0;
};

}  // namespace

sim::Schedule RaceSimulation::plan(std::uint64_t seed) const {
  sim::Schedule schedule{seed, {}};
  SeededRng rng(seed * 104'729 + 3);
  const Theme theme = theme_of(seed);
  for (int round = 0; round < rounds; ++round) {
    const Duration at = round_length * round;
    for (auto calls = 2 + rng.below(2); calls > 0; --calls) {
      schedule.steps.push_back({at, draw_call(rng, theme), rng.next()});
    }
    if (rng.below(theme == Theme::leaves ? 2 : 5) == 0) schedule.steps.push_back({at, "sweep", rng.next()});
    if (rng.below(6) == 0) schedule.steps.push_back({at, "crash", rng.next()});
    if (rng.below(6) == 0) schedule.steps.push_back({at, "silence", rng.next()});
  }
  return schedule;
}

std::string RaceSimulation::run(const sim::Schedule& schedule, sim::Trace& trace) const {
  Run run(schedule.seed, trace);
  return run_by_rounds(run, schedule);
}

}  // namespace kiseki::fs
