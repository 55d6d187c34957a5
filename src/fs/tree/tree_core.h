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

/// How many hints the directories of a core remember together.
struct HintCount {
  static constexpr std::size_t max = 131'072;
  std::size_t now = 0;
};

/// What is remembered of one directory.
struct DirectoryState {
  static constexpr std::size_t routes_max = 65536;
  static constexpr std::size_t guards_max = 1024;
  /// How many creates a leaf takes before its counters are looked at.
  struct Allowance {
    std::uint64_t creates = 0;
    Bytes bytes = 0;
  };

  /// `count`: of the core, and of every state, which operations hold longer than the cache.
  DirectoryState(crypto::Key256 key, std::shared_ptr<HintCount> count)
      : name_key(std::move(key)), count_(std::move(count)) {}
  DirectoryState(const DirectoryState&) = delete;
  DirectoryState& operator=(const DirectoryState&) = delete;
  ~DirectoryState() { count_->now -= counted_; }

  /// The leaf that the hints say covers `sort`.
  LeafId route(std::string_view sort) const;
  /// The leaf of `low` and those that the hints say follow it, as far as they begin before `until`.
  std::vector<LeafId> routes_between(std::string_view low, const std::optional<std::string>& until,
                                     std::size_t leaves_max) const;
  void learn(std::string low, LeafId leaf);
  /// The separators that led to a leaf that is not there.
  std::vector<std::string> forget(LeafId leaf);
  /// Opens a guard, unless this version of it was opened before.
  Result<Guard> open_guard(const NamespaceContext& ns, const shard::LeafAddress& leaf,
                           const shard::Record& record);

  crypto::Key256 name_key;
  std::map<std::string, LeafId, std::less<>> routes;  // low fence, leaf; the first leaf is not among them
  std::unordered_map<LeafId, Allowance> allowances;
  std::unordered_map<LeafId, Guard> guards;  // as opened
  LeafTally tally;
  Stamp header;  ///< Version of the header that says the next two; none: it was not opened yet.
  InodeId parent;
  std::string name;
  bool mending = false;  ///< One at a time brings the index up to date.

 private:
  /// For one hint more; forgets what is known here when there is none.
  bool has_room();
  void count();

  std::shared_ptr<HintCount> count_;
  std::size_t counted_ = 0;
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
  std::shared_ptr<HintCount> hints = std::make_shared<HintCount>();  ///< As `DirectoryState` says.
  IdLeases id_leases;
  LeastRecent<DirectoryKey, std::shared_ptr<DirectoryState>> directories;
  LeastRecent<NameKey, InodeId> names;
  LeastRecent<LeafKey, KnownLeaf> leaves{leaves_max};
  Scope background;
};

}  // namespace kiseki::fs::detail
