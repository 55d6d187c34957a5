#include "shard/testing/shard_world.h"

#include <set>
#include <stdexcept>

#include "base/assert.h"
#include "shard/snapshots/removal.h"

namespace kiseki::shard::detail {

TinyJournal::TinyJournal(TinyLog& log, Shard& shard, Executor executor)
    : log_(log), shard_(shard), executor_(executor) {}

Result<raft::Replica::Position> TinyJournal::propose(std::string payload) {
  log_.entries.push_back(std::move(payload));
  if (!std::exchange(posted_, true)) {
    asio::post(executor_, [this, alive = alive_] {
      if (!*alive) return;
      posted_ = false;
      replay();
    });
  }
  return raft::Replica::Position{.index = log_.entries.size() + 1, .term = 1};
}

void TinyJournal::replay() {
  if (log_.has_failed) return;
  std::vector<raft::Entry> entries;
  for (raft::Index index = shard_.applied() + 1; index < log_.entries.size() + 2; ++index) {
    entries.push_back({.index = index,
                       .term = 1,
                       .type = raft::EntryType::normal,
                       .data = as_view(log_.entries[index - 2]),
                       .owner = nullptr});
  }
  if (const auto applied = shard_.apply(entries, nullptr); !applied) {
    log_.has_failed = true;
    shard_.failed();
  }
}

Task<Result<Reply>> MortalPort::pass(Task<Result<Reply>> call) {
  // A message takes a turn of the loop.
  co_await asio::post(asio::bind_executor(late_.executor(), use_task));
  const bool is_last = --life_.messages == 0;
  if (life_.messages < 0 || (is_last && !life_.last_arrives)) {
    co_return fail(Errc::cancelled, "dead");
  }
  auto answer = co_await std::move(call);
  if (life_.is_dead()) co_return fail(Errc::cancelled, "dead");
  co_return answer;
}

Task<> MortalPort::deliver_late(std::shared_ptr<const Proposal> proposal, Duration delay) {
  if (!co_await late_.sleep(clock_, delay)) co_return;
  const auto ignored = co_await shard_.call(ProposeRequest{std::move(proposal), Attempt::again}, call_limit);
  (void)ignored;
}

namespace {

TransactionId id_of(const Proposal& proposal) {
  if (const auto* commit = std::get_if<Commit>(&proposal.body)) return commit->id;
  if (const auto* prepare = std::get_if<Prepare>(&proposal.body)) return prepare->id;
  return {};
}

}  // namespace

Task<Result<Reply>> MortalPort::propose(ProposeRequest request) {
  const Proposal& proposal = *request.proposal;
  auto& attempt = request.attempt;
  const bool is_prepare = std::holds_alternative<Prepare>(proposal.body);
  const bool is_resolve = std::holds_alternative<Resolve>(proposal.body);
  Answer answer;
  answer.range = {.first = 0, .last = 65535};
  if (is_resolve && weather_.lie == Lie::swallow_resolve) co_return answer;
  if (std::holds_alternative<Fence>(proposal.body) && weather_.lie == Lie::swallow_fence) co_return answer;
  if (is_prepare && weather_.lie == Lie::pretend_prepared && weather_.rng.below(4) == 0) {
    const auto& prepare = std::get<Prepare>(proposal.body);
    answer.type = Answer::Type::prepared;
    answer.holder = Holder{.id = prepare.id, .age = Stamp(1), .primary = prepare.primary};
    co_return answer;
  }
  if (weather_.rng.below(100) < weather_.duplicates) {
    late_.spawn(deliver_late(request.proposal, std::chrono::microseconds(weather_.rng.below(3'000'000))));
    repeated_.insert(id_of(proposal));
  }
  if (repeated_.contains(id_of(proposal))) attempt = Attempt::again;
  if (const auto delay = std::exchange(weather_.delay_next, std::nullopt)) {
    late_.spawn(deliver_late(request.proposal, *delay));
    co_return fail(Errc::timed_out, "the message is very slow");
  }
  const bool loses_answer = weather_.rng.below(100) < weather_.lost_answers;
  if (weather_.lie == Lie::refuse_again) attempt = Attempt::first;
  if (loses_answer && weather_.rng.below(2) == 0) {
    // The message is slow: the user has given it up when it arrives.
    late_.spawn(deliver_late(request.proposal, std::chrono::microseconds(weather_.rng.below(20'000))));
    co_return fail(Errc::timed_out, "the message was slow");
  }
  auto real = co_await shard_.call(ProposeRequest(request.proposal, attempt), call_limit);
  if (loses_answer) co_return fail(Errc::timed_out, "the answer was lost");
  co_return real;
}

Task<Result<Reply>> MortalPort::call(Request request, Duration limit) {
  if (auto* proposed = std::get_if<ProposeRequest>(&request)) {
    co_return co_await pass(propose(std::move(*proposed)));
  }
  auto reply = co_await pass(shard_.call(std::move(request), limit));
  if (!reply) co_return reply;
  if (auto* rows = std::get_if<RowsReply>(&*reply)) {
    if (weather_.lie == Lie::forget_undecided) rows->undecided.clear();
  }
  if (auto* status = std::get_if<TransactionStatus>(&*reply)) tell(*status);
  co_return reply;
}

void MortalPort::tell(TransactionStatus& status) const {
  if (status.type != TransactionStatus::Type::pending) return;
  if (weather_.lie == Lie::call_pending_aborted) status.type = TransactionStatus::Type::aborted;
  if (weather_.lie == Lie::call_pending_committed) {
    const auto now = std::chrono::floor<std::chrono::milliseconds>(clock_.wall().time_since_epoch());
    // After every prepare.
    const Stamp stamp(static_cast<std::uint64_t>(now.count() + 1) << 16);
    status = TransactionStatus{.type = TransactionStatus::Type::committed, .stamp = stamp};
  }
}

Result<> remove_replica(kv::KvStore& store, ShardId shard) {
  auto removal = Removal::begin(store, shard);
  if (!removal) return fail(removal.error());
  return carry_out(*removal);
}

ShardWorld::ShardWorld(std::uint32_t data_shards) : next_child_(data_shards + 1) {
  kv::Batch batch;
  const auto ranges = ranges_of(data_shards);
  set_wall_offset({});
  for (std::uint32_t i = 0; i < ranges.size(); ++i) {
    Machine::create(batch, ShardId(i), ranges[i], first_base());
  }
  KISEKI_ASSERT(store_->write(batch).has_value() && store_->flush().has_value());
  start();
}

ShardWorld::~ShardWorld() { end(); }

void ShardWorld::set_wall_offset(Duration offset) {
  clock_.set_wall_offset(offset);
  stamps_.set(clock_.wall(), clock_.now());
}

void ShardWorld::start() {
  late_ = std::make_unique<Scope>(loop_.executor());
  alive_ = std::make_shared<bool>(true);
  follow();
  sweeper_ = std::make_unique<Sweeper>(*routes_, clock_);
}

void ShardWorld::open(ShardId id) {
  KISEKI_ASSERT(ShardSnapshots::finish(*store_, id).has_value());
  auto machine = Machine::open(*store_, id);
  KISEKI_ASSERT(machine.has_value());
  auto one = std::make_unique<OneShard>();
  one->shard = std::make_unique<Shard>(std::move(*machine), *store_, pool_, clock_, stamps_);
  one->journal = std::make_unique<TinyJournal>(logs_[id], *one->shard, loop_.executor());
  one->journal->replay();
  one->shard->attach(*one->journal);
  // Children appear some time after the split: their log has to be made first.
  one->shard->on_change([this, alive = alive_] {
    asio::post(loop_.executor(), [this, alive] {
      if (*alive) follow();
    });
  });
  shards_.emplace(id, std::move(one));
}

void ShardWorld::follow() {
  for (bool opened = true; std::exchange(opened, false);) {
    for (const ShardId id : Machine::all(*store_).value()) {
      if (shards_.contains(id)) continue;
      open(id);
      opened = true;
    }
  }
  std::vector<Route> routes;
  for (const auto& [id, one] : shards_) {
    routes.push_back({.id = id, .range = one->shard->machine().range(), .port = one->shard.get()});
  }
  std::ranges::sort(routes, {}, [](const Route& route) { return route.range.first; });
  if (routes_) {
    routes_->replace(std::move(routes));
  } else {
    routes_ = std::make_unique<Routes>(std::move(routes));
  }
  for (const auto& session : sessions_) take_routes(*session);
}

void ShardWorld::take_routes(MortalSession& session) {
  std::vector<Route> routes = routes_->all();
  for (auto& route : routes) {
    auto& port = session.ports[route.id];
    if (!port) port = std::make_unique<MortalPort>(*route.port, session.life, weather_, *late_, clock_);
    route.port = port.get();
  }
  if (session.routes) {
    session.routes->replace(std::move(routes));
  } else {
    session.routes = std::make_unique<Routes>(std::move(routes));
  }
}

Answer ShardWorld::split(ShardId shard, Slot first) {
  const ShardId child(next_child_++);
  Proposal proposal{.stamp = {}, .body = Split{.child = child, .first = first}};
  auto answer = loop_.get(shards_.at(shard)->shard->ask(ProposeRequest{std::move(proposal), Attempt::again}));
  if (!answer) throw std::runtime_error(answer.error().to_string());
  return std::move(*answer);
}

/// What a replica does that is told to take a snapshot in.
void ShardWorld::ingest(ShardId id, sim::CrashableKv& target, SeededRng& rng) {
  std::unique_ptr<Machine> machine;
  const auto open_target = [&] {
    KISEKI_ASSERT(ShardSnapshots::finish(target, id).has_value());
    machine = std::move(Machine::open(target, id).value());
  };
  if (!Machine::open(target, id)) {
    kv::Batch batch;
    Machine::create_empty(batch, id);
    KISEKI_ASSERT(target.write(batch).has_value());
  }
  open_target();
  const auto set = [&machine](std::unique_ptr<Machine> next) {
    machine = std::move(next);
    return Result<>{};
  };
  const auto get = [&machine]() -> const Machine& { return *machine; };
  ShardSnapshots from(
      id, *store_, pool_, [&]() -> const Machine& { return shard(id.value()).machine(); }, set);
  ShardSnapshots into(id, target, pool_, get, set);
  auto source = from.take().value();
  const raft::Index index = source->meta().index;
  if (machine->applied() >= index) return;
  const auto staged = loop_.get(into.stage(*source));
  KISEKI_ASSERT(staged.has_value());
  source.reset();
  if (rng.below(3) == 0) {
    // The node dies in the middle of the installation: what it wrote last is cut off.
    target.set_full(true);
    KISEKI_ASSERT(!loop_.get(into.install(index)));
    target.set_full(false);
    target.crash(rng.next());
    open_target();
  }
  const auto installed = loop_.get(into.install(index));
  KISEKI_ASSERT(installed.has_value());
}

void ShardWorld::change_store(SeededRng& rng) {
  follow();
  std::set<ShardId> ingested;
  while (ingested.size() < shards_.size()) {
    for (const auto& [id, one] : shards_) {
      if (ingested.insert(id).second) ingest(id, *other_store_, rng);
    }
    follow();
  }
  end();
  std::swap(store_, other_store_);
  start();
}

void ShardWorld::end() {
  for (const auto& session : sessions_) {
    session->life.messages = 0;
    session->session->request_stop();
  }
  late_->request_stop();
  *alive_ = false;
  for (const auto& [id, one] : shards_) one->shard->stop();
  for (const auto& session : sessions_) loop_.get(session->session->stop());
  loop_.get(late_->stop());
  for (const auto& [id, one] : shards_) loop_.get(one->shard->quiet());
  loop_.run();
  sessions_.clear();
  shards_.clear();
  sweeper_.reset();
  routes_.reset();
}

void ShardWorld::crash(std::uint64_t seed) {
  end();
  store_->crash(seed);
  start();
}

MortalSession& ShardWorld::connect(std::uint64_t process) {
  auto mortal = std::make_unique<MortalSession>();
  take_routes(*mortal);
  const auto calm = std::pair(std::exchange(weather_.duplicates, 0), std::exchange(weather_.lost_answers, 0));
  auto opened = loop_.get(Registry(*mortal->routes).open(process));
  // A split is followed a moment later.
  for (int i = 0; i < 100 && !opened && opened.error().code() == Errc::unavailable; ++i) {
    loop_.run_for(std::chrono::milliseconds(1));
    take_routes(*mortal);
    opened = loop_.get(Registry(*mortal->routes).open(process));
  }
  std::tie(weather_.duplicates, weather_.lost_answers) = calm;
  if (!opened) throw std::runtime_error(opened.error().to_string());
  Session::Options options;
  options.id = *opened;
  mortal->session =
      std::make_unique<Session>(options, *mortal->routes, CoreServices{loop_.executor(), &clock_});
  sessions_.push_back(std::move(mortal));
  return *sessions_.back();
}

void ShardWorld::sweep() {
  auto swept = loop_.get(sweeper_->sweep());
  for (int i = 0; i < 100 && !swept && swept.error().code() == Errc::unavailable; ++i) {
    loop_.run_for(std::chrono::milliseconds(1));
    swept = loop_.get(sweeper_->sweep());
  }
  if (!swept) throw std::runtime_error(swept.error().to_string());
}

void ShardWorld::expire() {
  const auto expired = loop_.get(sweeper_->expire());
  if (!expired) throw std::runtime_error(expired.error().to_string());
}

LeafAddress ShardWorld::leaf_in(std::size_t shard, std::uint64_t nth) const {
  for (std::uint64_t container = 1;; ++container) {
    const LeafAddress leaf{test_namespace, InodeId(container), LeafId(0)};
    if (routes_->of(leaf).id.value() == shard && nth-- == 0) return leaf;
  }
}

bool ShardWorld::has_failed() const {
  return std::ranges::any_of(logs_, [](const auto& log) { return log.second.has_failed; });
}

bool ShardWorld::is_clean() {
  for (const auto& [id, one] : shards_) {
    if (!one->shard->machine().locks().all().empty()) return false;
  }
  const auto rows = store_->iterate(family_rows, {}, nullptr);
  for (rows->seek({}); rows->valid(); rows->next()) {
    const auto key = Key::decode(rows->key());
    if (!key || key->kind == Kind::intent) return false;
  }
  return true;
}

}  // namespace kiseki::shard::detail
