#include <fmt/format.h>
#include <gtest/gtest.h>

#include "sim/simulated_node.h"
#include "sim/simulation.h"
#include "sim/text_source.h"

// Bodies that several users put, copy, move, put together and delete at once, while the node collects garbage
// and its power is cut, by seed (PROTOCOLS 3, 6). In the end the bucket goes, and everything with it.

namespace kiseki::sim {
namespace {

constexpr std::string_view power_cut = "power cut", pause = "pause";
constexpr std::uint64_t names = 6;
/// Half of what is put is one of the few that share chunks; chunks of the others go with their last object.
constexpr std::uint64_t contents_shared = 5, contents = 1000;
constexpr SimulatedNode::Options late_calls{.delay_max = std::chrono::seconds(3),
                                            .round_min = std::chrono::milliseconds(300),
                                            .round_max = std::chrono::milliseconds(1000)};

/// Above what lies inline; the first is a long one, put in parts.
std::string content(std::uint64_t number) {
  const Bytes size = number == 0 ? fs::Uploads::part_size_min + 30'000 : 17'000 + number % 5 * 9000;
  return text_of(fmt::format("{}:", number), number, size);
}
fs::Properties properties(std::uint64_t number) {
  return {.etag = std::to_string(number), .headers = {}, .metadata = {}, .checksums = {}};
}
bool is_gone(const Error& error) { return error.code() == Errc::not_found; }

class Run {
 public:
  Run(const Schedule& schedule, Trace& trace)
      : schedule_(schedule),
        trace_(trace),
        rng_(schedule.seed + 1),
        node_(loop_, schedule.seed, late_calls) {}

  std::string run() {
    auto words = begin();
    for (auto step = schedule_.steps.begin(); step != schedule_.steps.end() && words.empty(); ++step) {
      words = live(*step);
    }
    return words.empty() ? end() : words;
  }

 private:
  std::string begin() {
    if (auto started = node_.start(); !started) return "start: " + started.error().to_string();
    for (auto* ns : {&ns_, &kept_}) {
      auto made = get(node_.files().namespaces().create(node_.tenant(), ns == &kept_ ? "kept" : "goes", {}));
      if (!made) return "create: " + made.error().to_string();
      *ns = *made;
    }
    for (int i = 0; i < 20; ++i) {
      const auto put = get(put_one(kept_, "a", 1));
      if (put) return "";
      // It came too late: a round was between the bytes and the commit.
      if (put.error().code() != Errc::unavailable) return "put: " + put.error().to_string();
    }
    return "put: always too late";
  }

  std::string live(const Step& step) {
    Scope users(loop_.executor());
    for (int i = 0; i < 4; ++i) users.spawn(use(users));
    loop_.run_for(step.at);
    trace_.note(loop_.now(), [&step] { return step.what; });
    if (step.what == power_cut) {
      node_.end(SimulatedNode::End::power_cut, users);
      if (auto started = node_.start(); !started) return "start: " + started.error().to_string();
    } else {
      get(users.stop());
    }
    return violation_.empty() ? get(check(ns_)) : violation_;
  }

  template <class T>
  T get(Task<T> task) {
    return loop_.get(std::move(task));
  }

  // Users

  std::string name() { return fmt::format("{}{}", rng_.below(2) == 0 ? "d/" : "", rng_.below(names)); }

  Task<> use(Scope& scope) {
    while (co_await scope.sleep(node_.clock(), std::chrono::milliseconds(rng_.below(300)))) {
      const auto choice = rng_.below(100);
      const auto from = name(), to = name();
      if (choice < 30) {
        const auto among = rng_.below(2) == 0 ? contents_shared : contents;
        (void)co_await put_one(ns_, to, 1 + rng_.below(among - 1));
      } else if (choice < 33) {
        (void)co_await put_in_parts(to);
      } else if (choice < 60) {
        (void)co_await node_.files().objects().copy({.from = ns_.id,
                                                     .from_key = from,
                                                     .to = ns_.id,
                                                     .to_key = rng_.below(4) == 0 ? from : to,
                                                     .replace = {},
                                                     .source_etag = {},
                                                     .condition = {}});
      } else if (choice < 70) {
        (void)co_await node_.files().directories().rename(ns_.id, from, to);
      } else if (choice < 90) {
        (void)co_await node_.files().objects().remove(ns_.id, to, {});
      } else {
        const auto words = co_await read(ns_, to, Meanwhile::changes);
        if (!words.empty()) violation_ = words;
      }
    }
  }

  Task<Result<>> put_one(fs::Namespace ns, std::string key, std::uint64_t number) {
    TextSource source(content(number), properties(number));
    const auto done = co_await node_.files().objects().put(ns.id, std::move(key), source, {});
    if (!done) co_return fail(done.error());
    co_return Result<>{};
  }

