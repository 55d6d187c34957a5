#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "base/scope.h"
#include "raft/group.h"
#include "raft/replica.h"

namespace kiseki::raft {

/// Two loops around the engine. One takes readies and applies; the other persists what they ask for, one
/// append under way at a time, so that the next one carries all that gathered meanwhile.
class Replica::Driver {
 public:
  Driver(Options options, Services services, ConfState conf);

  Task<Result<>> start(Recovered recovered);
  Result<Position> propose(std::string payload);
  Result<Position> propose_conf(std::span<const ConfChange>) { return fail(Errc::not_supported); }
  Result<> transfer_leader(NodeId) { return fail(Errc::not_supported); }
  GroupStatus status() const { return group_->status(); }
  Task<Result<>> receive_snapshot(Message, SnapshotSource&) { co_return fail(Errc::not_supported); }
  Task<Result<>> read_barrier();
  bool reads_locally() const { return !failure_ && role_ == Role::leader && applied_own_term_; }
  Role role() const { return role_; }
  Term term() const { return term_; }
  Task<Result<>> compact();
  const std::optional<Error>& failure() const { return failure_; }
  Task<> stop();

 private:
  struct Unpersisted {
    Append append;
    std::uint64_t number = 0;    ///< Of the last ready it covers.
    std::vector<Ready> readies;  ///< They keep the entries' bytes.
  };

  Task<> take_readies();
  Task<> persist();
  Task<> tick();
  Task<> fetch(Fetch fetch);

  void take(Ready ready);
  void enqueue(Ready ready);
  void observe_role();
  void apply(std::span<const Entry> committed);
  Task<Result<>> append_in_log(Append append);
  void fail_for_good(Error error);
  Term term_at(Index index) const;

  Options options_;
  Services services_;
  Scope scope_;
  std::unique_ptr<Group> group_;
  Event work_;  // the engine may have a ready
  Event to_persist_;
  WaitList applied_some_;
  std::optional<Unpersisted> unpersisted_;
  std::map<Index, Term> terms_;  // first index of each term that the log still holds
  ConfState conf_;
  Role role_ = Role::follower;
  Term term_ = 0;
  Index last_ = 0;  // proposed
  Index applied_ = 0;
  bool applied_own_term_ = false;
  bool out_of_space_ = false;
  std::optional<Error> failure_;
};

}  // namespace kiseki::raft
