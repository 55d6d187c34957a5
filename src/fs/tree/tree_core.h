#pragma once

#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <unordered_map>

#include "fs/names/least_recent.h"
#include "fs/tree/directory_rows.h"
#include "fs/tree/leaf_tally.h"
#include "fs/tree/tree.h"

// What the parts of a `Tree` share: services, caches, the work in the background.

namespace kiseki::fs::detail {

/// Memory of the hints that the directories of a core remember together.
struct HintMemory {
  static constexpr Bytes max = 16_MiB;
  Bytes now = 0;
};

/// What is remembered of one directory.
struct DirectoryState {
  /// How many creates a leaf takes before its counters are looked at.
  struct Allowance {
    std::uint64_t creates = 0;
    Bytes bytes = 0;
  };

  /// `memory`: of the core, and of every state, which operations hold longer than the cache.
  DirectoryState(crypto::Key256 key, std::shared_ptr<HintMemory> memory)
      : name_key(std::move(key)), memory_(std::move(memory)) {}
  DirectoryState(const DirectoryState&) = delete;
  DirectoryState& operator=(const DirectoryState&) = delete;
  ~DirectoryState() { memory_->now -= used_; }

  /// The leaf that the hints say covers `sort`.
  LeafId route(std::string_view sort) const;
  /// The leaf of `low` and those that the hints say follow it, as far as they begin before `until`.
  std::vector<LeafId> routes_between(std::string_view low, const std::optional<std::string>& until,
                                     std::size_t leaves_max) const;
  void learn(std::string low, LeafId leaf);
  /// The separators that led to a leaf that is not there.
  std::vector<std::string> forget(LeafId leaf);
  /// As it was opened last; null: it is not remembered.
  const Guard* guard(LeafId leaf) const;
  /// Opens a guard, unless this version of it was opened before.
  Result<Guard> open_guard(const NamespaceContext& ns, const shard::LeafAddress& leaf,
                           const shard::Record& record);

  /// None when the counters of the leaf were not looked at, or that is forgotten.
  Allowance* allowance(LeafId leaf);
  void allow(LeafId leaf, Allowance allowance);
  void forget_allowance(LeafId leaf);

  crypto::Key256 name_key;
  LeafTally tally;
  Stamp header;  ///< Version of the header that says the next two; none: it was not opened yet.
  InodeId parent;
  std::string name;
  std::uint32_t reads_first = 0;  ///< So many creates do not guess that nothing is there.
  bool mending = false;           ///< One at a time brings the index up to date.

 private:
  /// Memory for one hint more; forgets those of this directory when there is none. False: there still is
  /// none.
  bool take(Bytes bytes);
  void give_back(Bytes bytes);
  void forget_guard(LeafId leaf);

  std::shared_ptr<HintMemory> memory_;
  Bytes used_ = 0;
  std::map<std::string, LeafId, std::less<>> routes_;  // low fence, leaf; the first leaf is not among them
  std::unordered_map<LeafId, Allowance> allowances_;
  std::unordered_map<LeafId, Guard> guards_;  // as opened
};

/// A leaf as it was read, and what tells whether it is still so.
struct KnownLeaf {
  Stamp generation;
  std::uint64_t change = 0;
  ListedLeafPtr leaf;
};

struct TreeCore {
  /// Leaves that are kept for lists: one has at most `leaf_bytes_max`.
  static constexpr std::size_t leaves_max = 8;
  using LeafKey = std::tuple<NamespaceId, InodeId, LeafId>;
  using NameKey = std::tuple<NamespaceId, InodeId, std::string>;
  using DirectoryKey = std::pair<NamespaceId, InodeId>;

  TreeCore(Services given, TreeLimits given_limits);

  shard::Transaction begin(const NamespacePtr& ns) const;
  shard::Client& client() const { return *services.client; }
  Rng& rng() const { return *services.rng; }
  /// A random leaf id that is not the first.
  LeafId new_leaf() const;
  /// Rows of one key each, by linearizable reads.
  Task<Result<shard::ReadReply>> read(std::vector<shard::Key> rows);
  /// `stale` unless the headers of the children, as read, say the same as `path`.
  Result<> confirm(const NamespaceContext& ns, const std::vector<Step>& path,
                   const std::vector<std::optional<shard::Record>>& headers);

  Services services;
  TreeLimits limits;
  NamespaceCache namespaces;
  std::shared_ptr<HintMemory> hints = std::make_shared<HintMemory>();  ///< As `DirectoryState` says.
  IdLeases id_leases;
  LeastRecent<DirectoryKey, std::shared_ptr<DirectoryState>> directories;
  LeastRecent<NameKey, InodeId> names;
  LeastRecent<LeafKey, KnownLeaf> leaves{leaves_max};
  Scope background;
};

}  // namespace kiseki::fs::detail
