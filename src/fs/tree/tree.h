#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/scope.h"
#include "fs/names/id_leases.h"
#include "fs/names/names.h"
#include "fs/names/namespace_cache.h"
#include "fs/services.h"
#include "fs/tree/directory_rows.h"
#include "fs/tree_limits.h"

// The directory trees of the namespaces, for one core (PROTOCOLS section 2).
//
// How an entry is written, whatever else goes into the same transaction:
//
//   Attempts attempts;
//   for (;;) {
//     auto slot = co_await tree.find(space, key, Purpose::write);       // errors are final
//     ... conditions against slot->record and slot->value ...
//     shard::Record record; ... everything the writer chooses ...
//     tree.seal_entry(*slot, record, rest);
//     auto transaction = tree.begin(*slot);                             // its asserts are in it
//     transaction.put(slot->key, record); ... inline row, garbage row ...
//     auto outcome = co_await tree.commit(*slot, std::move(transaction));
//     if (!outcome) error; the outcome may be unknown
//     if (outcome->committed()) done
//     KISEKI_CO_TRY(co_await tree.recover(*slot, *outcome, attempts));  // then from the top
//   }

namespace kiseki::fs::detail {

/// Every namespace has two trees of entries.
inline constexpr InodeId root_directory{1};
inline constexpr InodeId uploads_tree{2};  ///< One directory; names: key ‖ NUL ‖ upload id.

/// What is remembered of a directory: its name key, which never changes, and routes, which are hints.
struct DirectoryState;

/// A directory that was there when it was opened. Operations on one that went since find that out.
struct Directory {
  NamespacePtr ns;
  InodeId id;
  std::shared_ptr<DirectoryState> state;  // the cache and the operations under way

  shard::LeafAddress leaf(LeafId id_of_leaf) const { return {ns->id, id, id_of_leaf}; }
};

/// Directories that the transaction of a place makes and a second commit links.
struct Chain;

/// Where an entry is or would be.
struct EntrySlot {
  Directory directory;
  std::string name;
  NameType type = NameType::object;
  shard::Key key;                       ///< Of the entry, in the leaf that covers the name.
  std::optional<shard::Record> record;  ///< The entry, if there is one.
  std::string value;                    ///< Its opened value after the name (docs/formats/entry.md).
  std::optional<shard::Record> body;    ///< Its inline row, for `read_body`, when it lies in the same shard.
  Stamp generation;                     ///< Of the leaf; none where a read has found its entry.
  std::shared_ptr<const Chain> chain;   // copies of one place

  /// False for a read below a directory that does not exist: there is no leaf to speak of.
  bool has_leaf() const noexcept { return directory.state != nullptr; }
  /// Where a file made here has its rows.
  shard::Home home() const noexcept { return {directory.id, key.leaf.leaf}; }
};

/// Adds that there is nothing at `slot`, and makes nothing there either.
void require_none(shard::Transaction& transaction, const EntrySlot& slot);

enum class Purpose : std::uint8_t {
  read = 1,
  write = 2,         ///< Missing directories are made by `commit` together with the entry.
  write_linked = 3,  ///< Missing directories are made now: for transactions that do more than add one entry.
  change = 4,        ///< Writes what is there: as `read` where nothing is.
  read_body = 5,     ///< As `read`, with the inline row of what is there.
  create = 6,        ///< As `write`; of a remembered leaf nothing is read and nothing taken to be there: the
                     ///< commit tells, and then it is `write`.
};

/// How often one operation has started again.
class Attempts {
 public:
  static constexpr std::uint32_t max = 64;
  /// Waits a little longer each time; `busy` after the last.
  Task<Result<>> next(Clock& clock, Rng& rng);

 private:
  std::uint32_t count_ = 0;
};

/// An entry as lists show it.
struct Listed {
  std::string name;
  NameType type = NameType::object;
  shard::Key key;
  shard::Record record;
  std::string value;  ///< As in `EntrySlot`.
};

/// One leaf, whole, from one snapshot.
struct ListedLeaf {
  std::vector<Listed> entries;      ///< In order of their sort keys.
  std::optional<std::string> high;  ///< Sort key where the next leaf begins; none: the directory ends here.
};

/// Of the cache and of the walks that look at it.
using ListedLeafPtr = std::shared_ptr<const ListedLeaf>;

class Tree {
 public:
  explicit Tree(Services services, TreeLimits limits = {});
  ~Tree();

