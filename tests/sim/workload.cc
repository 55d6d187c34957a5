#include "sim/workload.h"

#include <fmt/format.h>

namespace kiseki::sim {

namespace {

fs::Properties properties() {
  return {.etag = "etag",
          .headers = {},
          .metadata = {{"note", std::string(Workload::known_header)}},
          .checksums = {}};
}

}  // namespace

std::string content_bytes(std::uint64_t number, Bytes size) {
  return text_of(fmt::format("{}:{}:", Workload::known_word, number), number, size);
}

Task<Result<>> Workload::prepare() {
  auto ns = co_await node_.files().namespaces().create(node_.tenant(), std::string(bucket_name), {});
  if (!ns && ns.error().code() == Errc::exists) {
    ns = co_await node_.files().namespaces().find(node_.tenant(), std::string(bucket_name));
  }
  if (!ns) co_return fail(std::move(ns).error());
  ns_ = *ns;
  co_return Result<>();
}

std::string Workload::random_key(std::size_t writer) {
  static constexpr std::string_view shapes[] = {"plaintext-key-{}-{}", "plaintext-dir/{}/{}",
                                                "{}/a/plaintext-{}", "{}//{}",
                                                "plaintext-dir/{}/deep/er/{}/"};
  const std::uint64_t number = rng_.below(20);
  return fmt::format(fmt::runtime(shapes[number % std::size(shapes)]), writer, number);
}

Bytes Workload::random_size() {
  static constexpr Bytes sizes[] = {0, 100, 600, 5000, 17000, 70000, 300000};
  return sizes[rng_.below(std::size(sizes))];
}

void Workload::settle(const std::string& key, Content content, bool answered) {
  Memory& memory = memory_[key];
  if (answered) {
    memory = {content, {}};
    ++acknowledged_;
  } else {
    memory.unanswered.push_back(content);
  }
}

Task<Result<>> Workload::put(std::string key) {
  const std::uint64_t content = next_content_++;
  const Bytes size = sizes_[content] = random_size();
  TextSource source(content_bytes(content, size), properties());
  auto done = co_await node_.files().objects().put(ns_.id, key, source, {});
  settle(key, content, done.has_value());
  if (!done) co_return fail(std::move(done).error());
  co_return Result<>();
}

Task<Result<>> Workload::put_in_parts(std::string key) {
  const std::uint64_t content = next_content_++;
  const Bytes size = sizes_[content] = fs::Uploads::part_size_min + random_size();
  const std::string text = content_bytes(content, size);
  auto upload = co_await node_.files().uploads().create(ns_.id, key, {});
  if (!upload) co_return fail(std::move(upload).error());
  std::vector<fs::CompletePart> parts;
  for (const auto& [at, length] : {std::pair<Bytes, Bytes>(0, fs::Uploads::part_size_min),
                                   std::pair<Bytes, Bytes>(fs::Uploads::part_size_min, text.size())}) {
    if (at == text.size()) break;
    TextSource source(text.substr(at, length), properties());
    const auto number = static_cast<std::uint32_t>(parts.size() + 1);
    auto part = co_await node_.files().uploads().put_part(ns_.id, key, *upload, number, source);
    if (!part) co_return fail(std::move(part).error());
    parts.push_back({number, part->properties.etag});
  }
  auto done = co_await node_.files().uploads().complete(
      {.ns = ns_.id, .key = key, .upload = *upload, .parts = parts, .etag = "etag-2"});
  settle(key, content, done.has_value());
  if (!done) co_return fail(std::move(done).error());
  co_return Result<>();
}

Task<Result<>> Workload::copy(std::string from, std::string to) {
  const Memory& source = memory_[from];
  if (!source.acknowledged || !source.unanswered.empty() || from == to) co_return Result<>();
  const Content content = source.acknowledged;
  auto done = co_await node_.files().objects().copy({.from = ns_.id,
                                                     .from_key = from,
                                                     .to = ns_.id,
                                                     .to_key = to,
                                                     .replace = {},
                                                     .source_etag = {},
                                                     .condition = {}});
  settle(to, content, done.has_value());
  if (!done) co_return fail(std::move(done).error());
  co_return Result<>();
}

Task<Result<>> Workload::remove(std::string key) {
  auto done = co_await node_.files().objects().remove(ns_.id, key, {});
  settle(key, std::nullopt, done.has_value());
  co_return done;
}

Task<> Workload::write(Scope& scope, std::size_t writer) {
  while (!scope.stopping()) {
    const std::string key = random_key(writer);
    Result<> done;
    switch (rng_.below(8)) {
      case 0:
      case 1:
        done = co_await remove(key);
        break;
      case 2:
        done = co_await copy(random_key(writer), key);
        break;
      case 3:
        if (rng_.below(4) == 0) {
          done = co_await put_in_parts(key);
          break;
        }
        [[fallthrough]];
      default:
        done = co_await put(key);
    }
    if (!done && class_of(done.error().code()) != ErrorClass::retriable) co_return;
    if (!done && !co_await scope.sleep(node_.clock(), std::chrono::milliseconds(1))) co_return;
  }
}

Task<std::string> Workload::check_key(std::string key, Memory& memory) {
  auto object = co_await node_.files().objects().open(ns_.id, key);
  Content found;
  if (object) {
    auto text = co_await read_all(**object);
    if (!text) co_return fmt::format("{}: {}", key, text.error().to_string());
    std::vector<Content> candidates = memory.unanswered;
    candidates.push_back(memory.acknowledged);
    for (const Content& one : candidates) {
      if (one && sizes_[*one] == text->size() && content_bytes(*one, text->size()) == *text) found = one;
    }
    if (!found) co_return fmt::format("{}: {} bytes that nobody wrote there last", key, text->size());
  } else if (object.error().code() != Errc::not_found) {
    co_return fmt::format("{}: {}", key, object.error().to_string());
  }
  const bool allowed =
      found == memory.acknowledged || std::ranges::find(memory.unanswered, found) != memory.unanswered.end();
  if (!allowed)
    co_return fmt::format("{}: an acknowledged {} is lost", key, memory.acknowledged ? "put" : "removal");
  memory = {found, {}};
  co_return std::string();
}

Task<Result<std::set<std::string>>> Workload::list_all() {
  std::set<std::string> names;
  std::string after;
  while (true) {
    auto page = co_await node_.files().objects().list(
        ns_.id, {.prefix = {}, .by_directory = false, .after = after, .limit = 7});
    if (!page) co_return fail(std::move(page).error());
    for (const auto& item : page->items) {
      if (item.name <= after) co_return fail(Errc::corrupted, "the listing is out of order");
      after = item.name;
      names.insert(item.name);
    }
    if (!page->truncated) co_return names;
  }
}

Task<Result<>> Workload::remove_all() {
  auto names = co_await list_all();
  if (!names) co_return fail(std::move(names).error());
  for (const auto& name : *names) KISEKI_CO_TRY(co_await node_.files().objects().remove(ns_.id, name, {}));
  co_return co_await node_.files().namespaces().remove(node_.tenant(), std::string(bucket_name));
}

Task<std::string> Workload::check() {
  for (auto& [key, memory] : memory_) {
    std::string words = co_await check_key(key, memory);
    if (!words.empty()) co_return words;
  }
  auto names = co_await list_all();
  if (!names) co_return "list: " + names.error().to_string();
  std::set<std::string> expected;
  for (const auto& [key, memory] : memory_) {
    if (memory.acknowledged) expected.insert(key);
  }
  if (*names != expected)
    co_return fmt::format("the listing has {} names of {}", names->size(), expected.size());
  co_return std::string();
}

}  // namespace kiseki::sim
