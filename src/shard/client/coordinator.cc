#include "shard/client/coordinator.h"

#include "base/planted.h"
#include "shard/client/gather.h"

namespace kiseki::shard::detail {

namespace {

/// The session is stopping, or was fenced and forgotten.
bool is_over(const Error& error) { return error.code() == Errc::cancelled || error.code() == Errc::fenced; }

std::size_t records_moved_out(const Transaction& branch) {
  const auto count = std::ranges::count(branch.operations, Operation::Type::move_out,
                                        [](const auto& one) { return one.type; });
  return static_cast<std::size_t>(count);
}

}  // namespace

Coordinator::Coordinator(Session& session, std::vector<Branch> branches, Stamp age, BootTime deadline)
    : session_(session), deadline_(deadline) {
  holder_ = {
      .id = {session.id(), session.sequences_.begin()}, .age = age, .primary = primary_of(branches.front())};
  for (auto& branch : branches) {
    participants_.push_back({.branch = std::move(branch), .state = State::untried, .stamp = {}, .moved = {}});
  }
}

Task<Result<Answer>> Coordinator::prepare(std::size_t place) {
  auto& participant = participants_[place];
  participant.state = State::unknown;
  Prepare prepare{.id = holder_.id,
                  .low_water = session_.sequences_.low_water(),
                  .age = holder_.age,
                  .primary = holder_.primary,
                  .branch = participant.branch.transaction};
  for (const auto& incoming : participant.branch.incoming) {
    prepare.branch.operations[incoming.operation].record =
        participants_[incoming.branch].moved[incoming.place];
  }
  co_return co_await session_.deliver(
      *participant.branch.route.port,
      std::make_shared<const Proposal>(Proposal{.stamp = {}, .body = std::move(prepare)}), holder_,
      deadline_);
}

bool Coordinator::take(std::size_t place, Result<Answer> answer) {
  auto& participant = participants_[place];
  if (!answer) {
    if (!error_) error_ = std::move(answer).error();
    return false;
  }
  switch (answer->type) {
    case Answer::Type::prepared:
      if (!answer->holder || answer->moved.size() != records_moved_out(participant.branch.transaction)) {
        error_ = Error(Errc::corrupted, "a shard answers what it was not asked");
        return false;
      }
      participant.state = State::prepared;
      participant.stamp = answer->outcome.stamp;
      participant.moved = std::move(answer->moved);
      if (holder_.age.is_none()) holder_.age = answer->holder->age;
      return true;
    case Answer::Type::decided:
      // Who was aborted by others may have been prepared before, and a split have left half of that
      // elsewhere.
      if (answer->outcome.refusal != Refusal::aborted ||
          KISEKI_PLANTED("4.2 who was aborted by others is taken for refused")) {
        participant.state = State::refused;
      }
      if (!refusal_) {
        refusal_ = answer->outcome;
        const auto& places = participant.branch.places;
        if (refusal_->assertion < places.size()) refusal_->assertion = places[refusal_->assertion];
      }
      return false;
    case Answer::Type::fenced:
      error_ = Error(Errc::fenced, "the session was fenced");
      return false;
    case Answer::Type::blocked:
    case Answer::Type::stale:
    case Answer::Type::full:
    case Answer::Type::forgotten:
    case Answer::Type::wrong_shard:
    case Answer::Type::invalid:
      return false;
  }
  KISEKI_ASSERT(false);
}

/// Not tried yet, and everything they take in is there.
std::vector<std::size_t> Coordinator::ready() const {
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < participants_.size(); ++i) {
    const auto& participant = participants_[i];
    const bool has_records = std::ranges::all_of(participant.branch.incoming, [this](const auto& incoming) {
      return participants_[incoming.branch].state == State::prepared;
    });
    if (participant.state == State::untried && has_records) places.push_back(i);
  }
  return places;
}

Task<bool> Coordinator::prepare_all() {
  // The primary first and alone: no intent of ours stands anywhere before its own.
  if (!take(0, co_await prepare(0))) co_return false;
  for (auto places = ready(); !places.empty(); places = ready()) {
    std::vector<Task<Result<Answer>>> prepares;
    for (const std::size_t place : places) prepares.push_back(prepare(place));
    auto answers = co_await gather(session_.executor(), std::move(prepares));
    bool all = true;
    for (std::size_t i = 0; i < places.size(); ++i) all = take(places[i], std::move(answers[i])) && all;
    if (!all) co_return false;
  }
  co_return true;
}

