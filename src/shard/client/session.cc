#include "shard/client/session.h"

#include "shard/client/coordinator.h"
#include "shard/rows/session_row.h"

namespace kiseki::shard::detail {

namespace {

constexpr Duration pause_max = std::chrono::milliseconds(100);
constexpr int rounds_max = 8;
/// Of one try: a replica that does not answer by then may be dead, and another lead.
constexpr Duration answer_limit = std::chrono::seconds(5);

/// The one shard of all rows, or nothing.
std::optional<Route> only_route(const Routes& routes, const Transaction& transaction) {
  std::optional<Route> route;
  const auto is_there = [&](const LeafAddress& leaf) {
    if (!route) route = routes.of(leaf);
    return route->range.contains(slot_of(leaf));
  };
  for (const auto& one : transaction.asserts) {
    if (!is_there(one.key.leaf)) return std::nullopt;
  }
  for (const auto& one : transaction.operations) {
    if (!is_there(one.key.leaf)) return std::nullopt;
    if (one.type == Operation::Type::move && !is_there(one.to.leaf)) return std::nullopt;
  }
  return route;
}

/// Of answers that end a transaction.
Result<Outcome> outcome_of(const Answer& answer) {
  switch (answer.type) {
    case Answer::Type::decided:
      return answer.outcome;
    case Answer::Type::blocked:
      return Outcome{.refusal = Refusal::aborted, .assertion = 0, .stamp = {}};
    case Answer::Type::fenced:
      return fail(Errc::fenced, "the session was fenced");
    case Answer::Type::stale:
      return fail(Errc::stale, "a finished sequence was proposed");
    case Answer::Type::prepared:
    case Answer::Type::full:
    case Answer::Type::forgotten:
    case Answer::Type::wrong_shard:
    case Answer::Type::invalid:
      break;
  }
  KISEKI_ASSERT(false);
}

}  // namespace

bool may_retry(const Error& error) noexcept {
  switch (error.code()) {
    case Errc::unavailable:
    case Errc::busy:
    case Errc::timed_out:
    case Errc::not_leader:
    case Errc::stale:
      return true;
    default:
      return false;
  }
}

Session::Session(Options options, const Routes& routes, CoreServices core)
    : options_(options),
      routes_(routes),
      core_(core),
      resolver_(routes, options.patience),
      slots_(options.open_max),
      background_(core.executor) {}

Task<Result<>> Session::wait_to_try(Tries& tries) {
  if (clock().now() >= tries.until) co_return fail(tries.late, tries.words);
  const Duration now = std::exchange(tries.pause, std::min(tries.pause * 2, pause_max));
  if (!co_await background_.sleep(clock(), now)) co_return fail(Errc::cancelled, "the session is stopping");
  co_return Result<>{};
}

Task<Result<Answer>> Session::deliver(ShardPort& port, std::shared_ptr<const Proposal> proposal,
                                      std::optional<Holder> asking, BootTime deadline) {
  auto attempt = Attempt::first;
  Tries tries{.until = BootTime::max()};
  bool has_made_way = false;
  for (;;) {
    auto answer = co_await port.ask(ProposeRequest{proposal, attempt}, answer_limit);
    const bool is_late = clock().now() >= deadline;
    if (answer && answer->type == Answer::Type::blocked && !answer->holder) {
      co_return fail(Errc::corrupted, "a shard does not say who is in the way");
    }
    if (answer && answer->type != Answer::Type::blocked && answer->type != Answer::Type::full) {
      co_return std::move(answer);
    }
    if (!answer) {
      if (!may_retry(answer.error())) co_return std::move(answer);
      attempt = Attempt::again;
      if (is_late) co_return fail(Errc::timed_out, answer.error().to_string());
    } else if (answer->type == Answer::Type::blocked) {
      if (is_late) co_return std::move(answer);
      const auto way = co_await resolver_.make_way(port, *answer->holder, asking);
      if (!way && !may_retry(way.error())) co_return fail(way.error());
      // Met again at once: the next time it pauses.
      if (way && !std::exchange(has_made_way, true)) continue;
    } else if (is_late) {
      co_return fail(Errc::busy, "a shard keeps too many results of the session");
    }
    KISEKI_CO_TRY(co_await wait_to_try(tries));
  }
}

Task<Result<Outcome>> Session::commit(Transaction transaction) {
  if (is_fenced()) co_return fail(Errc::fenced, "the session was fenced");
  auto outcome = co_await commit_anywhere(std::move(transaction));
  if (!outcome && outcome.error().code() == Errc::fenced) fence();
  co_return outcome;
}

Task<Result<Outcome>> Session::commit_anywhere(Transaction transaction) {
  auto permit = co_await slots_.acquire_within(clock(), options_.limit);
  if (!permit) co_return fail(Errc::busy, "too many transactions are under way");
  Tries tries{.until = deadline()};
  while (const auto route = only_route(routes_, transaction)) {
    const auto answer = co_await commit_one(*route, transaction, tries.until);
    if (!answer) co_return fail(answer.error());
    if (answer->type != Answer::Type::wrong_shard) co_return outcome_of(*answer);
    // The shard will never take it: it may be sent elsewhere under another number.
    KISEKI_CO_TRY(co_await wait_to_try(tries));
  }
  KISEKI_CO_TRY(transaction.validate());
  KISEKI_CO_TRY(transaction.validate_spread());
  co_return co_await commit_many(std::move(transaction), std::move(*permit));
}

Task<Result<Answer>> Session::commit_one(Route route, Transaction& transaction, BootTime until) {
  const TransactionId id{options_.id, sequences_.begin()};
  const auto proposal = std::make_shared<const Proposal>(Proposal{
      .stamp = {},
      .body = Commit{.id = id, .low_water = sequences_.low_water(), .transaction = std::move(transaction)}});
  auto answer = co_await deliver(*route.port, proposal, std::nullopt, until);
  sequences_.finish(id.sequence);
  if (answer && answer->type == Answer::Type::wrong_shard) {
    transaction = std::get<Commit>(proposal->body).transaction;
  }
  co_return answer;
}

Task<Result<Answer>> Session::deliver_to(LeafAddress leaf, Proposal proposal, BootTime deadline) {
  const auto shared = std::make_shared<const Proposal>(std::move(proposal));
  for (Tries tries{.until = deadline};;) {
    auto answer = co_await deliver(*routes_.of(leaf).port, shared, std::nullopt, deadline);
    if (!answer || answer->type != Answer::Type::wrong_shard) co_return answer;
    KISEKI_CO_TRY(co_await wait_to_try(tries));
  }
}

Task<Result<Outcome>> Session::commit_many(Transaction transaction, Semaphore::Permit permit) {
  const BootTime until = deadline();
  Stamp age;
  Tries tries{.until = BootTime::max()};
  for (int round = 0;; ++round) {
    auto branches = cut(routes_, transaction);
    if (!branches) co_return fail(std::move(branches).error());
    auto coordinator = std::make_unique<Coordinator>(*this, std::move(*branches), age, until);
    auto outcome = co_await coordinator->run();
    age = coordinator->age();
    const bool was_aborted = outcome && outcome->refusal == Refusal::aborted;
    const bool is_last = round + 1 >= rounds_max || clock().now() >= until;
    if (!was_aborted || is_last || !co_await coordinator->resolve(until)) {
      // What is left to resolve goes on without the caller, and keeps its place among those under way.
      background_.spawn(Coordinator::complete(std::move(coordinator), std::move(permit)));
      co_return outcome;
    }
    KISEKI_CO_TRY(co_await wait_to_try(tries));
  }
}

}  // namespace kiseki::shard::detail
