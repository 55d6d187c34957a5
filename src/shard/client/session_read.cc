#include "shard/client/gather.h"
#include "shard/client/session.h"
#include "shard/rows/session_row.h"

namespace kiseki::shard::detail {

namespace {

/// What one shard is asked, and where the answers belong.
struct ReadOfShard {
  Route route;
  RowsRequest request;
  std::vector<std::size_t> gets, scans, counters;
};

class ReadsByShard {
 public:
  explicit ReadsByShard(const Routes& routes) : routes_(routes) {}
  ReadOfShard& of(const LeafAddress& leaf) {
    const Route route = routes_.of(leaf);
    const auto found =
        std::ranges::find_if(reads_, [&route](const ReadOfShard& read) { return read.route.id == route.id; });
    if (found != reads_.end()) return *found;
    reads_.emplace_back().route = route;
    return reads_.back();
  }
  std::vector<ReadOfShard>& all() { return reads_; }

 private:
  const Routes& routes_;
  std::vector<ReadOfShard> reads_;
};

}  // namespace

/// True when anything was decided, so that the rows have to be read again.
Task<Result<bool>> Session::carry_out_all(Route route, const std::vector<Holder>& undecided) {
  bool changed = false;
  for (const auto& holder : undecided) {
    const auto one = co_await resolver_.carry_out(*route.port, holder);
    if (!one) co_return fail(one.error());
    changed = changed || *one;
  }
  co_return changed;
}

/// The rows of a moment at which every transaction that changes them was undecided, or had no lock any more
/// (rule 4.3): after each decision met, all is read again.
Task<Result<RowsReply>> Session::read_rows(Route route, RowsRequest request) {
  Tries tries{.until = deadline(), .late = Errc::unavailable, .words = "rows stay under change"};
  for (;;) {
    auto reply = co_await route.port->ask(request);
    if (reply && reply->undecided.empty()) co_return std::move(reply);
    if (reply) {
      const auto changed = co_await carry_out_all(route, reply->undecided);
      if (changed && !*changed) co_return std::move(reply);
      if (!changed && !may_retry(changed.error())) co_return fail(changed.error());
    } else if (!may_retry(reply.error()) || reply.error().code() == Errc::stale) {
      co_return std::move(reply);
    }
    KISEKI_CO_TRY(co_await wait_to_try(tries));
  }
}

Task<Result<ReadReply>> Session::read(ReadRequest request) {
  if (std::ranges::any_of(request.scans, is_scanned, &Scan::kind)) {
    co_return fail(Errc::invalid_argument, "read: a kind that consumers scan");
  }
  for (Tries tries{.until = deadline(), .late = Errc::unavailable};;) {
    auto reply = co_await read_once(request);
    if (reply || reply.error().code() != Errc::stale) co_return reply;
    KISEKI_CO_TRY(co_await wait_to_try(tries));
  }
}

/// The one shard of all that is read; nothing: there are several, or none.
std::optional<Route> Session::route_of_all(const ReadRequest& request) const {
  std::optional<Route> route;
  const auto is_there = [&](const LeafAddress& leaf) {
    if (!route) route = routes_.of(leaf);
    return route->range.contains(slot_of(leaf));
  };
  const bool all = std::ranges::all_of(request.gets, is_there, [](const Get& one) { return one.key.leaf; }) &&
                   std::ranges::all_of(request.scans, is_there, &Scan::leaf) &&
                   std::ranges::all_of(request.counters, is_there);
  return all ? route : std::nullopt;
}

Task<Result<ReadReply>> Session::read_once(const ReadRequest& request) {
  if (const auto route = route_of_all(request)) {
    auto reply = co_await read_rows(*route, {request.gets, request.scans, request.counters});
    if (!reply) co_return fail(std::move(reply).error());
    co_return ReadReply{std::move(reply->gets), std::move(reply->scans), std::move(reply->counters)};
  }
  ReadsByShard reads(routes_);
  for (std::size_t i = 0; i < request.gets.size(); ++i) {
    auto& read = reads.of(request.gets[i].key.leaf);
    read.request.gets.push_back(request.gets[i]);
    read.gets.push_back(i);
  }
  for (std::size_t i = 0; i < request.scans.size(); ++i) {
    auto& read = reads.of(request.scans[i].leaf);
    read.request.scans.push_back(request.scans[i]);
    read.scans.push_back(i);
  }
  for (std::size_t i = 0; i < request.counters.size(); ++i) {
    auto& read = reads.of(request.counters[i]);
    read.request.counters.push_back(request.counters[i]);
    read.counters.push_back(i);
  }
  std::vector<Task<Result<RowsReply>>> under_way;
  for (auto& read : reads.all()) under_way.push_back(read_rows(read.route, std::move(read.request)));
  auto replies = co_await gather(core_.executor, std::move(under_way));
  ReadReply whole;
  whole.gets.resize(request.gets.size());
  whole.scans.resize(request.scans.size());
  whole.counters.resize(request.counters.size());
  for (std::size_t p = 0; p < replies.size(); ++p) {
    if (!replies[p]) co_return fail(std::move(replies[p]).error());
    const auto& read = reads.all()[p];
    whole.configuration = std::max(whole.configuration, replies[p]->configuration);
    for (std::size_t i = 0; i < read.gets.size(); ++i) {
      whole.gets[read.gets[i]] = std::move(replies[p]->gets[i]);
    }
    for (std::size_t i = 0; i < read.scans.size(); ++i) {
      whole.scans[read.scans[i]] = std::move(replies[p]->scans[i]);
    }
    for (std::size_t i = 0; i < read.counters.size(); ++i) {
      whole.counters[read.counters[i]] = replies[p]->counters[i];
    }
  }
  co_return whole;
}

Task<Result<std::vector<Counters>>> Session::counters(std::vector<LeafAddress> leaves) {
  auto reply = co_await read({.gets = {}, .scans = {}, .counters = std::move(leaves)});
  if (!reply) co_return fail(std::move(reply).error());
  co_return std::move(reply->counters);
}

/// The answer leaves with the routes as they were when it was given, so that who asks every shard knows that
/// it has reached all of them.
Task<Result<std::vector<Row>>> Session::scan(ShardId shard, Kind kind, Stamp after, std::uint32_t rows_max) {
  Tries tries{.until = deadline(), .late = Errc::unavailable};
  auto route = routes_.find(shard);
  if (!route) co_return fail(Errc::not_found, "scan: no such shard");
  auto scanned = co_await route->port->ask(ScanRequest{kind, after, rows_max});
  if (!scanned) co_return fail(std::move(scanned).error());
  while (route->range.last > scanned->range.last) {
    KISEKI_CO_TRY(co_await wait_to_try(tries));
    route = routes_.find(shard);
  }
  co_return std::move(scanned->rows);
}

Task<Result<std::vector<Row>>> Session::abandoned(ShardId shard, std::uint32_t rows_max) {
  const auto route = routes_.find(shard);
  if (!route) co_return fail(Errc::not_found, "abandoned: no such shard");
  // Sessions first: one that is opened after this look is not among those up to the last.
  RowsRequest request;
  request.scans.push_back(SessionTable::request());
  auto reply = co_await read_rows(routes_.system(), std::move(request));
  if (!reply) co_return fail(std::move(reply).error());
  if (reply->scans.front().more) co_return fail(Errc::too_large, "system shard: too many sessions");
  const auto table = SessionTable::decode(reply->scans.front().rows);
  if (!table) co_return fail(table.error());
  co_return co_await route->port->ask(PendingRequest{table->gone(), rows_max});
}

Task<Result<>> Session::cover(Coverage& coverage, Slot slot, SlotRange range, Tries tries) {
  coverage.add(range);
  if (range.contains(slot)) co_return Result<>{};
  co_return co_await wait_to_try(tries);
}

/// Until nothing prepared under an older configuration of the namespace is left.
Task<Result<SlotRange>> Session::drain(Route route, NamespaceId ns, std::uint32_t epoch, BootTime deadline) {
  for (;;) {
    const auto reply = co_await route.port->ask(SweepRequest{});
    if (!reply) co_return fail(reply.error());
    const auto found = std::ranges::find_if(reply->prepared, [&](const PreparedTransaction& one) {
      return std::ranges::any_of(
          one.namespaces, [&](const NamespaceEpoch& known) { return known.ns == ns && known.epoch < epoch; });
    });
    if (found == reply->prepared.end()) co_return reply->range;
    if (clock().now() >= deadline) co_return fail(Errc::timed_out, "older transactions do not end");
    KISEKI_CO_TRY(co_await resolver_.make_way(*route.port, found->holder, std::nullopt));
  }
}

Task<Result<>> Session::configure(NamespaceId ns, std::uint32_t epoch, NamespaceState state) {
  const BootTime until = deadline();
  const auto proposal = std::make_shared<const Proposal>(
      Proposal{.stamp = {}, .body = Configure{.ns = ns, .epoch = epoch, .state = state}});
  Coverage told;
  while (const auto slot = told.missing()) {
    const auto answer = co_await deliver(*routes_.of(*slot).port, proposal, std::nullopt, until);
    if (!answer) co_return fail(answer.error());
    if (answer->type == Answer::Type::stale) co_return fail(Errc::stale, "a newer configuration is known");
    KISEKI_CO_TRY(co_await cover(told, *slot, answer->range, {.until = until}));
  }
  Coverage drained;
  while (const auto slot = drained.missing()) {
    const auto range = co_await drain(routes_.of(*slot), ns, epoch, until);
    if (!range) co_return fail(range.error());
    KISEKI_CO_TRY(co_await cover(drained, *slot, *range, {.until = until}));
  }
  co_return Result<>{};
}

}  // namespace kiseki::shard::detail
