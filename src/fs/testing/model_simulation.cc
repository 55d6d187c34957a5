#include "fs/testing/model_simulation.h"

#include <array>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "fs/objects/renames.h"
#include "fs/objects/tree_directories.h"
#include "fs/testing/memory_world.h"
#include "fs/testing/plain_tree.h"
#include "fs/testing/tree_check.h"

namespace kiseki::fs {

namespace {

constexpr std::uint64_t steps = 90;
constexpr std::size_t gateways = 3;
constexpr Duration leaf_age = std::chrono::milliseconds(20);
/// Of attributes: no directory has more than 25 leaves.
constexpr Duration age_max = 25 * leaf_age;
constexpr TreeLimits tiny_leaves{
    .entries_split = 5, .index_page_max = 200, .cached_max = 64, .leaves_exact = 1, .leaf_age = leaf_age};

struct Job {
  std::string_view name;
  std::uint64_t weight;
};
constexpr Job jobs[] = {{"put", 26},     {"remove", 14},         {"get", 8},          {"mkdir", 8},
                        {"rmdir", 6},    {"rename", 16},         {"list", 5},         {"stat", 6},
                        {"sweep", 3},    {"crash", 7},           {"shrink", 3},       {"create upload", 4},
                        {"put part", 5}, {"complete upload", 4}, {"abort upload", 2}, {"list uploads", 2}};

std::string_view draw_job(SeededRng& rng) {
  std::uint64_t all = 0;
  for (const auto& job : jobs) all += job.weight;
  auto at = rng.below(all);
  for (const auto& job : jobs) {
    if (at < job.weight) return job.name;
    at -= job.weight;
  }
  return "put";
}

std::string words_of(const Result<>& result) {
  return result ? "ok" : std::string(name_of(result.error().code()));
}

struct PlainUpload {
  std::string key;
  std::map<std::uint32_t, std::string> parts;  // number, etag
  friend bool operator==(const PlainUpload&, const PlainUpload&) = default;
};
struct Model {
  PlainTree tree;
  std::map<std::string, PlainUpload> uploads;
  friend bool operator==(const Model&, const Model&) = default;
};

class Run {
 public:
  Run(std::uint64_t seed, sim::Trace& trace)
      : world_(seed, {.shards = static_cast<std::uint32_t>(1 + seed % 4), .entries_max = 9}),
        trace_(trace),
        gateways_(gateways),
        fates_(gateways) {
    for (std::size_t i = 0; i < gateways; ++i) renew(i);
    ns_ = gateways_[0]->make_namespace("bucket");
    context_ = *gateways_[0]->get(gateways_[0]->tree.namespaces().get(ns_));
    world_.shards.set_refused_percent(seed % 3 == 0 ? 5 : 0);
  }

  std::string take(const sim::Step& step) {
    SeededRng rng(step.argument);
    rng_ = &rng;
    on_ = rng.below(gateways);
    world_.loop.run_for(std::chrono::milliseconds(rng.below(40)));
    if (step.what == "crash") {
      crash_ = 1 + rng.below(6);
      return {};
    }
    before_ = model_;
    if (crash_ != 0) arm(rng.below(2) == 0);
    std::string words = perform(step.what);
    changed_at_[on_] = world_.clock.now();
    if (std::exchange(crash_, 0) != 0) words = bury(std::move(words));
    trace_.note(world_.loop.now(), [&] { return fmt::format("gateway {}: {} {}", on_, did_, words); });
    return words.empty() ? words : fmt::format("{}: {}", did_, words);
  }

