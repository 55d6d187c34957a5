#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "shard/key.h"
#include "shard/record.h"

namespace kiseki::shard {

/// What must hold for a transaction to commit.
struct Assert {
  enum class Type : std::uint8_t {
    version = 1,  ///< The row is there with this version.
    absent = 2,   ///< No row.
    exists = 3,   ///< A row, of any version.
    generation =
        4,  ///< A guard is there with this version, and the leaf has room for creates: a shared lock.
    prefix_empty = 5,  ///< The leaf holds no entry. `key` names any row of the leaf.
  };
  Type type = Type::absent;
  Key key;
  Stamp stamp;  ///< For `version` and `generation`.
};

/// A change that commutes: it never changes the version and conflicts with nothing but a put or erase.
struct Touch {
  Bytes logical_at_least = 0;
  std::uint64_t modified_at_least_ms = 0;
};

struct Operation {
  enum class Type : std::uint8_t {
    put = 1,          ///< Insert or replace. There is always an assert on the same key.
    erase = 2,        ///< Absent is fine.
    touch = 3,        ///< On an existing row; absent is fine.
    put_stamped = 4,  ///< The key's stamp is the commit's. One-shard transactions only.
    move = 5,         ///< The record as it is, version included, under `to`.
    // The halves of a move between two shards; the client makes them.
    move_out = 6,  ///< As `erase`, but nothing vanishes.
    move_in = 7,   ///< As `put`, of a record that keeps its version.
    /// The holder of this lock row commits nothing more. One-shard transactions only, which erase the row and
    /// assert its version.
    fence = 8,
  };
  Type type = Type::put;
  Key key;
  Record record;  ///< put, put_stamped
  Key to;         ///< move; asserted absent by the transaction
  Touch touch;    ///< touch
};

/// The configuration of a namespace that the writer believed in (rule 3.9).
struct NamespaceEpoch {
  NamespaceId ns;
  std::uint32_t epoch = 1;
};

enum class NamespaceState : std::uint8_t {
  active = 1,
  deleting = 2,  ///< Refuses every transaction but those of the deletion, which carry the new epoch.
  deleted = 3,   ///< A tombstone: refuses every write for ever.
};

/// Committed as a whole or not at all, on one shard or several.
struct Transaction {
  static constexpr std::size_t rows_max = 8192;
  static constexpr Bytes size_max = 4_MiB;

  std::vector<Assert> asserts;
  std::vector<Operation> operations;
  std::vector<NamespaceEpoch> namespaces;  ///< One for every namespace named above, but for the system's.
  GcEpoch chunk_epoch;        ///< Lowest garbage epoch of the chunks it refers to; 0: none are new.
  std::uint64_t time_ms = 0;  ///< The writer's time: what modification times are made of.

  /// `invalid_argument`, `too_large`: the rules above and those of docs/formats/transaction.md.
  Result<> validate() const;
  /// What holds besides when its rows lie in several shards.
  Result<> validate_spread() const;
  /// What holds of one shard's part of it, with halves of moves.
  Result<> validate_branch() const;

  Transaction& require(Assert::Type type, Key row, Stamp stamp = {});
  Transaction& put(Key row, Record record);
  Transaction& erase(Key row);
  Transaction& put_stamped(Key row, Record record);
  Transaction& move(Key from, Key to);
  /// Breaks a lock: the row goes, and its holder is fenced in the same commit, in every shard soon after.
  Transaction& break_lock(Key row, Stamp version);
};

/// Why a transaction did not commit. Expected, and decided for good: nothing of it happened.
enum class Refusal : std::uint8_t {
  none = 0,
  version = 1,        ///< An assert failed: the row's version is another (`stamp`), or there is no row (0).
  exists = 2,         ///< An assert of absence failed; `stamp` is the row's version.
  missing = 3,        ///< An assert of existence failed.
  generation = 4,     ///< The guard changed or went.
  not_empty = 5,      ///< The leaf holds entries.
  split_first = 6,    ///< The leaf is too full for creates.
  configuration = 7,  ///< The namespace's configuration epoch rose; read it again.
  deleted = 8,        ///< The namespace is deleted or being deleted.
  chunk_epoch = 9,    ///< A chunk was put too long ago; touch it and try again.
  retained = 10,
  quota = 11,
  aborted = 12,  ///< Another transaction won; start again from the read.
};

struct Outcome {
  Refusal refusal = Refusal::none;
  std::uint32_t assertion = 0;  ///< Which assert failed, for the refusals of asserts.
  Stamp stamp;  ///< Of the commit (the primary's), or the current version at the failed assert.
  bool committed() const noexcept { return refusal == Refusal::none; }
};

/// Reads of rows that lie in one leaf, or in one shard, come from one snapshot.
struct Get {
  Key key;
  bool with_body = false;  ///< Also the `inline_data` row, when the record's home is in this shard.
};

struct Scan {
  enum class Direction : std::uint8_t {
    forward = 1,  ///< Rows with item ≥ `from`, in order.
    floor = 2,    ///< The last row with item ≤ `from`, or none.
  };
  LeafAddress leaf;
  Kind kind = Kind::entry;
  std::string from;
  std::uint32_t rows_max = 4096;
  Direction direction = Direction::forward;
};

struct ReadRequest {
  std::vector<Get> gets;
  std::vector<Scan> scans;
  std::vector<LeafAddress> counters{};
};

struct Row {
  Key key;
  Record record;
};

struct ReadReply {
  struct Got {
    std::optional<Record> record;
    std::optional<Record> body;
  };
  struct Scanned {
    std::vector<Row> rows;
    bool more = false;  ///< Stopped at `rows_max`.
  };
  std::vector<Got> gets;             ///< As asked.
  std::vector<Scanned> scans;        ///< As asked.
  std::vector<Counters> counters{};  ///< As asked; zero for leaves that are not there.
  /// Of the namespace that all the rows are of: its configuration epoch as the shards know it, if that was
  /// ever raised while it was in use; else 0. Whoever believes in a lower one reads its configuration again.
  std::uint32_t configuration = 0;
};

}  // namespace kiseki::shard
