#include "fs/testing/upload_simulation.h"

#include <fmt/format.h>

#include "fs/testing/memory_world.h"
#include "fs/testing/rounds.h"

namespace kiseki::fs {

namespace {

constexpr std::size_t gateways = 3;
constexpr int rounds = 12;
constexpr Duration round_length = std::chrono::seconds(3);
constexpr Bytes part_size = 100;
constexpr std::uint64_t other_parts = 1'000'000;  // seeds of the parts that replace others

std::string etag_of(std::uint64_t seed) { return PatternSource(seed, part_size).properties.etag; }

struct Racer {
  Gateway* on = nullptr;
  NamespaceId ns;
  std::string what, key, upload;
  std::uint64_t seed = 0;  ///< Of the part that is there before the round.
  bool ended = false;
  bool is_known = false;
  std::optional<Errc> error{};

  bool did(std::string_view name) const { return what == name && is_known && !error; }
  void answer(const Result<>& result) {
    error = result ? std::optional<Errc>() : result.error().code();
    is_known = error != Errc::cancelled && error != Errc::fenced;
    ended = true;
  }
};

template <class T>
Result<> plain(const Result<T>& result) {
  if (!result) return fail(result.error());
  return {};
}

Task<> race(Racer& racer) {
  auto& uploads = racer.on->uploads;
  Result<> result;
  if (racer.what == "complete") {
    CompleteUpload request{racer.ns, racer.key, racer.upload};
    request.parts = {{1, etag_of(racer.seed)}};
    request.etag = "whole-" + std::to_string(racer.seed);
    result = plain(co_await uploads.complete(std::move(request)));
  } else if (racer.what == "abort") {
    result = co_await uploads.abort(racer.ns, racer.key, racer.upload);
  } else {
    PatternSource source(other_parts + racer.seed, part_size);
    result = plain(co_await uploads.put_part(racer.ns, racer.key, racer.upload, 1, source));
  }
  racer.answer(result);
}

class Run {
 public:
  Run(std::uint64_t seed, sim::Trace& trace)
      : world_(seed, {.shards = static_cast<std::uint32_t>(1 + seed % 4)}),
        trace_(trace),
        gateways_(gateways),
        fates_(gateways) {
    for (std::size_t i = 0; i < gateways; ++i) renew(i);
    ns_ = gateways_[0]->make_namespace("bucket");
  }

  std::string take(const std::vector<sim::Step>& steps) {
    key_ = fmt::format("key{}", round_ % 3);
    seed_ = ++round_;
    auto words = begin();
    if (!words.empty()) return words;
    std::vector<std::unique_ptr<Racer>> racers;
    for (const auto& step : steps) {
      SeededRng rng(step.argument);
      const std::size_t on = rng.below(gateways);
      if (step.what == "crash") {
        fates_[on]->commits_left = 1 + rng.below(4);
        fates_[on]->last_answer_lost = rng.below(2) == 0;
        continue;
      }
      racers.push_back(std::make_unique<Racer>(Racer{.on = gateways_[on].get(),
                                                     .ns = ns_,
                                                     .what = step.what,
                                                     .key = key_,
                                                     .upload = upload_,
                                                     .seed = seed_}));
      world_.loop.spawn(race(*racers.back()));
    }
    const auto all_ended = [&] {
      return std::ranges::all_of(racers, [](const auto& one) { return one->ended; });
    };
    if (!racers.empty() && !world_.loop.run_until(all_ended)) return "the calls never end";
    world_.loop.run_for(std::chrono::seconds(1));
    for (std::size_t i = 0; i < gateways; ++i) {
      if (fates_[i]->dead || fates_[i]->commits_left) renew(i);
    }
    return judge(racers);
  }

  std::string end() {
    for (int round = 0; round < 4; ++round) {
      for (std::size_t i = 0; i < gateways; ++i) renew(i);
      const auto swept = gateways_[0]->get(gateways_[0]->sweep());
      if (!swept) return "sweep: " + swept.error().to_string();
    }
    using shard::Kind;
    for (const auto kind : {Kind::upload, Kind::part, Kind::pending, Kind::garbage}) {
      const auto count = world_.shards.count(kind);
      if (count > 0) return fmt::format("{} rows of kind {} are left over", count, static_cast<int>(kind));
    }
    return {};
  }