  std::string end() {
    world_.shards.set_refused_percent(0);
    for (std::size_t i = 0; i < gateways; ++i) renew(i);
    Gateway& on = *gateways_[0];
    for (int round = 0; round < 6; ++round) {
      world_.loop.run_for(std::chrono::seconds(2));
      // Whoever lists a leaf finishes a split that was begun in it.
      (void)on.get(detail::list_objects(on.tree, ns_, {}));
      (void)on.get(on.uploads.list(ns_, {}, {}, {}, 1000));
      if (const auto swept = on.get(on.sweep()); !swept) return "sweep: " + words_of(swept);
    }
    const TreeCheck check(world_.shards, context_);
    if (!check.problems().empty()) return check.problems().front();
    if (!check.leftovers().empty()) return "left over: " + check.leftovers().front();
    if (!(observe() == model_)) return "the rows are not what the model says";
    return compare_rows();
  }

 private:
  Gateway& on() { return *gateways_[on_]; }

  void renew(std::size_t gateway) {
    if (gateways_[gateway]) {
      world_.loop.run_for(std::chrono::seconds(1));
      world_.shards.fence(gateways_[gateway]->client->session());
    }
    fates_[gateway] = std::make_shared<MemoryShards::Fate>();
    gateways_[gateway].reset();
    gateways_[gateway] = std::make_unique<Gateway>(world_, tiny_leaves, fates_[gateway]);
  }

  void arm(bool answer_lost) {
    fates_[on_]->commits_left = crash_;
    fates_[on_]->last_answer_lost = answer_lost;
  }

  /// What was under way has happened or not; a new gateway takes over.
  std::string bury(std::string words) {
    const bool died = fates_[on_]->dead;
    renew(on_);
    if (!died) return words;
    const TreeCheck check(world_.shards, context_);
    if (!check.problems().empty()) return "after a crash: " + check.problems().front();
    Model seen = observe();
    const bool fits =
        seen == model_ || seen == before_ || (did_.starts_with("create") && seen.tree == model_.tree);
    model_ = std::move(seen);
    return fits ? "" : "after a crash: neither done nor not";
  }

  Model observe() {
    const TreeCheck check(world_.shards, context_);
    PlainTree::Contents objects;
    for (const auto& [key, value] : check.objects()) {
      if (key.starts_with("uploads:")) continue;  // of the other tree
      const auto decoded = detail::decode_object(as_view(value), check.references(key));
      objects[key] = decoded ? decoded->properties.etag : "damaged";
    }
    Model seen{PlainTree(std::move(objects), check.directories()), {}};
    Gateway fresh(world_, tiny_leaves);
    const auto uploads = fresh.get(fresh.uploads.list(ns_, {}, {}, {}, 1000));
    for (const auto& upload : uploads ? uploads->uploads : std::vector<UploadInfo>()) {
      auto& plain = seen.uploads[upload.upload];
      plain.key = upload.key;
      const auto parts = fresh.get(fresh.uploads.parts(ns_, upload.key, upload.upload, 0, 1000));
      for (const auto& part : parts ? parts->parts : std::vector<PartInfo>()) {
        plain.parts[part.number] = part.attributes.properties.etag;
      }
    }
    return seen;
  }

  /// No row but those that the objects and uploads need.
  std::string compare_rows() {
    std::size_t inline_rows = 0, parts = 0;
    for (const auto& row : world_.shards.rows(shard::Kind::entry)) {
      if (row.record.body == shard::Body::inline_row) ++inline_rows;
    }
    for (const auto& [id, upload] : model_.uploads) parts += upload.parts.size();
    const auto expect = [this](shard::Kind kind, std::size_t wanted, std::string_view words) {
      const auto found = world_.shards.count(kind);
      return found == wanted ? std::string() : fmt::format("{} {} rows of {}", found, words, wanted);
    };
    for (auto words : {expect(shard::Kind::inline_data, inline_rows, "inline"),
                       expect(shard::Kind::part, parts, "part"), expect(shard::Kind::pending, 0, "pending"),
                       expect(shard::Kind::upload, model_.uploads.size(), "upload"),
                       expect(shard::Kind::garbage, 0, "garbage"), expect(shard::Kind::map_page, 0, "page"),
                       expect(shard::Kind::tombstone, 0, "tombstone")}) {
      if (!words.empty()) return words;
    }
    return {};
  }

