#include "sim/cluster_checks.h"

#include <algorithm>
#include <fmt/format.h>

#include "base/codec.h"
#include "shard/detail/families.h"
#include "shard/detail/node_row.h"
#include "shard/detail/row_codec.h"
#include "shard/detail/shard_map.h"
#include "shard/detail/state_rows.h"

namespace kiseki::sim {

namespace {

using namespace shard::detail;
using shard::Key;
using shard::Kind;

using Content = std::vector<std::map<std::string, std::string>>;

StateType state_type(View key) {
  Decoder in(key);
  std::ignore = in.id<ShardId>();
  return static_cast<StateType>(in.integer<std::uint8_t>());
}

/// What a replica keeps for itself alone.
bool is_own(kv::Family family, View key) {
  if (family != family_state) return false;
  if (as_text(key) == NodeRow::key()) return true;
  switch (state_type(key)) {
    case StateType::rebuilt:
    case StateType::staged:
    case StateType::install:
    case StateType::removed:
      return true;
    default:
      return false;
  }
}

Content content_of(CrashableKv& store) {
  Content content(family_count);
  for (kv::Family family = 0; family < family_count; ++family) {
    const auto rows = store.iterate(family, {}, nullptr);
    for (rows->seek({}); rows->valid(); rows->next()) {
      if (is_own(family, rows->key())) continue;
      content[family].emplace(as_text(rows->key()), as_text(rows->value()));
    }
  }
  return content;
}

std::string hex(const std::string& bytes) {
  std::string text;
  for (const char byte : bytes) text += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  return text;
}

std::string difference(const Content& one, const Content& other) {
  for (std::size_t family = 0; family < one.size(); ++family) {
    const auto [here, there] = std::ranges::mismatch(one[family], other[family]);
    if (here == one[family].end() && there == other[family].end()) continue;
    return fmt::format("family {} at {} and {}", family, here == one[family].end() ? "end" : hex(here->first),
                       there == other[family].end() ? "end" : hex(there->first));
  }
  return {};
}

std::string unfinished(const Content& content) {
  for (const auto& [bytes, value] : content[family_rows]) {
    const auto key = Key::decode(as_view(bytes));
    if (!key || key->kind == Kind::intent) return "an intent stays for ever";
  }
  for (const auto& [bytes, value] : content[family_state]) {
    if (state_type(as_view(bytes)) == StateType::prepared) return "a prepared transaction stays for ever";
  }
  return {};
}

Result<ShardMap> map_in(CrashableKv& store) {
  const auto bytes = store.get(family_rows, as_view(shard::system_key(Kind::map, {}).encode()), nullptr);
  if (!bytes) return fail(bytes.error());
  if (!*bytes) return fail(Errc::not_found, "no map");
  const auto record = shard::Record::decode(as_view(**bytes));
  if (!record) return fail(record.error());
  return ShardMap::decode(*record);
}

std::string contradiction_of_ranges(const ClusterNode::Statuses& statuses, const ShardMap& map) {
  auto shards = statuses;
  std::ranges::sort(shards, {}, &shard::Node::ShardStatus::first);
  std::uint32_t next = 0;
  for (const auto& one : shards) {
    if (one.first != next) return fmt::format("slot {} belongs to no shard or to two", next);
    next = one.last + 1U;
    const auto* const entry = map.find(one.id);
    if (entry == nullptr || entry->range.first != one.first || entry->range.last != one.last) {
      return fmt::format("the map has other slots for shard {}", one.id.value());
    }
  }
  if (next != 65'536) return fmt::format("slot {} belongs to no shard", next);
  return map.shards.size() == shards.size() ? "" : "the map has shards that are nowhere";
}

}  // namespace

bool is_settled(SimulatedCluster& cluster, ClusterMembers& members) {
  if (!members.is_done()) return false;
  const auto leaders = cluster.leaders();
  for (const raft::NodeId id : members.wanted()) {
    ClusterNode& node = cluster.node(id);
    const auto statuses = node.statuses();
    if (statuses.size() != leaders.size()) return false;
    for (const auto& status : statuses) {
      const auto leader = leaders.find(status.id);
      if (leader == leaders.end()) return false;
      const auto& top = leader->second.second;
      if (top.applied != top.replica.last || status.applied != top.applied || status.first > status.last) {
        return false;
      }
    }
  }
  return true;
}

std::string describe(SimulatedCluster& cluster) {
  std::string words;
  for (const auto& [id, node] : cluster.nodes()) {
    words += fmt::format("\nnode {}{}", id, node->is_gone() ? " gone" : node->is_up() ? "" : " down");
    for (const auto& one : node->statuses()) {
      words += fmt::format("; shard {} [{}, {}] applied {} of {} term {}{} voters", one.id.value(), one.first,
                           one.last, one.applied, one.replica.last, one.replica.term,
                           one.leader() ? " leads" : "");
      for (const raft::NodeId voter : one.replica.conf.voters) words += fmt::format(" {}", voter);
      if (!one.replica.conf.learners.empty()) words += " learners";
      for (const raft::NodeId learner : one.replica.conf.learners) words += fmt::format(" {}", learner);
      if (!one.replica.conf.voters_outgoing.empty()) words += " joint";
    }
  }
  return words;
}

std::string contradiction(SimulatedCluster& cluster, const std::set<raft::NodeId>& wanted) {
  const raft::NodeId first = *wanted.begin();
  const Content content = content_of(cluster.node(first).store());
  if (auto words = unfinished(content); !words.empty()) return words;
  const auto map = map_in(cluster.node(first).store());
  if (!map) return "the map: " + map.error().to_string();
  for (const raft::NodeId id : wanted) {
    ClusterNode& node = cluster.node(id);
    if (auto words = contradiction_of_ranges(node.statuses(), *map); !words.empty()) {
      return fmt::format("node {}: {}", id, words);
    }
    if (auto words = difference(content, content_of(node.store())); !words.empty()) {
      return fmt::format("nodes {} and {} differ: {}", first, id, words);
    }
  }
  for (const auto& [id, node] : cluster.nodes()) {
    if (node->is_up() && !wanted.contains(id) && !node->statuses().empty()) {
      return fmt::format("node {} has left and keeps replicas{}", id, describe(cluster));
    }
  }
  return {};
}

}  // namespace kiseki::sim
