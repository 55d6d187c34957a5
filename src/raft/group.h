#pragma once

#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "raft/types.h"

struct kiseki_raft_group;

namespace kiseki::raft {

/// Why a group would not.
enum class Status : std::uint8_t {
  ok = 0,
  not_leader = 1,
  busy = 2,            ///< Too much is uncommitted, or a change of configuration is pending.
  refused = 3,         ///< Malformed, forbidden or impossible; nothing changed.
  not_promotable = 4,  ///< No voter of its configuration.
  transferring = 5,    ///< Leadership is on its way to another replica.
  not_ready = 6,       ///< A snapshot is being installed, or nothing is committed in this term yet.
};

struct Config {
  GroupId group;
  ReplicaId replica = 0;
  std::uint64_t seed = 0;  ///< Of the election timeouts: same seed, same run.
  std::uint32_t heartbeat_ticks = 2;
  std::uint32_t election_ticks = 20;      ///< Far above the worst flush.
  std::uint32_t election_ticks_max = 40;  ///< Timeouts are drawn below this.
  Bytes message_size_max = 1_MiB;
  Bytes uncommitted_size_max = 64_MiB;
  Bytes committed_size_max = 1_MiB;  ///< Of the entries one `Ready` gives to apply.
  std::size_t inflight_max = 256;    ///< Messages to one follower without an answer.
};

/// What a replica finds when it starts.
struct Restart {
  Index base_index = 0;  ///< The log holds the entries above.
  Term base_term = 0;
  HardState hard_state{};
  Index applied = 0;  ///< As the state machine's store says, durably.
  ConfState conf{};   ///< As of `applied`, not of the base.
  std::span<const Entry> tail{};
};

/// What to do, in this order: write `hard_state` and `entries` to the log (durably if `must_sync`), send
/// `messages` (before that unless `send_after_persist`), apply `committed`, serve `reads`. Views live as long
/// as this object.
class Ready {
 public:
  std::uint64_t number = 0;
  bool must_sync = false;           ///< Term, vote, entries or snapshot changed.
  bool send_after_persist = false;  ///< Hold the messages until `on_persisted(number)`.
  bool want_snapshot = false;       ///< Answer with `offer_snapshot`.
  std::optional<HardState> hard_state;
  std::optional<SoftState> soft_state;
  std::span<const Entry> entries;  ///< Replaces any suffix from entries[0].index.
  const Snapshot* install =
      nullptr;  ///< Persist, `on_persisted`, replace the state, `advance_apply(meta.index)`.
  std::span<const Message> messages;
  std::span<const Entry> committed;
  std::span<const ReadState> reads;
  std::span<const Fetch> fetches;  ///< Answer each with `fetched`.

  Ready(Ready&&) noexcept;
  Ready& operator=(Ready&&) noexcept;
  ~Ready();

 private:
  friend class Group;
  struct Storage;
  explicit Ready(std::unique_ptr<Storage> storage);
  std::unique_ptr<Storage> storage_;
};

struct GroupStatus {
  Role role = Role::follower;
  Term term = 0;
  ReplicaId vote = 0;
  ReplicaId leader = 0;
  Index commit = 0;
  Index applied = 0;
  Index persisted = 0;
  Index first = 0;  ///< The first entry not compacted away.
  Index last = 0;
  ReplicaId transferee = 0;
  ConfState conf{};
  bool promotable = false;
  bool singleton = false;  ///< One voter, and no change of configuration under way.
  bool conf_pending = false;
  bool installing = false;
};

enum class Joint : std::uint8_t { if_needed, always };
enum class AutoLeave : std::uint8_t { no, yes };
enum class Delivered : std::uint8_t { no, yes };

/// One replica of one group as a machine: no I/O, no clock, no thread, no callbacks. The driver persists,
/// sends, applies and says so. Several readies may be under way; they are persisted in order.
///
/// Every message is checked before the engine sees it; what its own peers could never have sent is `refused`,
/// as if it were lost. A wrong driver (persisted out of order, applied beyond what was given) is a bug and
/// aborts.
class Group {
 public:
  static std::unique_ptr<Group> open(const Config& config, const Restart& restart);
  Group(const Group&) = delete;
  Group& operator=(const Group&) = delete;
  ~Group();

  void tick();
  /// All are tried; the answer is that of the first refused. `frame` owns what the messages point into;
  /// without it their bytes are copied.
  Status step(std::span<const Message> messages, FramePtr frame);
  /// The index of the first; they stand together. None may be empty. Only on the leader.
  std::expected<Index, Status> propose(std::span<const View> payloads, FramePtr frame);
  /// No changes: leave the joint configuration.
  std::expected<Index, Status> propose_conf(std::span<const ConfChange> changes, Joint joint,
                                            AutoLeave leave);
  /// The sequence appears in `Ready::reads`, or never, when leadership is lost: then ask again. Only on the
  /// leader.
  std::expected<std::uint64_t, Status> read_index();
  Status transfer_leader(ReplicaId to);
  /// The one voter of a group is leader on return.
  Status campaign();

  std::optional<Ready> ready();
  void on_persisted(std::uint64_t number);
  void advance_apply(Index index);
  /// Call it exactly when `entry`, a conf_change, is applied, before `advance_apply`. `refused`: the entry
  /// counts as an empty one. A leader that removed itself is a follower on return.
  std::expected<ConfState, Status> apply_conf(const Entry& entry);

  /// Empty when the log could not read them.
  void fetched(std::uint64_t id, std::span<const Entry> entries);
  /// Its configuration must hold the receiver, or it is asked for again.
  Status offer_snapshot(const Snapshot& snapshot);
  /// Every outcome must be reported: until then the follower gets nothing else.
  void report_snapshot(ReplicaId replica, Delivered delivered);
  void report_unreachable(ReplicaId replica);

  /// Entries up to `index`, if applied, leave the memory; later needs for them become fetches.
  void trim_tail(Index index);
  /// Entries up to `index`, if applied, are gone for good.
  void compact(Index index);
  bool can_quiesce() const;
  GroupStatus status() const;

 private:
  struct Close {
    void operator()(kiseki_raft_group* engine) const noexcept;
  };
  explicit Group(kiseki_raft_group* engine) : engine_(engine) {}
  std::unique_ptr<kiseki_raft_group, Close> engine_;
};

}  // namespace kiseki::raft