  template <class Collection>
  auto pick(const Collection& from) {
    return std::next(from.begin(), static_cast<std::ptrdiff_t>(rng_->below(from.size())));
  }
  std::string draw_name() {
    return rng_->below(2) == 0 ? std::string(1, static_cast<char>('a' + rng_->below(4)))
                               : std::to_string(rng_->below(16));
  }
  std::string draw_path() {
    // Mostly where something is, so that names meet.
    const auto& objects = model_.tree.objects();
    const auto& directories = model_.tree.directories();
    if (rng_->below(3) == 0 && !objects.empty()) return pick(objects)->first;
    if (rng_->below(3) == 0 && !directories.empty()) return *pick(directories);
    std::string path;
    for (auto depth = rng_->below(3); depth > 0; --depth) {
      path += std::string(1, static_cast<char>('a' + rng_->below(3))) + "/";
    }
    return path + draw_name();
  }
  /// Also a directory that somebody has put an object into.
  std::string draw_source() {
    std::string path = draw_path();
    const auto slash = path.rfind('/');
    if (slash != path.npos && rng_->below(2) == 0) path.resize(slash);
    if (rng_->below(6) == 0) path += '/';
    return path;
  }
  Bytes draw_size() {
    constexpr Bytes sizes[] = {0, 5, 400, 700, 3000, 20'000};
    return sizes[rng_->below(6)];
  }

  std::string perform(const std::string& what) {
    if (what == "put") return put(draw_path());
    if (what == "remove") return remove(draw_path());
    if (what == "get") return get(draw_path());
    if (what == "mkdir") return make_directory();
    if (what == "rmdir") return remove_directory();
    if (what == "rename") return rename();
    if (what == "list") return list();
    if (what == "stat") return stat();
    if (what == "sweep") return sweep();
    if (what == "shrink") return shrink();
    return perform_upload(what);
  }

  std::string compare(const Result<>& found, const Result<>& expected) {
    const std::string a = words_of(found), b = words_of(expected);
    return a == b ? "" : fmt::format("answered {} for {}", a, b);
  }

  std::string put(const std::string& key) {
    PatternSource source(rng_->below(1'000'000), draw_size());
    did_ = fmt::format("put {} {}", key, source.properties.etag);
    const auto done = on().get(on().objects.put(ns_, key, source, {}));
    model_.tree.put(key, source.properties.etag);
    return compare(done ? Result<>() : fail(done.error()), {});
  }

  std::string remove(std::string key) {
    did_ = "remove " + key;
    const auto done = on().get(on().objects.remove(ns_, key, {}));
    model_.tree.remove(key);
    return compare(done, {});
  }

  std::string get(std::string key) {
    did_ = "get " + key;
    const auto object = on().get(on().objects.open(ns_, key));
    const auto expected = model_.tree.get(key);
    if (!object) return compare(fail(object.error()), expected ? Result<>() : fail(Errc::not_found));
    if (!expected) return "found what is not there";
    const auto& attributes = (*object)->attributes();
    if (attributes.properties.etag != *expected) return "found " + attributes.properties.etag;
    if (attributes.size == 0) return {};
    const auto bytes = on().get((*object)->read(0, attributes.size));
    if (!bytes) return words_of(fail(bytes.error()));
    const auto seed = std::stoull(expected->substr(5));
    return PatternSource::matches(seed, 0, bytes->view()) ? "" : "other bytes";
  }

  std::string make_directory() {
    const std::string path = draw_path();
    did_ = "mkdir " + path;
    const auto done = on().get(detail::TreeDirectories(on().tree).make(ns_, path));
    return compare(done, model_.tree.make_directory(path));
  }

  std::string remove_directory() {
    const std::string path = draw_source();
    did_ = "rmdir " + path;
    const auto done = on().get(detail::TreeDirectories(on().tree).remove(ns_, path));
    return compare(done, model_.tree.remove_directory(path));
  }

  std::string rename() {
    const std::string from = draw_source(), to = draw_path();
    did_ = fmt::format("rename {} {}", from, to);
    const auto done = on().get(detail::rename(on().tree, ns_, from, to));
    return compare(done, model_.tree.rename(from, to));
  }

  std::string stat() {
    std::string path = draw_source();
    const auto& directories = model_.tree.directories();
    if (rng_->below(2) == 0 && !directories.empty()) path = *pick(directories);
    if (rng_->below(2) == 0) world_.loop.run_for(age_max);
    auto words = compare_attributes(path);
    if (path.ends_with('/')) path.pop_back();
    if (!words.empty() || rng_->below(2) == 0 || !model_.tree.has_directory(path)) return words;
    words = put(path + "/" + draw_name());
    return words.empty() ? compare_attributes(path) : words;
  }

  std::string compare_attributes(std::string path) {
    did_ = "stat " + path;
    const bool is_exact = others_rest();
    const auto found = on().get(detail::TreeDirectories(on().tree).stat(ns_, path));
    if (path.ends_with('/')) path.pop_back();
    if (!model_.tree.has_directory(path)) return found ? "found what is not there" : "";
    if (!found) return words_of(fail(found.error()));
    Bytes logical = 0;
    for (const auto& [key, etag] : model_.tree.objects()) {
      const bool is_in = key.starts_with(path + "/") && key.find('/', path.size() + 1) == key.npos;
      if (is_in) logical += std::stoull(etag.substr(etag.rfind('-') + 1));
    }
    if (found->is_explicit != model_.tree.directories().contains(path)) return "explicit or not";
    const bool is_right = found->logical == logical || !is_exact;
    return is_right ? "" : fmt::format("{} bytes of {}", found->logical, logical);
  }

  /// No other has changed anything for so long that attributes are what they are.
  bool others_rest() const {
    for (std::size_t other = 0; other < gateways; ++other) {
      if (other != on_ && changed_at_[other] + age_max >= world_.clock.now()) return false;
    }
    return true;
  }

  std::string list() {
    ListRequest request;
    request.by_directory = rng_->below(2) == 0;
    request.limit = static_cast<std::uint32_t>(1 + rng_->below(12));
    if (rng_->below(2) == 0) request.prefix = draw_path() + (rng_->below(2) == 0 ? "/" : "");
    did_ = fmt::format("list '{}' {}", request.prefix, request.by_directory);
    while (true) {
      const auto page = on().get(detail::list_objects(on().tree, ns_, request));
      if (!page) return words_of(fail(page.error()));
      std::vector<std::string> names;
      for (const auto& item : page->items) names.push_back(item.name);
      const auto expected = model_.tree.list(request);
      if (names != expected) {
        return fmt::format("after '{}': {} for {}", request.after, fmt::join(names, " "),
                           fmt::join(expected, " "));
      }
      if (!page->truncated)
        return names.size() == request.limit && has_more(request, names) ? "cut short" : "";
      request.after = names.back();
    }
  }
  bool has_more(ListRequest request, const std::vector<std::string>& names) {
    request.after = names.back();
    return !model_.tree.list(request).empty();
  }

  std::string sweep() {
    did_ = "sweep";
    const auto swept = on().get(on().sweep());
    // What was refused for no reason is left to the next round.
    const bool again = !swept && swept.error().code() == Errc::conflict;
    return again ? std::string() : compare(swept, {});
  }

  /// So that leaves and directories become empty.
  std::string shrink() {
    const auto half = model_.tree.objects().size() / 2;
    std::vector<std::string> keys;
    for (const auto& [key, etag] : model_.tree.objects()) {
      if (keys.size() < half) keys.push_back(key);
    }
    for (const auto& key : keys) {
      before_ = model_;
      const auto words = remove(key);
      if (!words.empty()) return words;
    }
    return {};
  }

  std::string perform_upload(const std::string& what) {
    if (what == "list uploads") return list_uploads();
    if (what == "create upload") return create_upload();
    if (model_.uploads.empty()) return {};
    const auto [id, upload] = *pick(model_.uploads);
    if (what == "put part") return put_part(id, upload);
    if (what == "complete upload") return complete_upload(id, upload);
    did_ = "abort " + id;
    model_.uploads.erase(id);
    return compare(on().get(on().uploads.abort(ns_, upload.key, id)), {});
  }

  std::string create_upload() {
    const std::string key = draw_path();
    did_ = "create upload of " + key;
    const auto id = on().get(on().uploads.create(ns_, key, {}));
    if (!id) return words_of(fail(id.error()));
    model_.uploads[*id].key = key;
    return {};
  }

  std::string put_part(const std::string& id, const PlainUpload& upload) {
    const auto number = static_cast<std::uint32_t>(1 + rng_->below(2));
    PatternSource source(rng_->below(1'000'000), 1 + draw_size());
    did_ = fmt::format("put part {} of {}", number, id);
    const auto done = on().get(on().uploads.put_part(ns_, upload.key, id, number, source));
    model_.uploads[id].parts[number] = source.properties.etag;
    return compare(done ? Result<>() : fail(done.error()), {});
  }

  std::string complete_upload(const std::string& id, const PlainUpload& upload) {
    if (upload.parts.empty()) return {};
    const auto [number, etag] = *pick(upload.parts);
    const bool wrong = rng_->below(4) == 0;
    did_ = fmt::format("complete {} of {}", id, upload.key);
    CompleteUpload request{ns_, upload.key, id};
    request.parts = {{number, wrong ? "wrong" : etag}};
    request.etag = etag;
    const auto done = on().get(on().uploads.complete(std::move(request)));
    if (wrong) return compare(done ? Result<>() : fail(done.error()), fail(Errc::invalid_argument));
    model_.uploads.erase(id);
    model_.tree.put(upload.key, etag);
    return compare(done ? Result<>() : fail(done.error()), {});
  }

  std::string list_uploads() {
    did_ = "list uploads";
    const auto found = on().get(on().uploads.list(ns_, {}, {}, {}, 1000));
    if (!found) return words_of(fail(found.error()));
    if (found->uploads.size() != model_.uploads.size()) return "another number of uploads";
    for (const auto& upload : found->uploads) {
      const auto known = model_.uploads.find(upload.upload);
      if (known == model_.uploads.end() || known->second.key != upload.key) return "an unknown upload";
    }
    return {};
  }

  MemoryWorld world_;
  sim::Trace& trace_;
  std::vector<std::unique_ptr<Gateway>> gateways_;
  std::vector<std::shared_ptr<MemoryShards::Fate>> fates_;
  NamespaceId ns_;
  detail::NamespacePtr context_;
  Model model_, before_;
  std::array<BootTime, gateways> changed_at_{};
  SeededRng* rng_ = nullptr;  // of the step
  std::size_t on_ = 0;
  std::uint64_t crash_ = 0;  // after so many commits of the next step
  std::string did_;
};

}  // namespace

sim::Schedule ModelSimulation::plan(std::uint64_t seed) const {
  sim::Schedule schedule{seed, {}};
  SeededRng rng(seed * 7919 + 1);
  for (std::uint64_t i = 0; i < steps; ++i) {
    schedule.steps.push_back({std::chrono::milliseconds(i), std::string(draw_job(rng)), rng.next()});
  }
  return schedule;
}

std::string ModelSimulation::run(const sim::Schedule& schedule, sim::Trace& trace) const {
  Run run(schedule.seed, trace);
  for (const auto& step : schedule.steps) {
    if (auto words = run.take(step); !words.empty()) return words;
  }
  return run.end();
}

}  // namespace kiseki::fs
