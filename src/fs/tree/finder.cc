#include "fs/tree/finder.h"

namespace kiseki::fs::detail {

namespace {

Error stale() { return Error(Errc::stale, "a directory has gone"); }
Error as_stale(Error error) { return error.code() == Errc::not_found ? stale() : error; }

}  // namespace

Task<Result<EntrySlot>> Finder::find(NamespaceId ns, std::string key, Purpose purpose) {
  const Path path = split_key(key);
  Attempts attempts;
  while (true) {
    const std::uint64_t news = core_.namespaces.news();
    auto slot = co_await try_find(ns, path, purpose);
    const bool reconfigured = slot && core_.namespaces.news() != news;
    if (!reconfigured && (slot || slot.error().code() != Errc::stale)) co_return slot;
    if (!reconfigured) forget(ns, path.directories);
    KISEKI_CO_TRY(co_await attempts.next(*core_.services.clock, core_.rng()));
  }
}

Task<Result<Directory>> Finder::find_directory(NamespaceId ns, std::vector<std::string> path) {
  Attempts attempts;
  while (true) {
    auto context = co_await core_.namespaces.get(ns);
    if (!context) co_return fail(std::move(context).error());
    auto descent = co_await descend(*context, path, Purpose::read);
    if (descent && descent->missing) co_return fail(Errc::not_found, "no such directory");
    const auto confirmed =
        descent ? co_await confirm_all(*context, std::move(descent->remembered)) : fail(descent.error());
    if (confirmed) co_return std::move(descent->last);
    if (confirmed.error().code() != Errc::stale) co_return fail(confirmed.error());
    forget(ns, path);
    KISEKI_CO_TRY(co_await attempts.next(*core_.services.clock, core_.rng()));
  }
}

Task<Result<EntrySlot>> Finder::try_find(NamespaceId ns, const Path& path, Purpose purpose) {
  auto context = co_await core_.namespaces.get(ns);
  if (!context) co_return fail(std::move(context).error());
  // What a guess may find missing is the object, never a directory.
  const auto on_the_way = purpose == Purpose::create ? Purpose::write : purpose;
  auto descent = co_await descend(std::move(*context), path.directories, on_the_way);
  if (!descent) co_return fail(std::move(descent).error());
  if (descent->missing) co_return co_await plan(std::move(*descent), path, on_the_way);
  const bool at_root = descent->depth == 0;
  auto slot = co_await tree_.locate(std::move(descent->last), path.name, NameType::object, purpose,
                                    std::move(descent->remembered));
  if (!slot && !at_root) co_return fail(as_stale(std::move(slot).error()));
  co_return slot;
}

Task<Result<Finder::Descent>> Finder::descend(NamespacePtr ns, const std::vector<std::string>& names,
                                              Purpose purpose) {
  auto root = co_await tree_.open(ns, root_directory);
  if (!root) co_return fail(std::move(root).error());
  Descent descent{.last = std::move(*root), .missing = {}, .depth = 0, .remembered = {}};
  for (const auto& name : names) {
    const TreeCore::NameKey key{ns->id, descent.last.id, name};
    const auto* known = core_.names.find(key);
    InodeId child = known != nullptr ? *known : InodeId{};
    if (known != nullptr) {
      descent.remembered.push_back({descent.last.id, name, child});
    } else {
      auto slot = co_await tree_.locate(descent.last, name, NameType::directory, purpose,
                                        std::exchange(descent.remembered, {}));
      if (!slot && descent.depth == 0) co_return fail(std::move(slot).error());
      if (!slot) co_return fail(as_stale(std::move(slot).error()));
      if (!slot->record) {
        descent.missing = std::move(*slot);
        break;
      }
      child = slot->record->id;
    }
    auto directory = co_await tree_.open(ns, child);
    if (!directory) co_return fail(as_stale(std::move(directory).error()));
    core_.names.put(key, child);
    descent.last = std::move(*directory);
    ++descent.depth;
  }
  co_return descent;
}

Task<Result<>> Finder::confirm_all(NamespacePtr ns, std::vector<Step> path) {
  if (path.empty()) co_return Result<>{};
  std::vector<shard::Key> rows;
  for (const auto& step : path) rows.push_back(header_key(ns->id, step.child));
  auto reply = co_await core_.read(std::move(rows));
  if (!reply) co_return fail(std::move(reply).error());
  std::vector<std::optional<shard::Record>> headers;
  for (auto& got : reply->gets) headers.push_back(std::move(got.record));
  co_return core_.confirm(*ns, path, headers);
}

Task<Result<EntrySlot>> Finder::plan(Descent descent, const Path& path, Purpose purpose) {
  const bool is_written = purpose == Purpose::write || purpose == Purpose::write_linked;
  if (!is_written) {
    EntrySlot nowhere;
    nowhere.name = path.name;
    co_return nowhere;
  }
  const auto next = path.directories.begin() + static_cast<std::ptrdiff_t>(descent.depth) + 1;
  auto planned =
      co_await chains_.plan(std::move(*descent.missing), {next, path.directories.end()}, Creation::implied);
  if (!planned) co_return fail(std::move(planned).error());
  const auto chain = std::make_shared<const Chain>(std::move(*planned));
  if (purpose == Purpose::write_linked) {
    const auto made = co_await chains_.make_empty(chain);
    if (!made) co_return fail(made.error());
    if (made->refusal == shard::Refusal::configuration || made->refusal == shard::Refusal::deleted) {
      core_.namespaces.forget(chain->link.directory.ns->id);
    }
    co_return fail(stale());  // now, or by another, it is there: from the top
  }
  EntrySlot slot;
  slot.directory = chain->made.back();
  slot.name = path.name;
  const auto token = token_of(slot.directory.state->name_key, slot.name, slot.type);
  slot.key = entry_key(slot.directory.leaf(LeafId{}), token);
  slot.chain = chain;
  co_return slot;
}

void Finder::forget(NamespaceId ns, const std::vector<std::string>& names) {
  InodeId parent = root_directory;
  for (const auto& name : names) {
    const auto* known = core_.names.find({ns, parent, name});
    if (known == nullptr) return;
    const InodeId child = *known;
    core_.names.erase({ns, parent, name});
    core_.directories.erase({ns, child});
    parent = child;
  }
}

}  // namespace kiseki::fs::detail
