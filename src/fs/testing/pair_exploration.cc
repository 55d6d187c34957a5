#include "fs/testing/pair_exploration.h"

#include <fmt/format.h>

#include "fs/testing/racer.h"
#include "fs/testing/tree_check.h"

namespace kiseki::fs {

namespace {

constexpr TreeLimits tiny_leaves{.entries_split = 3, .index_page_max = 200, .cached_max = 64};

struct Call {
  const char* what;
  const char* path;
  const char* to = "";
};
struct Script {
  std::vector<Call> before;
  std::vector<Call> calls;
};

/// Puts that are made another way, by the first letter of their contents.
const std::map<std::string, const char*> writers{{"copy", "c"}, {"complete", "u"}};

const Script scripts[] = {
    {{{"mkdir", "a"}, {"mkdir", "b"}, {"put", "f"}, {"put", "a/f"}, {"rename", "a/f", "b/g"}, {"put", "a/h"}},
     {{"put", "c"},
      {"put", "b/g"},
      {"remove", "b/g"},
      {"get", "b/g"},
      {"mkdir", "c"},
      {"mkdir", "b/c"},
      {"rmdir", "b"},
      {"rename", "a", "b/a"},
      {"rename", "b", "a/b"},
      {"rename", "f", "c"},
      {"rename", "b/g", "a/g"},
      {"rename", "f", "b/g"},
      {"restate", "b/g"}}},
    // The second of several leaves is empty.
    {{{"put", "s/k0"},
      {"put", "s/k1"},
      {"put", "s/k2"},
      {"put", "s/k3"},
      {"put", "s/k4"},
      {"put", "s/k5"},
      {"remove", "s/k2"},
      {"remove", "s/k3"}},
     {{"put", "s/k2"},
      {"put", "s/k3"},
      {"remove", "s/k0"},
      {"restate", "s/k0"},
      {"copy", "s/k0"},
      {"complete", "s/k0"},
      {"rename", "s/k0", "s/k3"},
      {"sweep", ""},
      {"fill", "s/k0"},
      {"fill", "s/k1"}}},
    // The last of a directory goes; of another it has gone.
    {{{"put", "s/k"}, {"put", "x/y"}, {"remove", "x/y"}},
     {{"put", "s/k1"},
      {"put", "s/k"},
      {"remove", "s/k"},
      {"mkdir", "s/d"},
      {"mkdir", "x"},
      {"put", "x/y"},
      {"sweep", ""}}},
};

class Run {
 public:
  explicit Run(const Script& script)
      : world_(7, {.shards = 3, .entries_max = 9}), other_(world_, tiny_leaves) {
    auto client = std::make_unique<Interrupted>(world_.shards.connect());
    client_ = client.get();
    first_ = std::make_unique<Gateway>(world_, std::move(client), tiny_leaves);
    ns_ = other_.make_namespace("bucket");
    const auto copies = [](const Call& call) { return std::string_view(call.what) == "copy"; };
    if (std::ranges::any_of(script.calls, copies)) EXPECT_TRUE(other_.get(put_copied(other_, ns_)));
    for (const auto& call : script.before) world_.loop.get(perform(other_, call));
    world_.loop.run_for(std::chrono::seconds(1));
    // Both know the way.
    (void)first_->get(first_->objects.stat(ns_, "a/h"));
    (void)first_->get(first_->objects.stat(ns_, "b/g"));
    calls_.clear();
  }

  /// False when the first call has fewer calls of its own.
  bool run(const Call& call, const Call& between, std::uint64_t at) {
    const PlainTree before = observe();
    client_->before(at, [this, &between] { return perform(other_, between); });
    world_.loop.get(perform(*first_, call));
    const bool happened = client_->happened();
    client_->before(~0ULL, nullptr);
    world_.loop.run_for(std::chrono::seconds(1));
    judge(before);
    if (words_.empty()) end();
    if (!words_.empty())
      words_ = fmt::format("{} {} {} before step {} of {} {} {}: {}", between.what, between.path, between.to,
                           at, call.what, call.path, call.to, words_);
    return happened;
  }
  const std::string& words() const noexcept { return words_; }

 private:
  Task<> perform(Gateway& on, Call call) {
    const std::string_view what = call.what;
    if (what == "sweep") {
      (void)co_await on.sweep();
    } else if (what == "fill") {
      for (const char* tail : {"a", "b", "c", "d"})
        co_await make({&on, "put", std::string(call.path) + tail, {}});
      co_await world_.clock.sleep(std::chrono::milliseconds(50));
    } else {
      co_await make({&on, call.what, call.path, call.to});
    }
  }

  struct Made {
    Gateway* on;
    std::string what, path, to;
  };
  Task<> make(Made made) {
    Racer racer{.on = made.on, .ns = ns_, .call = {}};
    const auto writer = writers.find(made.what);
    racer.call.what = writer == writers.end() ? std::move(made.what) : "put";
    racer.call.path = std::move(made.path);
    racer.call.to = std::move(made.to);
    if (racer.call.what == "put") {
      racer.call.content = fmt::format("{}{}", writer == writers.end() ? "" : writer->second, ++contents_);
    }
    co_await race(racer);
    calls_.push_back(racer.call);
  }

  PlainTree observe() {
    const TreeCheck check(world_.shards, context());
    if (!check.problems().empty()) words_ = check.problems().front();
    PlainTree::Contents objects;
    for (const auto& [key, value] : check.objects()) {
      if (key.starts_with("uploads:")) continue;
      const auto decoded = detail::decode_object(as_view(value), check.references(key));
      objects[key] = decoded ? decoded->properties.etag : "damaged";
    }
    return {std::move(objects), check.directories()};
  }
  detail::NamespacePtr context() { return *other_.get(other_.tree.namespaces().get(ns_)); }

  void judge(const PlainTree& before) {
    const PlainTree after = observe();
    if (words_.empty() && !RaceModel(before).explains(calls_, after)) words_ = "no order explains it";
  }

  void end() {
    for (int round = 0; round < 3; ++round) {
      (void)other_.get(other_.sweep());
      world_.loop.run_for(std::chrono::seconds(1));
    }
    const TreeCheck check(world_.shards, context());
    if (!check.problems().empty()) words_ = check.problems().front();
    if (!check.leftovers().empty()) words_ = "left over: " + check.leftovers().front();
    const auto objects = observe().objects();
    const auto is_plain = [](const auto& object) { return writer_of(object.second) == Writer::plain; };
    const auto plain = static_cast<std::size_t>(std::ranges::count_if(objects, is_plain));
    if (world_.shards.count(shard::Kind::inline_data) != plain) words_ = "inline rows and objects";
  }

  MemoryWorld world_;
  Gateway other_;
  Interrupted* client_ = nullptr;
  std::unique_ptr<Gateway> first_;
  NamespaceId ns_;
  std::vector<RacingCall> calls_;
  std::uint64_t contents_ = 0;
  std::string words_;
};

}  // namespace

Exploration explore_pairs(Scene scene) {
  const Script& script = scripts[static_cast<std::size_t>(scene)];
  Exploration done;
  for (const auto& call : script.calls) {
    for (const auto& between : script.calls) {
      for (std::uint64_t at = 0;; ++at) {
        Run run(script);
        const bool more = run.run(call, between, at);
        ++done.runs;
        done.words = run.words();
        if (!done.words.empty()) return done;
        if (!more) break;
      }
    }
  }
  return done;
}

}  // namespace kiseki::fs
