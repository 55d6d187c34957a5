#pragma once

#include <set>

#include "shard/client/session.h"

namespace kiseki::shard::detail {

/// One transaction over several shards, once: prepare at the primary, prepare at the others, decide at the
/// primary, resolve at the others (rule 4). Whatever step it does not reach, others settle.
class Coordinator {
 public:
  Coordinator(Session& session, std::vector<Branch> branches, Stamp age, BootTime deadline);

  /// Prepares and decides. The outcome is final before the other shards have carried it out.
  Task<Result<Outcome>> run();
  /// Carries the outcome out where something may be prepared, and finishes the sequence. False when it could
  /// not until then.
  Task<bool> resolve(BootTime until);
  /// `resolve`, for the background.
  static Task<> complete(std::unique_ptr<Coordinator> coordinator, Semaphore::Permit permit);

  /// Of the first reply; kept when the transaction is tried again.
  Stamp age() const noexcept { return holder_.age; }

 private:
  enum class State : std::uint8_t {
    untried,
    prepared,
    refused,
    unknown,  ///< No answer: something may be prepared.
  };
  struct Participant {
    Branch branch;
    State state = State::untried;
    Stamp stamp;
    std::vector<Record> moved;
  };

  Task<Result<Answer>> prepare(std::size_t place);
  Task<bool> prepare_all();
  std::vector<std::size_t> ready() const;
  /// False when the transaction cannot commit any more.
  bool take(std::size_t place, Result<Answer> answer);
  Task<Result<>> decide(Verdict verdict, BootTime deadline);
  Task<Result<bool>> resolve_once();
  void owe(SlotRange settled);
  Task<Result<SlotRange>> resolve_at(Route route);
  Result<Outcome> outcome() const;

  Session& session_;
  std::vector<Participant> participants_;
  Holder holder_;
  BootTime deadline_;
  std::optional<Outcome> refusal_;
  std::optional<Error> error_;
  std::optional<Outcome> decision_;  ///< Of the primary.
  std::set<Slot> owed_;              ///< Where that is still to be carried out.
};

}  // namespace kiseki::shard::detail