  Task<Result<>> put_in_parts(std::string key) {
    const auto upload = co_await node_.files().uploads().create(ns_.id, key, properties(0));
    if (!upload) co_return fail(upload.error());
    const std::string text = content(0);
    std::vector<fs::CompletePart> parts;
    for (const Bytes at : {Bytes{0}, Bytes{fs::Uploads::part_size_min}}) {
      TextSource source(text.substr(at, fs::Uploads::part_size_min), properties(parts.size()));
      const auto number = static_cast<std::uint32_t>(parts.size() + 1);
      const auto part = co_await node_.files().uploads().put_part(ns_.id, key, *upload, number, source);
      if (!part) co_return fail(part.error());
      if (rng_.below(4) == 0) co_return Result<>{};
      parts.push_back({number, part->properties.etag});
    }
    const auto done = co_await node_.files().uploads().complete(
        {.ns = ns_.id, .key = key, .upload = *upload, .parts = parts, .etag = "0"});
    if (!done) co_return fail(done.error());
    co_return Result<>{};
  }

  // Checks

  enum class Meanwhile : std::uint8_t { nothing, changes };

  /// What is read is whole; an object that others may delete may end before its end.
  Task<std::string> read(fs::Namespace ns, std::string key, Meanwhile meanwhile) {
    const auto object = co_await node_.files().objects().open(ns.id, key);
    if (!object && (is_gone(object.error()) || meanwhile == Meanwhile::changes)) co_return std::string();
    if (!object) co_return fmt::format("{}: {}", key, object.error().to_string());
    const auto text = co_await read_all(**object);
    if (!text && meanwhile == Meanwhile::changes) co_return std::string();
    if (!text) co_return fmt::format("{} ends: {}", key, text.error().to_string());
    const bool same = *text == content(std::stoull((*object)->attributes().properties.etag));
    co_return same ? "" : key + " has other bytes";
  }

  Task<Result<std::vector<std::string>>> keys(fs::Namespace ns) {
    const auto page = co_await node_.files().objects().list(ns.id, {});
    if (!page) co_return fail(page.error());
    std::vector<std::string> found;
    for (const auto& item : page->items) found.push_back(item.name);
    co_return found;
  }

  Task<std::string> check(fs::Namespace ns) {
    const auto found = co_await keys(ns);
    if (!found) co_return "list: " + found.error().to_string();
    for (const auto& key : *found) {
      auto words = co_await read(ns, key, Meanwhile::nothing);
      if (!words.empty()) co_return words;
    }
    co_return std::string();
  }

  Task<Result<>> remove_bucket() {
    const auto found = co_await keys(ns_);
    if (!found) co_return fail(found.error());
    for (const auto& key : *found) KISEKI_CO_TRY(co_await node_.files().objects().remove(ns_.id, key, {}));
    co_return co_await node_.files().namespaces().remove(node_.tenant(), "goes");
  }

  /// After the bucket and two quiet rounds nothing is left but the other's one object.
  std::string end() {
    const auto removed = get(remove_bucket());
    if (!removed) return "remove: " + removed.error().to_string();
    std::size_t left = 0;
    for (int i = 0; i < 60; ++i) {
      loop_.run_for(std::chrono::milliseconds(500));
      const auto chunks = get(node_.chunks());
      if (!chunks) return "chunks: " + chunks.error().to_string();
      left = *chunks;
      if (left == 1) return get(check(kept_));
    }
    return fmt::format("{} chunks where one is referred to", left);
  }

  const Schedule& schedule_;
  Trace& trace_;
  SeededRng rng_;
  SimulatedLoop loop_;
  SimulatedNode node_;
  fs::Namespace ns_, kept_;
  std::string violation_;
};

class Bodies final : public Simulation {
 public:
  Schedule plan(std::uint64_t seed) const override {
    SeededRng rng(seed);
    Schedule schedule{seed, {}};
    for (int life = 0; life < 3; ++life) {
      const Duration length = std::chrono::milliseconds(500 + rng.below(8000));
      schedule.steps.push_back({length, std::string(rng.below(2) == 0 ? power_cut : pause), 0});
    }
    return schedule;
  }
  std::string run(const Schedule& schedule, Trace& trace) const override {
    return Run(schedule, trace).run();
  }
};

TEST(BodiesOfObjects, stay_whole_while_garbage_is_collected_and_go_with_their_bucket) {
  const auto finding = find_violation(Bodies(), Seeds::from_environment(320));
  EXPECT_FALSE(finding) << finding->to_string();
}

TEST(BodiesOfObjects, a_copy_that_does_not_assert_its_source_is_noticed) {
  EXPECT_EQ(unnoticed("6.6 a copy does not assert its source", {.first = 20, .count = 60}, Bodies()), "");
}

TEST(BodiesOfObjects, a_copy_onto_itself_that_puts_what_has_gone_is_noticed) {
  EXPECT_EQ(unnoticed("6.6 a copy onto itself puts what has gone", {.first = 60, .count = 120}, Bodies()),
            "");
}

}  // namespace
}  // namespace kiseki::sim
