#pragma once

#include "fs/detail/splitter.h"

namespace kiseki::fs::detail {

/// Directories of a path that do not exist yet (PROTOCOLS 2.6). The transaction that writes the entry below
/// makes them, unlinked, with a pending row of its session; then one commit links the first.
struct Chain {
  Place link;                      ///< Where the first will be linked: absent, in a directory that is there.
  std::vector<Directory> made;     ///< From the first to the one that holds the entry.
  std::vector<std::string> names;  ///< Of `made`.
  std::vector<shard::Row> rows;    ///< Headers, guards, entries of all but the first, the pending row.
  shard::Key pending;
  shard::Record entry;  ///< What links the first.
};

/// Makes and links chains.
class ChainMaker {
 public:
  ChainMaker(TreeCore& core, Splitter& splitter, Tree& tree)
      : core_(core), splitter_(splitter), tree_(tree) {}

  /// `link`: the absent entry of the first name; `below`: the further names.
  Task<Result<Chain>> plan(Place link, std::vector<std::string> below);
  static void add(shard::Transaction& transaction, const Chain& chain);
  /// Commits `transaction`, which makes the chain, then links it. Refused as `aborted` when another has
  /// linked that name meanwhile: then nothing is left of the transaction's rows.
  Task<Result<shard::Outcome>> commit(std::shared_ptr<const Chain> chain, shard::Transaction transaction);
  /// The chain without an entry below; a feed row makes the sweeper look whether one came.
  Task<Result<shard::Outcome>> make_empty(std::shared_ptr<const Chain> chain);

 private:
  Directory add_directory(Chain& chain, const SpacePtr& space, InodeId id, shard::DirectoryLink link,
                          std::string name);
  Task<Result<shard::Outcome>> link(std::shared_ptr<const Chain> chain);
  Task<Result<>> erase(SpacePtr space, std::vector<shard::Key> rows);
  Task<Result<shard::Outcome>> make(std::shared_ptr<const Chain> chain, shard::Transaction transaction);
  /// The pending row goes, beside the caller.
  void finish(const Chain& chain);
  Task<> erase_pending(SpacePtr space, shard::Key pending);

  TreeCore& core_;
  Splitter& splitter_;
  Tree& tree_;
};

/// What the pending row of a chain says: where its first directory would be linked. The record's `link` has
/// the parent.
std::string encode_chain(std::string_view name);
Result<std::string> decode_chain(View bytes);

}  // namespace kiseki::fs::detail
