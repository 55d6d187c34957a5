#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "base/scope.h"
#include "raft/replica.h"
#include "raft/replica/followers.h"
#include "raft/replica/history.h"
#include "raft/replica/lease.h"
#include "raft/replica/read_rounds.h"
#include "raft/replica/removal.h"

namespace kiseki::raft {

/// Two loops around the engine. One takes readies, sends and applies; the other persists what they ask for,
/// one append under way at a time, so that the next one carries all that gathered meanwhile, and sends what
/// had to wait for it. While a snapshot is installed no ready is taken.
class Replica::Driver {
 public:
  Driver(Options options, Environment environment);

  Task<Result<>> start(Recovered recovered);
  Result<Position> propose(std::string payload);
  Result<Position> propose_conf(std::span<const ConfChange> changes);
  Result<Position> change_members(std::span<const MemberChange> changes);
  Result<> transfer_leader(ReplicaId to);
  Task<Result<>> read_barrier();
  bool reads_locally();
  Role role() const { return role_; }
  Term term() const { return term_; }
  GroupStatus status() const;

  void step(std::span<const Message> messages, const FramePtr& frame);
  Task<Result<>> receive_snapshot(Message message, SnapshotSource& source);
  void unreachable(ReplicaId replica);
  void wake();
  bool is_removed() const { return removed_; }

  Task<Result<>> compact();
  const std::optional<Error>& failure() const { return failure_; }
  Task<> stop();

 private:
  /// What one append of the log covers.
  struct Unpersisted {
    Append append;
    std::uint64_t number = 0;  ///< Of the last ready it covers.
    std::optional<SnapshotMeta> install;
    std::vector<Ready> readies;  ///< They keep the entries' bytes.
  };
  /// A member that went, as of the entry that the leader had last then.
  struct Departed {
    Index last;
    std::uint32_t told = 0;
  };

  // The loops.
  Task<> take_readies();
  Task<> persist();
  Task<> tick();
  Task<> fetch(Fetch fetch);

  // What a ready asks for (driver.cc).
  void take(Ready ready);
  void observe(const Ready& ready);
  void enqueue(Ready ready);
  Task<Result<>> write(Unpersisted& batch);
  Task<Result<>> append_in_log(Append append);
  Task<Result<>> write_base(const Unpersisted& batch);
  Task<bool> waits_for_space(const Result<>& result);
  void settle(const Unpersisted& batch);
  void apply(std::span<const Entry> committed);
  void apply_entries(std::span<const Entry> run, const ConfState* conf);
  /// The first of `run` is a change of members.
  void apply_conf(std::span<const Entry> run);
  void trim();

  // Messages and reads (driver_messages.cc).
  void send(std::span<const Message> messages);
  void send_own(MessageType type, ReplicaId to, Index index);
  bool accepts(const Message& message);
  void take_own(const Message& message);
  void quiesce();
  void renew_lease();
  void start_round();
  void confirm_reads(std::span<const ReadState> reads);
  bool is_alone() const;
  NodeId here() const { return node_of(options_.replica); }
  BootTime heard_since() const { return environment_.clock.now() - options_.tick * options_.election_ticks; }

  // Members and their end (driver_members.cc).
  void leave_joint();
  enum class By : std::uint8_t { leader, voter };
  void send_removed(ReplicaId to, By by);
  void take_removed(const Message& message);
  void take_question(const Message& message);
  Task<> answer_alone(ReplicaId replica);
  void removed_here();
  void tell_departed();
  void ask_for_end();

  // Snapshots (driver_snapshots.cc).
  Task<Result<>> finish_install(const SnapshotMeta& base);
  Task<Result<>> install(const SnapshotMeta& meta);
  Task<> send_snapshot(Message message);
  Result<std::unique_ptr<SnapshotSource>> take_for(Message& message);
  Task<Result<>> start_alone();

  void fail_for_good(Error error);
  Term term_at(Index index) const { return history_.term_at(index); }
  const ConfState& conf() const { return history_.conf(); }

  Options options_;
  Environment environment_;
  Scope scope_;
  std::unique_ptr<Group> group_;
  Event work_;  // the engine may have a ready
  Event to_persist_;
  WaitList applied_some_;
  std::deque<Unpersisted> unpersisted_;
  detail::History history_;
  Role role_ = Role::follower;
  ReplicaId leader_ = 0;
  Term term_ = 0;
  Index last_ = 0;  // proposed
  Index applied_ = 0;
  bool applied_own_term_ = false;
  bool installing_ = false;
  bool staging_ = false;
  std::optional<SnapshotMeta> staged_;  // the engine knows only part of its configuration
  bool out_of_space_ = false;
  bool removed_ = false;
  bool quiet_ = false;
  ReplicaId heard_from_ = 0;        // the last that led
  std::uint32_t silent_ticks_ = 0;  // since then
  std::uint32_t idle_ticks_ = 0;
  std::uint32_t awake_ticks_ = 0;  // so long it does not go quiet
  BootTime votes_from_{};          // before that a promise of the last life may hold
  detail::Followers followers_;
  detail::Removal removal_;
  std::map<ReplicaId, Departed> departed_;
  std::set<ReplicaId> answering_;  // who asked whether it is a member still
  Index conf_known_above_ = 0;     // an entry committed above it carried the last change of members along
  detail::ReadRounds rounds_;
  detail::Lease lease_;
  bool lease_used_ = false;
  std::optional<Error> failure_;
};

namespace detail {
Error to_error(Status status);
}  // namespace detail

}  // namespace kiseki::raft
