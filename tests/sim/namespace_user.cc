#include "sim/namespace_user.h"

#include <fmt/format.h>

#include "sim/text_source.h"

namespace kiseki::sim {

namespace {

constexpr std::size_t size_max = 1500;

std::string words_of(const Result<>& result) {
  return result ? "ok" : std::string(name_of(result.error().code()));
}

/// The node is going down, or this call may have happened.
bool is_unknown(Errc code) {
  return class_of(code) == ErrorClass::retriable || code == Errc::fenced || code == Errc::io_error ||
         code == Errc::no_space;
}

}  // namespace

std::string NamespaceUser::own(std::string_view letter, std::uint64_t among) {
  return fmt::format("{}{}-{}", letter, rng_.below(among), number_);
}

/// Where it may make something: the root, a directory of its own, or a shared one that it knows to be there.
std::string NamespaceUser::draw_parent() {
  if (rng_.below(2) == 0) {
    std::string shared;
    for (auto depth = rng_.below(3); depth > 0; --depth) shared += fmt::format("{}/", rng_.below(3));
    return shared;
  }
  const auto& directories = model_.directories();
  if (directories.empty()) return {};
  const auto at = static_cast<std::ptrdiff_t>(rng_.below(directories.size()));
  return *std::next(directories.begin(), at) + "/";
}

std::string NamespaceUser::draw_name() { return draw_parent() + own("", 25); }

std::string NamespaceUser::draw_directory() {
  std::string parent = draw_parent();
  const bool is_there = parent.empty() || model_.has_directory(parent.substr(0, parent.size() - 1));
  return (is_there ? parent : std::string()) + own("d", 4);
}

Task<Result<>> NamespaceUser::put(fs::FileSystem& files, fs::Namespace ns, std::string key) {
  const std::string etag = fmt::format("{:x}", rng_.next());
  TextSource source(std::string(rng_.below(size_max), 'x'),
                    {.etag = etag, .headers = {}, .metadata = {}, .checksums = {}});
  model_.put(key, etag);
  const auto done = co_await files.objects().put(ns.id, std::move(key), source, {});
  if (!done) co_return fail(done.error());
  co_return Result<>();
}

Task<Result<>> NamespaceUser::rename(fs::FileSystem& files, fs::Namespace ns, std::string from,
                                     std::string to) {
  // Whether a directory that others share is there only they know together.
  const auto slash = to.rfind('/');
  if (slash != to.npos && !model_.has_directory(to.substr(0, slash))) to.erase(0, slash + 1);
  did_ = fmt::format("rename {} {}", from, to);
  expected_ = model_.rename(from, to);
  co_return co_await files.directories().rename(ns.id, std::move(from), std::move(to));
}

Task<NamespaceUser::Outcome> NamespaceUser::act(fs::FileSystem& files, fs::Namespace ns, bool shrinks) {
  before_ = model_;
  expected_ = {};
  const auto choice = rng_.below(20);
  std::string name = draw_name();
  Result<> answer;
  if (choice < (shrinks ? 3U : 9U)) {
    did_ = "put " + name;
    answer = co_await put(files, ns, std::move(name));
  } else if (choice < 13) {
    const auto next = model_.objects().lower_bound(name);
    if (next != model_.objects().end()) name = next->first;
    did_ = "remove " + name;
    model_.remove(name);
    answer = co_await files.objects().remove(ns.id, std::move(name), {});
  } else if (choice < 15) {
    std::string path = draw_directory();
    did_ = "mkdir " + path;
    expected_ = model_.make_directory(path);
    answer = co_await files.directories().make(ns.id, std::move(path));
  } else if (choice < 16) {
    std::string path = draw_directory();
    did_ = "rmdir " + path;
    expected_ = model_.remove_directory(path);
    answer = co_await files.directories().remove(ns.id, std::move(path));
  } else if (choice < 18) {
    answer = co_await rename(files, ns, draw_directory(), draw_directory());
  } else if (model_.objects().empty()) {
    co_return Outcome{};
  } else {
    const auto next = model_.objects().lower_bound(name);
    std::string from = next == model_.objects().end() ? model_.objects().begin()->first : next->first;
    answer = co_await rename(files, ns, std::move(from), draw_name());
  }
  if (!answer && !expected_ && answer.error().code() == expected_.error().code()) answer = expected_ = {};
  if (!answer && is_unknown(answer.error().code())) co_return Outcome{.stopped = true, .words = {}};
  before_ = model_;
  ++done_;
  const std::string found = words_of(answer), wanted = words_of(expected_);
  if (found == wanted) co_return Outcome{};
  co_return Outcome{.stopped = true, .words = fmt::format("{}: answered {} for {}", did_, found, wanted)};
}

Task<Result<fs::PlainTree>> NamespaceUser::observe(fs::FileSystem& files, fs::Namespace ns) {
  const std::string mark = fmt::format("-{}", number_);
  fs::PlainTree::Contents objects;
  fs::ListRequest request;
  request.limit = 20;
  while (true) {
    const auto page = co_await files.objects().list(ns.id, request);
    if (!page) co_return fail(page.error());
    for (const auto& item : page->items) {
      if (item.name <= request.after) co_return fail(Errc::corrupted, "the list is out of order");
      request.after = item.name;
      if (item.name.ends_with(mark)) objects[item.name] = item.attributes.properties.etag;
    }
    if (!page->truncated) break;
  }
  std::set<std::string> candidates = model_.directories(), directories;
  candidates.insert(before_.directories().begin(), before_.directories().end());
  for (const auto& path : candidates) {
    const auto found = co_await files.directories().stat(ns.id, path);
    if (found && found->is_explicit) directories.insert(path);
    const bool absent =
        !found && (found.error().code() == Errc::not_found || found.error().code() == Errc::not_directory);
    if (!found && !absent) co_return fail(found.error());
  }
  co_return fs::PlainTree(std::move(objects), std::move(directories));
}

Task<std::string> NamespaceUser::check(fs::FileSystem& files, fs::Namespace ns) {
  auto seen = co_await observe(files, ns);
  if (!seen && is_unknown(seen.error().code())) co_return std::string();
  if (!seen) co_return fmt::format("user {}: {}", number_, seen.error().to_string());
  const bool fits = *seen == model_ || *seen == before_;
  if (!fits) {
    co_return fmt::format("user {}: {} objects of {}, {} directories of {}, after {}", number_,
                          seen->objects().size(), model_.objects().size(), seen->directories().size(),
                          model_.directories().size(), did_);
  }
  model_ = before_ = std::move(*seen);
  co_return std::string();
}

}  // namespace kiseki::sim