Task<Result<>> Coordinator::decide(Verdict verdict, BootTime deadline) {
  Stamp floor;
  for (const auto& participant : participants_) floor = std::max(floor, participant.stamp);
  Decide decide{.id = holder_.id,
                .low_water = session_.sequences_.low_water(),
                .primary = holder_.primary,
                .verdict = verdict,
                .floor = floor};
  const auto answer =
      co_await session_.deliver_to(holder_.primary.leaf, {.stamp = {}, .body = std::move(decide)}, deadline);
  if (!answer) co_return fail(answer.error());
  // Only its own coordinator finishes a sequence; else the whole session was fenced and forgotten.
  if (answer->type != Answer::Type::decided) co_return fail(Errc::fenced, "the session was fenced");
  decision_ = answer->outcome;
  owe(answer->range);
  if (KISEKI_PLANTED("4.2 a decision goes before it is carried out")) {
    session_.sequences_.finish(holder_.id.sequence);
  }
  co_return Result<>{};
}

/// All that may be prepared is to be told, but for what the shard that decided has settled. By slots: a split
/// leaves a branch in two shards.
void Coordinator::owe(SlotRange settled) {
  if (KISEKI_PLANTED("4.2 a split half is not told of the decision"))
    settled = participants_.front().branch.route.range;
  for (const auto& participant : participants_) {
    if (participant.state != State::prepared && participant.state != State::unknown) continue;
    for (const auto& one : participant.branch.transaction.asserts) owed_.insert(slot_of(one.key.leaf));
    for (const auto& one : participant.branch.transaction.operations) {
      owed_.insert(slot_of(one.key.leaf));
      if (one.type == Operation::Type::move) owed_.insert(slot_of(one.to.leaf));
    }
  }
  std::erase_if(owed_, [settled](Slot slot) { return settled.contains(slot); });
}

Result<Outcome> Coordinator::outcome() const {
  if (decision_ && decision_->committed()) return *decision_;
  if (refusal_) return *refusal_;
  if (error_) return fail(*error_);
  return Outcome{.refusal = Refusal::aborted, .assertion = 0, .stamp = {}};
}

Task<Result<Outcome>> Coordinator::run() {
  const bool all = co_await prepare_all();
  if (!all && participants_.front().state == State::refused) {
    // Nothing stands anywhere.
    decision_ = *refusal_;
    co_return outcome();
  }
  const auto decided = co_await decide(all ? Verdict::committed : Verdict::aborted, deadline_);
  if (!decided && all) co_return fail(decided.error());
  co_return outcome();
}

/// The slots it was carried out in.
Task<Result<SlotRange>> Coordinator::resolve_at(Route route) {
  const bool is_committed = decision_->committed();
  const Resolve resolve{.id = holder_.id,
                        .verdict = is_committed ? Verdict::committed : Verdict::aborted,
                        .stamp = is_committed ? decision_->stamp : Stamp{}};
  const auto answer = co_await session_.deliver(
      *route.port, std::make_shared<const Proposal>(Proposal{.stamp = {}, .body = resolve}), std::nullopt,
      session_.deadline());
  if (!answer) co_return fail(answer.error());
  co_return answer->range;
}

/// One try at everything that is left. True when nothing is; an error when others will have to settle it.
Task<Result<bool>> Coordinator::resolve_once() {
  // A decision whose answer was lost is asked for again: by an abort, which comes too late if it committed.
  if (!decision_) {
    const auto decided = co_await decide(Verdict::aborted, session_.deadline());
    if (!decided && is_over(decided.error())) co_return fail(decided.error());
    if (!decided) co_return false;
  }
  auto left = owed_;
  while (!left.empty()) {
    const Route route = session_.routes().of(*left.begin());
    const auto reached = co_await resolve_at(route);
    if (!reached && is_over(reached.error())) co_return fail(reached.error());
    std::erase_if(left, [&route](Slot slot) { return route.range.contains(slot); });
    if (!reached) continue;
    std::erase_if(left, [&reached](Slot slot) { return reached->contains(slot); });
    std::erase_if(owed_, [&reached](Slot slot) { return reached->contains(slot); });
  }
  const bool is_resolved = owed_.empty();
  co_return is_resolved;
}

Task<bool> Coordinator::resolve(BootTime until) {
  for (Session::Tries tries{.until = until, .pause = std::chrono::milliseconds(10)};;) {
    const auto all = co_await resolve_once();
    if (all && *all) break;
    if (!all) co_return true;
    if (!co_await session_.wait_to_try(tries)) co_return false;
  }
  session_.sequences_.finish(holder_.id.sequence);
  co_return true;
}

Task<> Coordinator::complete(std::unique_ptr<Coordinator> coordinator, Semaphore::Permit permit) {
  co_await coordinator->resolve(BootTime::max());
  permit.release();
}

}  // namespace kiseki::shard::detail
