#pragma once

#include "fs/tree/chain.h"

namespace kiseki::fs::detail {

/// From keys to places: along cached names, which are never trusted for an answer. A directory that has gone
/// is found out by its missing guard, and then the path is read anew.
class Finder {
 public:
  Finder(TreeCore& core, ChainMaker& chains, Tree& tree) : core_(core), chains_(chains), tree_(tree) {}

  Task<Result<EntrySlot>> find(NamespaceId ns, std::string key, Purpose purpose);
  Task<Result<Directory>> find_directory(NamespaceId ns, std::vector<std::string> path);

 private:
  struct Descent {
    Directory last;                    ///< The deepest that is there.
    std::optional<EntrySlot> missing;  ///< Where the next would be linked.
    std::size_t depth = 0;             ///< How many names led to `last`.
    std::vector<Step> remembered;      ///< On the way to it, not confirmed yet.
  };

  Task<Result<EntrySlot>> try_find(NamespaceId ns, const Path& path, Purpose purpose);
  /// `stale`: what was cached is not so any more.
  Task<Result<Descent>> descend(NamespacePtr ns, const std::vector<std::string>& names, Purpose purpose);
  Task<Result<>> confirm_all(NamespacePtr ns, std::vector<Step> path);
  Task<Result<EntrySlot>> plan(Descent descent, const Path& path, Purpose purpose);
  void forget(NamespaceId ns, const std::vector<std::string>& names);

  TreeCore& core_;
  ChainMaker& chains_;
  Tree& tree_;
};

}  // namespace kiseki::fs::detail
