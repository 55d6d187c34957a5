#include "shard/client/registry.h"

#include "base/planted.h"

namespace kiseki::shard::detail {

namespace {

/// Well within a session's term, whatever nodes are silent.
constexpr Duration beat_limit = std::chrono::seconds(5);

constexpr int tries_max = 64;

void require_version(Transaction& transaction, const Key& key, Stamp version) {
  const auto type = version.is_none() ? Assert::Type::absent : Assert::Type::version;
  transaction.require(type, key, version);
}

}  // namespace

Task<Result<>> Registry::commit(Transaction transaction) const {
  Proposal proposal{.stamp = {}, .body = Commit::of_node(std::move(transaction))};
  const auto answer = co_await routes_.system().port->ask(ProposeRequest(std::move(proposal)));
  if (!answer) co_return fail(answer.error());
  if (answer->type == Answer::Type::decided && answer->outcome.committed()) co_return Result<>{};
  co_return fail(Errc::conflict, "system shard: another one was first");
}

Task<Result<>> Registry::everywhere(Proposal proposal) const {
  Coverage asked;
  while (const auto slot = asked.missing()) {
    auto answer = co_await routes_.of(*slot).port->ask(ProposeRequest(proposal));
    if (!answer) co_return fail(std::move(answer).error());
    if (!answer->range.contains(*slot)) co_return fail(Errc::unavailable, "a shard is being split");
    if (answer->type != Answer::Type::decided) co_return fail(Errc::busy, "a shard knows too many sessions");
    asked.add(KISEKI_PLANTED("5.1 a fence does not reach every shard") ? SlotRange{0, 65'535}
                                                                       : answer->range);
  }
  co_return Result<>{};
}

Task<Result<SessionTable>> Registry::table() const {
  RowsRequest request;
  request.scans.push_back(SessionTable::request());
  auto reply = co_await routes_.system().port->ask(std::move(request));
  if (!reply) co_return fail(std::move(reply).error());
  // A part of the table would call the others gone.
  if (reply->scans.front().more) co_return fail(Errc::too_large, "system shard: too many sessions");
  co_return SessionTable::decode(reply->scans.front().rows);
}

Task<Result<SessionId>> Registry::allocate(std::uint64_t process) const {
  for (int i = 0; i < tries_max; ++i) {
    const auto known = co_await table();
    if (!known) co_return fail(known.error());
    const SessionId next(known->last.value() + 1);
    Transaction transaction;
    require_version(transaction, last_session_key(), known->last_version);
    transaction.put(last_session_key(), last_session_record(next));
    transaction.require(Assert::Type::absent, session_key(next));
    transaction.put(session_key(next), SessionRow{.process = process}.record());
    const auto committed = co_await commit(std::move(transaction));
    if (committed) co_return next;
    if (committed.error().code() != Errc::conflict) co_return fail(committed.error());
  }
  co_return fail(Errc::busy, "too many sessions are opened at once");
}

Task<Result<>> Registry::fence(SessionTable::Entry entry) const {
  KISEKI_CO_TRY(co_await everywhere({.stamp = {}, .body = Fence{.session = entry.id}}));
  Transaction transaction;
  transaction.require(Assert::Type::version, session_key(entry.id), entry.version);
  entry.row.state = SessionRow::State::fenced;
  transaction.put(session_key(entry.id), entry.row.record());
  const auto committed = co_await commit(std::move(transaction));
  // Somebody else fenced it as well.
  if (!committed && committed.error().code() != Errc::conflict) co_return committed;
  co_return Result<>{};
}

Task<Result<std::vector<SessionId>>> Registry::beat(std::vector<SessionId> living) const {
  co_return co_await routes_.system().port->ask(BeatRequest{std::move(living)}, beat_limit);
}

Task<Result<std::vector<SessionTable::Entry>>> Registry::silent() const {
  auto known = co_await table();
  if (!known) co_return fail(std::move(known).error());
  std::erase_if(known->sessions,
                [](const auto& entry) { return entry.row.state != SessionRow::State::open; });
  std::vector<SessionId> open;
  for (const auto& entry : known->sessions) open.push_back(entry.id);
  const auto silent = co_await routes_.system().port->ask(SilentRequest{std::move(open)});
  if (!silent) co_return fail(silent.error());
  std::erase_if(known->sessions, [&silent](const auto& entry) {
    return std::ranges::find(*silent, entry.id) == silent->end();
  });
  co_return std::move(known->sessions);
}

Task<Result<SessionId>> Registry::open(std::uint64_t process) const {
  const auto opened = co_await allocate(process);
  if (!opened) co_return opened;
  const auto known = co_await table();
  if (!known) co_return fail(known.error());
  for (const auto& entry : known->sessions) {
    const bool is_earlier = entry.row.process == process && entry.id < *opened;
    const bool is_to_fence = is_earlier && entry.row.state == SessionRow::State::open;
    if (is_to_fence && !KISEKI_PLANTED("5.1 a start does not fence the session before")) {
      KISEKI_CO_TRY(co_await fence(entry));
    }
  }
  co_return opened;
}

Task<Result<>> Registry::forget(SessionTable table, std::vector<SessionTable::Entry> gone) const {
  GoneSessions all{.last = table.last, .living = {}};
  for (const auto& entry : table.sessions) all.living.push_back(entry.id);
  Transaction transaction;
  for (const auto& entry : gone) {
    std::erase(all.living, entry.id);
    transaction.require(Assert::Type::version, session_key(entry.id), entry.version);
    transaction.erase(session_key(entry.id));
  }
  KISEKI_CO_TRY(co_await everywhere({.stamp = {}, .body = Forget{.gone = std::move(all)}}));
  co_return co_await commit(std::move(transaction));
}

}  // namespace kiseki::shard::detail