  /// The entry of an S3 key; from the root, through cached names. A read of what is not there is a place
  /// without a record. `not_found` when the namespace is gone.
  Task<Result<EntrySlot>> find(NamespaceId ns, std::string key, Purpose purpose);
  /// The directory of a path, `not_found` when it or the namespace is not there.
  Task<Result<Directory>> find_directory(NamespaceId ns, std::vector<std::string> path);
  /// By id: `root_directory`, `uploads_tree`, or what an entry names. `not_found`.
  Task<Result<Directory>> open(NamespaceId ns, InodeId id);
  Task<Result<Directory>> open(NamespacePtr ns, InodeId id);
  /// In one directory. `not_found` when the directory has gone: nothing is in it. `stale` when one of `path`,
  /// by which it was found, is not so any more.
  Task<Result<EntrySlot>> locate(Directory directory, std::string name, NameType type, Purpose purpose,
                                 std::vector<Step> path = {});
  /// Makes an explicit directory at a place of that type where there is none (PROTOCOLS 2.6, 2.7). Refused as
  /// `aborted` when a directory or an object of that name came first.
  Task<Result<shard::Outcome>> make_directory(EntrySlot slot);

  /// Format, name, then `rest` into the record's value; sets the account. Entries and nothing else.
  void seal_entry(const EntrySlot& slot, shard::Record& record, std::string_view rest);
  /// For other rows of the namespace.
  void seal_row(const NamespacePtr& ns, const shard::Key& key, shard::Record& record, View plaintext);

  /// Names the namespace and the time, nothing yet asserted.
  shard::Transaction begin(const NamespacePtr& ns);
  /// The same with what `expect` adds.
  shard::Transaction begin(const EntrySlot& slot);
  /// The place is still what it was: absent and the leaf's generation, or the version of the record. With
  /// missing directories, these are made.
  void expect(shard::Transaction& transaction, const EntrySlot& slot);
  /// Commits, then links the directories that were made. `slot` is the one that gained or lost an entry.
  /// It outlives the call.
  Task<Result<shard::Outcome>> commit(const EntrySlot& slot, shard::Transaction transaction);
  /// After a refusal: does what it takes for another attempt (splits a full leaf, reads the configuration),
  /// waits a little. Errors are final.
  Task<Result<>> recover(EntrySlot slot, shard::Outcome outcome, Attempts& attempts);

  /// The leaf that covers `from`, for lists and walks. `not_found` when the directory has gone.
  Task<Result<ListedLeaf>> read_leaf(Directory directory, std::string from);
  /// The same, from memory while nothing in the leaf has changed.
  Task<Result<ListedLeafPtr>> look_at_leaf(Directory directory, std::string from);
  /// As measure.h says.
  Task<Result<shard::Counters>> measure(Directory directory);
  /// For each directory whether its subtree holds more than implicit directories (PROTOCOLS 2.8).
  Task<Result<std::vector<bool>>> visible(NamespacePtr ns, std::vector<InodeId> directories);

  Task<Result<InodeId>> new_id(NamespaceId ns);

  /// What is remembered of a name: `child` none forgets it, with what was known of the directory.
  void remember(const NamespacePtr& ns, Step step);

  /// Splits the leaf until it is small enough.
  Task<Result<>> split_if_large(Directory directory, LeafId leaf);
  /// Removes a leaf that holds nothing and is not the first; fine when it is otherwise.
  Task<Result<>> drop_if_empty(Directory directory, LeafId leaf);
  /// Removes an empty implicit directory with its entry; fine when it is otherwise.
  Task<Result<>> remove_if_empty(Directory directory);
  /// Removes the implicit directories below that hold no object, bottom-up. True when nothing is left in it.
  Task<Result<bool>> prune(Directory directory);
  /// Adds what takes an empty directory with one leaf, without its entry; false when it has more or has gone.
  Task<Result<bool>> add_removal(Directory directory, shard::Transaction& transaction);
  /// As it stands now; nothing when the directory has gone.
  Task<Result<std::optional<Header>>> header(NamespacePtr ns, InodeId directory);
  /// Removes every leaf but the first that holds nothing.
  Task<Result<>> drop_empty_leaves(Directory directory);

  NamespaceCache& namespaces() noexcept;
  Services& services() noexcept;
  /// Ends the work in the background.
  Task<> stop();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace kiseki::fs::detail
