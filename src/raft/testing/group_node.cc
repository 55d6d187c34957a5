#include "raft/testing/group_node.h"

#include <fmt/format.h>

namespace kiseki::raft {

namespace {

constexpr GroupId group{7};

}  // namespace

GroupNode::GroupNode(GroupSurroundings surroundings, NodeId id, std::uint64_t seed, SnapshotMeta base)
    : around_(surroundings),
      id_(id),
      rng_(seed),
      base_(std::move(base)),
      clock_(around_.loop),
      disk_(clock_, seed, {.latency_min = around_.disk_latency / 10, .latency_max = around_.disk_latency}),
      store_(std::make_unique<sim::CrashableKv>(1)) {}

GroupNode::~GroupNode() { stop(); }

Result<> GroupNode::open_log() {
  auto opened =
      around_.loop.get(Log::open(disk_, around_.loop.executor(), clock_,
                                 {.directory = "/log", .segment_size = 64_KiB, .spare_segments = 1}));
  if (!opened) return fail(std::move(opened).error());
  log_ = std::move(*opened);
  return {};
}

Result<> GroupNode::open_replica() {
  auto recovered = log_->take_recovered();
  if (recovered.empty()) {
    KISEKI_TRY(around_.loop.get(log_->create(group, id_, base_)));
    recovered.emplace(group, Recovered{.replica = id_, .base = base_, .hard_state = {}, .tail = {}});
  }
  machine_ = std::make_unique<RegisterMachine>(
      *store_, clock_, base_,
      RegisterMachine::Observer{
          .applied = [this](const RegisterMachine::Applied& applied) { on_applied(applied); },
          .leadership =
              [this](Role role, Term term) {
                around_.trace.note(around_.loop.now(), [&] {
                  return fmt::format("node {} is {} in term {}", id_,
                                     role == Role::leader ? "leader" : "no leader", term);
                });
                if (role == Role::leader) around_.history.on_leader(id_, term);
              },
          .removed = [this] { was_removed_ = true; }});
  transport_ =
      std::make_unique<SimulatedTransport>(around_.network, node_of(id_), clock_, around_.loop.executor());
  Replica::Options options = around_.options;
  options.group = group;
  options.replica = id_;
  options.seed = rng_.next();
  auto opened = around_.loop.get(Replica::open(options, std::move(recovered.at(group)),
                                               {.machine = *machine_,
                                                .log = *log_,
                                                .clock = clock_,
                                                .executor = around_.loop.executor(),
                                                .transport = transport_.get(),
                                                .snapshots = machine_.get()}));
  if (!opened) return fail(std::move(opened).error());
  replica_ = std::move(*opened);
  transport_->open(*replica_);
  return {};
}

bool GroupNode::is_explained(const Error& error) const {
  return error.code() == Errc::io_error || error.code() == Errc::no_space;
}

void GroupNode::start() {
  if (is_gone_ || replica_) return;
  ++lives_;
  auto started = open_log();
  if (started) started = open_replica();
  around_.trace.note(around_.loop.now(), [&] {
    return fmt::format("node {} starts: {}, applied {}", id_, started ? "ok" : started.error().to_string(),
                       machine_ ? machine_->applied() : 0);
  });
  if (started) return;
  if (!is_explained(started.error())) {
    around_.history.violate(fmt::format("node {} does not start: {}", id_, started.error().to_string()));
  }
  stop();
}

void GroupNode::stop() {
  is_stopping_ = true;
  if (transport_) transport_->close();
  for (const auto& [index, waiter] : waiters_) waiter->answered.set();
  waiters_.clear();
  if (replica_) {
    around_.loop.get(replica_->stop());
    while (visits_ > 0 && around_.loop.step()) {
    }
  }
  if (transport_) around_.loop.get(transport_->stop());
  replica_.reset();
  if (log_) around_.loop.get(log_->stop());
  log_.reset();
  transport_.reset();
  machine_.reset();
  is_stopping_ = false;
}

void GroupNode::crash() {
  if (!replica_) return;
  around_.trace.note(around_.loop.now(), [&] { return fmt::format("node {} crashes", id_); });
  disk_.crash();
  stop();
  store_->crash(rng_.next());
}

void GroupNode::destroy() {
  crash();
  is_gone_ = true;
}

void GroupNode::wipe(SnapshotMeta base) {
  crash();
  base_ = std::move(base);
  store_ = std::make_unique<sim::CrashableKv>(1);
  for (const auto& path : disk_.files()) std::ignore = around_.loop.get(disk_.remove(path));
  std::ignore = around_.loop.get(disk_.sync_directory("/log"));
}

void GroupNode::mind() {
  if (!replica_) return;
  if (was_removed_) return destroy();
  if (!replica_->failure()) return;
  if (!is_explained(*replica_->failure())) {
    around_.history.violate(
        fmt::format("node {} failed without a fault: {}", id_, replica_->failure()->to_string()));
  }
  disk_.faults() = {};
  crash();
  start();
}

void GroupNode::on_applied(const RegisterMachine::Applied& applied) {
  around_.history.on_applied(id_, applied);
  const auto found = waiters_.find(applied.entry.index);
  if (found == waiters_.end()) return;
  Waiter& waiter = *found->second;
  if (waiter.term == applied.entry.term) waiter.is_done = !applied.is_refused_swap;
  waiter.answered.set();
  waiters_.erase(found);
}

void GroupNode::await(Index index, Waiter& waiter) {
  if (const auto older = waiters_.find(index); older != waiters_.end()) older->second->answered.set();
  waiters_[index] = &waiter;
}

void GroupNode::forget(Index index, const Waiter& waiter) {
  const auto found = waiters_.find(index);
  if (found != waiters_.end() && found->second == &waiter) waiters_.erase(found);
}

}  // namespace kiseki::raft
