#pragma once

#include "fs/tree/splitter.h"

namespace kiseki::fs::detail {

/// Why a directory is made (PROTOCOLS 2.7, 2.8): a key below it; or somebody who names it, for whom it stays
/// when it is empty and shares its name with no object.
enum class Creation : std::uint8_t { implied = 1, requested = 2 };

/// Directories of a path that do not exist yet (PROTOCOLS 2.6). The transaction that writes the entry below
/// makes them, unlinked, with a pending row of its session; then one commit links the first.
struct Chain {
  EntrySlot link;                  ///< Where the first will be linked: absent, in a directory that is there.
  std::vector<Directory> made;     ///< From the first to the one that holds the entry.
  std::vector<std::string> names;  ///< Of `made`.
  std::vector<shard::Row> rows;    ///< Headers, guards, entries of all but the first, the pending row.
  shard::Key pending;
  shard::Record entry;  ///< What links the first.
  Creation creation = Creation::implied;
};

/// From the first to the last, as the pending row of their session says.
Result<std::vector<InodeId>> directories_of_chain(const NamespaceContext& ns, const shard::Row& pending);

/// Makes and links chains.
class ChainMaker {
 public:
  ChainMaker(TreeCore& core, Splitter& splitter, Tree& tree)
      : core_(core), splitter_(splitter), tree_(tree) {}

  /// `link`: the absent entry of the first name; `below`: the further names, none below one
  /// that is requested.
  Task<Result<Chain>> plan(EntrySlot link, std::vector<std::string> below, Creation creation);
  static void add(shard::Transaction& transaction, const Chain& chain);
  /// Commits `transaction`, which makes the chain, then links it. Refused as `aborted` when another has
  /// linked that name meanwhile: then nothing is left of the transaction's rows.
  Task<Result<shard::Outcome>> commit(std::shared_ptr<const Chain> chain, shard::Transaction transaction);
  /// The chain without an entry below; a feed row makes the sweeper look whether one came.
  Task<Result<shard::Outcome>> make_empty(std::shared_ptr<const Chain> chain);

 private:
  Directory add_directory(Chain& chain, const NamespacePtr& ns, InodeId id, shard::DirectoryLink link,
                          std::string name);
  Task<Result<shard::Outcome>> link(std::shared_ptr<const Chain> chain);
  /// Adds that no object has the name of what is linked at `slot`. False when there is one.
  Task<Result<bool>> exclude_object(const EntrySlot& slot, shard::Transaction& transaction);
  Task<Result<>> erase(NamespacePtr ns, std::vector<shard::Key> rows);
  Task<Result<shard::Outcome>> make(std::shared_ptr<const Chain> chain, shard::Transaction transaction);
  /// The pending row goes, beside the caller.
  void finish(const Chain& chain);
  Task<> erase_pending(NamespacePtr ns, shard::Key pending);

  TreeCore& core_;
  Splitter& splitter_;
  Tree& tree_;
};

}  // namespace kiseki::fs::detail
