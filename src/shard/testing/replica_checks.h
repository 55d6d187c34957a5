#pragma once

#include <map>
#include <string>
#include <vector>

#include "shard/node.h"

namespace kiseki::shard {

/// What a node's store has of its shards, by family, without what each replica keeps for itself.
using Content = std::vector<std::map<std::string, std::string>>;
Content content_of(kv::KvStore& store);
/// Where they differ; empty: nowhere.
std::string difference(const Content& one, const Content& other);
/// Whether something is prepared that nobody ends.
std::string unfinished(const Content& content);
/// What contradicts that these shards have the key space once, as the map in the store says.
std::string contradiction_of_ranges(std::vector<Node::ShardStatus> shards, kv::KvStore& store);

}  // namespace kiseki::shard
