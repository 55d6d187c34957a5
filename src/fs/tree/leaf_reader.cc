#include "fs/tree/leaf_reader.h"

#include "base/planted.h"

namespace kiseki::fs::detail {

Task<Result<LeafAnswer>> LeafReader::read_whole(Directory directory, std::string from) {
  auto answer =
      co_await Walk(core_, directory).cover(std::move(from), {.entry = {}, .whole = true, .counted = true});
  if (!answer && answer.error().code() == Errc::stale) {
    co_return fail(Errc::not_found, "the directory has gone");
  }
  if (answer && answer->guard->frozen && !core_.background.stopping()) {
    core_.background.spawn(finish_split(directory, answer->leaf));
  }
  co_return answer;
}

Result<ListedLeaf> LeafReader::opened(const Directory& directory, LeafAnswer answer) {
  auto entries = open_entries(*directory.ns, std::move(answer.rows));
  if (!entries) return fail(std::move(entries).error());
  return ListedLeaf{.entries = std::move(*entries), .high = std::move(answer.guard->high)};
}

Task<Result<ListedLeaf>> LeafReader::read_leaf(Directory directory, std::string from) {
  auto answer = co_await read_whole(directory, std::move(from));
  if (!answer) co_return fail(std::move(answer).error());
  co_return opened(directory, std::move(*answer));
}

Task<Result<ListedLeafPtr>> LeafReader::look_at(Directory directory, std::string from) {
  const LeafId hint = directory.state->route(from);
  if (const auto* found = core_.leaves.find({directory.ns->id, directory.id, hint})) {
    const KnownLeaf known = *found;
    const auto now = co_await read_leaf_rows(core_, directory, hint, {.entry = {}, .counted = true});
    const bool same = now && now->guard && now->guard->covers(from) && !now->guard->frozen &&
                      now->guard->generation == known.generation && now->counters.change == known.change;
    if (same) co_return known.leaf;
  }
  auto answer = co_await read_whole(directory, std::move(from));
  if (!answer) co_return fail(std::move(answer).error());
  KnownLeaf known{answer->guard->generation, answer->counters.change, nullptr};
  const TreeCore::LeafKey key{directory.ns->id, directory.id, answer->leaf};
  auto leaf = opened(directory, std::move(*answer));
  if (!leaf) co_return fail(std::move(leaf).error());
  known.leaf = std::make_shared<const ListedLeaf>(std::move(*leaf));
  core_.leaves.put(key, known);
  co_return known.leaf;
}

Task<> LeafReader::finish_split(Directory directory, LeafId leaf) {
  (void)co_await splitter_.settle(std::move(directory), leaf);
}

Task<Result<std::vector<bool>>> LeafReader::visible(NamespacePtr ns, std::vector<InodeId> directories) {
  std::vector<shard::LeafAddress> leaves;
  for (const auto id : directories) leaves.push_back({ns->id, id, LeafId{}});
  const auto counters = co_await core_.client().counters(std::move(leaves));
  if (!counters) co_return fail(counters.error());
  std::vector<bool> answers;
  for (std::size_t i = 0; i < directories.size(); ++i) {
    const auto& found = (*counters)[i];
    if (found.entries > found.subdirectories) {
      answers.push_back(true);
      continue;
    }
    const auto holds = co_await holds_objects(ns, directories[i]);
    if (!holds) co_return fail(holds.error());
    answers.push_back(*holds || KISEKI_PLANTED("2.8 a list shows an empty prefix"));
  }
  co_return answers;
}

Task<Result<bool>> LeafReader::holds_objects(NamespacePtr ns, InodeId id) {
  const auto directory = co_await tree_.open(ns, id);
  if (!directory && directory.error().code() == Errc::not_found) co_return false;
  if (!directory) co_return fail(directory.error());
  const auto kept = co_await is_explicit(ns, id);
  if (!kept) co_return fail(kept.error());
  if (*kept) co_return true;
  std::optional<std::string> from = std::string();
  while (from) {
    const auto leaf = co_await tree_.read_leaf(*directory, *from);
    if (!leaf && leaf.error().code() == Errc::not_found) co_return false;
    if (!leaf) co_return fail(leaf.error());
    const auto shows = co_await any_shows(ns, *leaf);
    if (!shows) co_return fail(shows.error());
    if (*shows) co_return true;
    from = leaf->high;
  }
  co_return false;
}

Task<Result<bool>> LeafReader::any_shows(NamespacePtr ns, const ListedLeaf& leaf) {
  std::vector<shard::LeafAddress> leaves;
  for (const auto& entry : leaf.entries) {
    if (entry.type != NameType::directory) co_return true;
    leaves.push_back({ns->id, entry.record.id, LeafId{}});
  }
  const auto counters = co_await core_.client().counters(std::move(leaves));
  if (!counters) co_return fail(counters.error());
  for (const auto& found : *counters) {
    if (found.entries > found.subdirectories) co_return true;
  }
  for (const auto& entry : leaf.entries) {
    const auto holds = co_await holds_objects(ns, entry.record.id);
    if (!holds) co_return fail(holds.error());
    if (*holds) co_return true;
  }
  co_return false;
}

Task<Result<bool>> LeafReader::is_explicit(NamespacePtr ns, InodeId directory) {
  const auto reply = co_await core_.read({header_key(ns->id, directory)});
  if (!reply) co_return fail(reply.error());
  const auto& record = reply->gets[0].record;
  co_return record && record->link && record->link->is_explicit;
}

}  // namespace kiseki::fs::detail
