#include "fs/tree/walk.h"

#include <algorithm>

#include "base/planted.h"

namespace kiseki::fs::detail {

Task<Result<LeafAnswer>> read_leaf_rows(TreeCore& core, Directory directory, LeafId leaf, LeafQuery query) {
  const auto address = directory.leaf(leaf);
  shard::ReadRequest request;
  if (query.guarded) request.gets.push_back({.key = guard_key(address)});
  if (query.entry) {
    request.gets.push_back({.key = entry_key(address, *query.entry), .with_body = query.with_body});
  }
  for (const auto& row : query.beside) request.gets.push_back({.key = row});
  constexpr auto rows_max = static_cast<std::uint32_t>(4 * shard::leaf_entries_max);
  if (query.whole) request.scans.push_back({.leaf = address, .from = {}, .rows_max = rows_max});
  if (query.counted) request.counters.push_back(address);
  auto reply = co_await core.client().read(std::move(request));
  if (!reply) co_return fail(std::move(reply).error());
  core.namespaces.note(directory.ns->id, reply->configuration);

  LeafAnswer answer{
      .leaf = leaf, .guard = {}, .entry = {}, .body = {}, .rows = {}, .counters = {}, .beside = {}};
  if (query.counted) answer.counters = reply->counters.front();
  std::size_t next = 0;
  if (query.guarded) {
    if (const auto& record = reply->gets[next++].record) {
      auto guard = directory.state->open_guard(*directory.ns, address, *record);
      if (!guard) co_return fail(std::move(guard).error());
      answer.guard = std::move(*guard);
    }
  }
  if (query.entry) {
    answer.entry = std::move(reply->gets[next].record);
    answer.body = std::move(reply->gets[next++].body);
  }
  for (; next < reply->gets.size(); ++next) answer.beside.push_back(std::move(reply->gets[next].record));
  if (query.whole) {
    if (reply->scans[0].more) co_return fail(Errc::too_large, "a leaf of a directory overflowed");
    answer.rows = std::move(reply->scans[0].rows);
  }
  if (query.guarded && !answer.guard && leaf.is_none()) co_return fail(Errc::stale, "the directory has gone");
  co_return answer;
}

Result<std::vector<Listed>> open_entries(const NamespaceContext& ns, std::vector<shard::Row> rows) {
  std::vector<Listed> opened;
  opened.reserve(rows.size());
  for (auto& row : rows) {
    auto bytes = unseal(*ns.keys, row.key, row.record);
    if (!bytes) return fail(bytes.error());
    auto value = decode_entry(*std::move(bytes));
    if (!value) return fail(std::move(value).error());
    const auto type = row.record.type == shard::EntryType::directory ? NameType::directory : NameType::object;
    opened.push_back({.name = std::move(value->name),
                      .type = type,
                      .key = std::move(row.key),
                      .record = std::move(row.record),
                      .value = std::move(value->rest)});
  }
  std::vector<const Listed*> order;
  order.reserve(opened.size());
  for (const auto& entry : opened) order.push_back(&entry);
  std::ranges::sort(order, [](const Listed* a, const Listed* b) {
    return sorts_before(a->name, a->type, b->name, b->type);
  });
  std::vector<Listed> entries;
  entries.reserve(opened.size());
  for (const Listed* entry : order)
    entries.push_back(std::move(opened[static_cast<std::size_t>(entry - opened.data())]));
  return entries;
}

Task<Result<LeafAnswer>> Walk::cover(std::string sort, LeafQuery query) {
  LeafId leaf = directory_.state->route(sort);
  for (int hop = 0; hop < hops_max; ++hop) {
    auto answer = co_await read_leaf_rows(core_, directory_, leaf, query);
    if (!answer) co_return fail(std::move(answer).error());
    const bool trusted = answer->guard && KISEKI_PLANTED("2.2 a miss is trusted without its fences");
    if (answer->entry || trusted || (answer->guard && answer->guard->covers(sort))) {
      mend();
      co_return answer;
    }
    if (!query.guarded) {
      query.guarded = true;  // the same leaf again, to know whether it covers the name
      continue;
    }
    Result<LeafId> next = LeafId{};
    if (!answer->guard) {
      next = co_await leave_dead(leaf);
    } else if (sort < answer->guard->low) {
      directory_.state->forget(leaf);  // the hint was of another time
    } else {
      next = co_await step_right(*answer->guard, sort);
    }
    if (!next) co_return fail(std::move(next).error());
    leaf = *next;
  }
  co_return fail(Errc::busy, "a directory's leaves keep moving");
}

Task<Result<LeafId>> Walk::step_right(const Guard& guard, std::string sort) {
  directory_.state->learn(*guard.high, guard.right);
  const bool first_leaf = guard.low.empty();
  if (!index_asked_ && (hopped_ || first_leaf)) {
    index_asked_ = true;
    const auto found = co_await index_.floor(directory_, std::move(sort));
    if (!found) co_return fail(found.error());
    if (*found && (*found)->separator >= *guard.high) co_return (*found)->leaf;
  }
  hopped_ = true;
  if (index_asked_) {
    changes_.push_back({DirectoryIndex::Change::Type::add, {.separator = *guard.high, .leaf = guard.right}});
  }
  co_return guard.right;
}

Task<Result<LeafId>> Walk::leave_dead(LeafId leaf) {
  for (auto& separator : directory_.state->forget(leaf)) {
    changes_.push_back({DirectoryIndex::Change::Type::remove, {.separator = separator, .leaf = leaf}});
  }
  const auto key = tombstone_key(directory_.leaf(leaf));
  const auto reply = co_await core_.read({key});
  if (!reply) co_return fail(reply.error());
  const auto& record = reply->gets[0].record;
  if (!record) co_return LeafId{};
  const auto tombstone = open_tombstone(*directory_.ns, key.leaf, *record);
  if (!tombstone) co_return fail(tombstone.error());
  co_return tombstone->left;
}

Task<Result<LeafAnswer>> Walk::left_of(LeafId leaf, std::string low) {
  const auto known = co_await index_.below(directory_, low);
  if (!known) co_return fail(known.error());
  LeafId candidate = *known ? (*known)->leaf : LeafId{};
  for (int hop = 0; hop < hops_max; ++hop) {
    auto answer = co_await read_leaf_rows(core_, directory_, candidate, {});
    if (!answer) co_return fail(std::move(answer).error());
    if (!answer->guard) {
      const auto next = co_await leave_dead(candidate);
      if (!next) co_return fail(next.error());
      candidate = *next;
      continue;
    }
    if (answer->guard->right == leaf) co_return answer;
    const bool beyond = answer->guard->low >= low || !answer->guard->high;
    if (beyond && candidate.is_none()) co_return fail(Errc::stale, "no left neighbour");
    candidate = beyond ? LeafId{} : answer->guard->right;
  }
  co_return fail(Errc::busy, "a directory's leaves keep moving");
}

void Walk::mend() {
  if (!changes_.empty()) index_.mend(directory_, std::move(changes_));
  changes_.clear();
}

}  // namespace kiseki::fs::detail