 private:
  void renew(std::size_t gateway) {
    if (gateways_[gateway]) world_.shards.fence(gateways_[gateway]->client->session());
    gateways_[gateway].reset();
    fates_[gateway] = std::make_shared<MemoryShards::Fate>();
    gateways_[gateway] = std::make_unique<Gateway>(world_, TreeLimits{}, fates_[gateway]);
  }

  std::string begin() {
    Gateway& on = *gateways_[round_ % gateways];
    const auto upload = on.get(on.uploads.create(ns_, key_, {}));
    if (!upload) return upload.error().to_string();
    upload_ = *upload;
    PatternSource source(seed_, part_size);
    const auto part = on.get(on.uploads.put_part(ns_, key_, upload_, 1, source));
    return part ? std::string() : part.error().to_string();
  }

  std::string judge(const std::vector<std::unique_ptr<Racer>>& racers) {
    std::string words;
    bool completed = false, aborted = false, replaced = false, unknown = false;
    for (const auto& racer : racers) {
      words += racer->what + (!racer->is_known ? " unknown; "
                              : racer->error   ? fmt::format(" {}; ", name_of(*racer->error))
                                               : " ok; ");
      completed |= racer->did("complete");
      aborted |= racer->did("abort");
      replaced |= racer->did("put part");
      unknown |= !racer->is_known;
    }
    trace_.note(world_.loop.now(), [&] { return words; });
    if (completed && aborted) return "completed and aborted: " + words;
    if (completed && replaced) return "completed without its part: " + words;
    const auto bytes = read();
    if (completed && bytes != seed_) return "completed, and the object is another: " + words;
    if (!completed && !unknown && bytes == seed_) return "an object that nobody completed: " + words;
    const auto rest = finish();
    if (!unknown && !completed && !aborted && rest) return "cannot be completed any more: " + words;
    if ((completed || aborted) && rest != Errc::not_found) return "has not gone: " + words;
    return {};
  }

  /// The seed of the object's bytes.
  std::uint64_t read() {
    Gateway& on = *gateways_[0];
    const auto object = on.get(on.objects.open(ns_, key_));
    if (!object) return 0;
    const auto bytes = on.get((*object)->read(0, part_size));
    const std::uint64_t named = std::stoull((*object)->attributes().properties.etag.substr(6));
    for (const auto seed : {named, named + other_parts}) {
      if (bytes && PatternSource::matches(seed, 0, bytes->view())) return seed;
    }
    return ~0ULL;
  }

  /// What comes of an abort of what may be left.
  std::optional<Errc> finish() {
    Gateway& on = *gateways_[0];
    const auto done = on.get(on.uploads.abort(ns_, key_, upload_));
    return done ? std::optional<Errc>() : done.error().code();
  }

  MemoryWorld world_;
  sim::Trace& trace_;
  std::vector<std::unique_ptr<Gateway>> gateways_;
  std::vector<std::shared_ptr<MemoryShards::Fate>> fates_;
  NamespaceId ns_;
  std::string key_, upload_;
  std::uint64_t seed_ = 0;
  std::uint64_t round_ = 0;
};

}  // namespace

sim::Schedule UploadSimulation::plan(std::uint64_t seed) const {
  constexpr std::string_view calls[] = {"complete", "complete", "abort", "put part"};
  sim::Schedule schedule{seed, {}};
  SeededRng rng(seed * 15'485'863 + 5);
  for (int round = 0; round < rounds; ++round) {
    const Duration at = round_length * round;
    for (auto count = 2 + rng.below(2); count > 0; --count) {
      schedule.steps.push_back({at, std::string(calls[rng.below(4)]), rng.next()});
    }
    if (rng.below(4) == 0) schedule.steps.push_back({at, "crash", rng.next()});
  }
  return schedule;
}

std::string UploadSimulation::run(const sim::Schedule& schedule, sim::Trace& trace) const {
  Run run(schedule.seed, trace);
  return run_by_rounds(run, schedule);
}

}  // namespace kiseki::fs
