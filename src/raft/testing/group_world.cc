#include "raft/testing/group_world.h"

#include <fmt/format.h>

#include "base/planted.h"
#include "raft/members.h"

namespace kiseki::raft {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Duration watch_delay = milliseconds(400);

Replica::Options replica_options(Replica::Quiesce quiesce) {
  Replica::Options options;
  options.tick = milliseconds(50);
  options.heartbeat_ticks = 2;
  options.election_ticks = 10;
  options.election_ticks_max = 20;
  options.clock_drift_max = 50;
  options.retained_max = 50;
  options.quiesce = quiesce;
  return options;
}

Duration up_to(std::uint64_t argument, Duration most) {
  return Duration(argument % static_cast<std::uint64_t>(most.count()));
}

}  // namespace

GroupWorld::GroupWorld(const GroupProfile& profile, std::uint64_t seed, sim::Trace& trace)
    : profile_(profile),
      rng_(seed ^ 0x5eed),
      network_(loop_, seed),
      trace_(trace),
      around_{.loop = loop_,
              .network = network_,
              .history = history_,
              .trace = trace_,
              .options = replica_options(profile.quiesce),
              .disk_latency = profile.disk_latency},
      began_(loop_.now()),
      users_(loop_.executor()) {
  network_.weather() = profile.weather;
  SnapshotMeta base{1, 1, {}};
  for (NodeId id = 1; id <= profile.voters; ++id) base.conf.voters.push_back(id);
  for (NodeId id = 1; id <= profile.learners; ++id) base.conf.learners.push_back(profile.voters + id);
  while (next_id_ <= profile.voters + profile.learners) add(next_id_, base);
  for (std::uint64_t i = 1; i <= profile.clients; ++i) {
    clients_.push_back(std::make_unique<GroupClient>(i, seed, nodes_, around_, profile.habits));
    users_.spawn(clients_.back()->run(users_));
  }
}

GroupWorld::~GroupWorld() {
  users_.request_stop();
  loop_.get(users_.stop());
  nodes_.clear();
}

GroupNode& GroupWorld::add(NodeId id, SnapshotMeta base) {
  next_id_ = std::max(next_id_, id + 1);
  const auto node =
      nodes_.emplace(id, std::make_unique<GroupNode>(around_, id, rng_.next(), std::move(base)));
  node.first->second->start();
  return *node.first->second;
}

GroupNode* GroupWorld::leader() {
  GroupNode* found = nullptr;
  for (const auto& [id, node] : nodes_) {
    if (node->is_leader() && (found == nullptr || found->replica().term() < node->replica().term())) {
      found = node.get();
    }
  }
  return found;
}

/// Any node that is not gone.
GroupNode* GroupWorld::pick(Argument argument) {
  std::vector<GroupNode*> here;
  for (const auto& [id, node] : nodes_) {
    if (!node->is_gone()) here.push_back(node.get());
  }
  return here.empty() ? nullptr : here[argument % here.size()];
}

void GroupWorld::later(Duration delay, std::function<void()> action) {
  later_.emplace(loop_.now() + delay, std::move(action));
}

void GroupWorld::mind() {
  for (const auto& [id, node] : nodes_) node->mind();
}

void GroupWorld::advance(Duration until) {
  const BootTime target = began_ + until;
  while (loop_.now() < target && violation().empty()) {
    BootTime next = std::min(target, loop_.now() + milliseconds(20));
    if (!later_.empty()) next = std::min(next, std::max(later_.begin()->first, loop_.now()));
    loop_.run_for(next - loop_.now());
    while (!later_.empty() && later_.begin()->first <= loop_.now()) {
      const auto action = later_.extract(later_.begin());
      action.mapped()();
    }
    mind();
  }
}

void GroupWorld::take(const sim::Step& step) {
  trace_.note(loop_.now(), [&] { return fmt::format("step: {} {}", step.what, step.argument); });
  const Argument argument = step.argument >> 8;
  GroupNode* node = step.what.ends_with("leader") ? leader() : pick(step.argument & 0xff);
  if (step.what == "split") return split(argument);
  if (step.what == "weather") return set_weather(argument);
  if (step.what == "clocks") return set_clocks(argument);
  if (step.what == "transfer") return transfer(argument);
  if (step.what == "add learner") return add_learner();
  if (step.what == "promote") return promote();
  if (step.what == "remove") return remove(argument);
  if (step.what == "replace") return replace(0);
  if (step.what == "wipe") return wipe();
  if (step.what == "power cut") return cut_power(argument);
  if (step.what == "promise") return forget_promise(argument);
  if (node == nullptr) return;
  if (step.what.starts_with("crash")) {
    return crash(*node, step.what == "crash soon" ? milliseconds(1) : up_to(argument, seconds(2)));
  }
  if (step.what.starts_with("isolate") || step.what == "flap") {
    return isolate(node->id(), step.what == "flap" ? 3 : argument);
  }
  if (step.what == "compact") return compact(*node, argument);
  if (step.what == "flush") return std::ignore = node->store().flush(), void();
  trouble_disk(*node, step.what, argument);
}

void GroupWorld::crash(GroupNode& node, Duration down) {
  node.crash();
  tell_of_loss();
  later(down, [&node] { node.start(); });
}

void GroupWorld::tell_of_loss() {
  if (profile_.quiesce == Replica::Quiesce::no) return;
  later(watch_delay, [this] {
    for (const auto& [id, node] : nodes_) {
      if (node->is_up()) node->replica().wake();
    }
  });
}

/// Of all nodes at once.
void GroupWorld::cut_power(Argument argument) {
  for (const auto& [id, node] : nodes_) node->disk().crash();
  for (const auto& [id, node] : nodes_) crash(*node, up_to(argument >> id, milliseconds(500)));
}

/// One follower loses sight of the leader; when its patience is at an end the other one, who still hears it,
/// restarts and hears it no more.
void GroupWorld::forget_promise(Argument argument) {
  GroupNode* at = leader();
  if (at == nullptr || nodes_.size() != 3) return;
  const NodeId top = at->id();
  const NodeId lost = top % 3 + 1;
  const NodeId faithful = lost % 3 + 1;
  network_.cut(top, lost);
  network_.cut(lost, top);
  later(milliseconds(600) + up_to(argument, milliseconds(400)), [this, top, faithful] {
    network_.cut(top, faithful);
    network_.cut(faithful, top);
    crash(*nodes_.at(faithful), milliseconds(1));
    later(seconds(1), [this] { network_.heal_all(); });
  });
}

/// Both ways, one way or in turns, for a while.
void GroupWorld::isolate(NodeId node, Argument argument) {
  for (const auto& [other, there] : nodes_) {
    if (other == node) continue;
    if (argument % 4 == 3) {
      network_.flap(node, other, milliseconds(300));
    } else {
      if (argument % 4 != 1) network_.cut(node, other);
      if (argument % 4 != 2) network_.cut(other, node);
    }
  }
  tell_of_loss();
  later(milliseconds(200) + up_to(argument >> 2, seconds(2)), [this] { network_.heal_all(); });
}

void GroupWorld::split(Argument argument) {
  std::vector<std::set<NodeId>> parts(2);
  for (const auto& [id, node] : nodes_) parts[(argument >> (id % 16)) & 1].insert(id);
  network_.part(parts);
  tell_of_loss();
  later(milliseconds(200) + up_to(argument >> 16, seconds(3)), [this] { network_.heal_all(); });
}

void GroupWorld::set_weather(Argument argument) {
  auto& weather = network_.weather();
  weather.lost = static_cast<std::uint32_t>(argument % 4 * 30'000);
  weather.repeated = static_cast<std::uint32_t>((argument >> 2) % 4 * 50'000);
  weather.late = static_cast<std::uint32_t>((argument >> 4) % 4 * 20'000);
  weather.delay_max = milliseconds(1 + (argument >> 6) % 40);
}

/// The extremes: the leader's clock slow and those of the others fast, or any other way.
void GroupWorld::set_clocks(Argument argument) {
  const GroupNode* at_top = leader();
  const auto most = static_cast<std::int32_t>(around_.options.clock_drift_max);
  for (const auto& [id, node] : nodes_) {
    const bool is_slow = argument % 2 == 0 ? node.get() == at_top : (argument >> (id % 16) & 1) != 0;
    node->clock().set_drift(is_slow ? -most : most);
  }
}

void GroupWorld::trouble_disk(GroupNode& node, std::string_view what, Argument argument) {
  if (what.starts_with("slow")) node.disk().faults().slow = 200'000;
  node.disk().faults().slow_latency = milliseconds(50 + argument % 400);
  if (what == "full disk") node.disk().set_capacity(node.disk().used());
  if (what == "failing disk") node.disk().faults().sync_errors = 300'000;
  later(milliseconds(300) + up_to(argument >> 9, seconds(3)), [&node] {
    node.disk().faults() = {};
    node.disk().set_capacity(1_GiB);
  });
}

void GroupWorld::transfer(Argument argument) {
  GroupNode* at = leader();
  if (at == nullptr) return;
  const auto voters = at->replica().status().conf.voters;
  std::ignore = at->replica().transfer_leader(voters[argument % voters.size()]);
}

void GroupWorld::add_learner() {
  GroupNode* at = leader();
  if (at == nullptr || nodes_.size() > 9) return;
  const ConfChange change{ConfChange::Type::add_learner, next_id_};
  if (!at->replica().propose_conf({&change, 1})) return;
  add(next_id_, {});
}

void GroupWorld::promote() {
  GroupNode* at = leader();
  if (at == nullptr) return;
  const auto conf = at->replica().status().conf;
  if (conf.learners.empty() || conf.voters.size() >= 5) return;
  const ConfChange change{ConfChange::Type::add_voter, conf.learners.front()};
  std::ignore = at->replica().propose_conf({&change, 1});
}

void GroupWorld::remove(Argument argument) {
  GroupNode* at = leader();
  if (at == nullptr) return;
  const auto conf = at->replica().status().conf;
  const auto& from = conf.voters.size() > 3 ? conf.voters : conf.learners;
  if (from.empty()) return;
  const ConfChange change{ConfChange::Type::remove, from[argument % from.size()]};
  if (change.replica == at->id()) return transfer(argument + 1);
  std::ignore = at->replica().propose_conf({&change, 1});
}

/// By way of a joint configuration: a new voter for `old`, or for any that is not the leader.
void GroupWorld::replace(NodeId old) {
  GroupNode* at = leader();
  if (at == nullptr || nodes_.size() > 12) return;
  const auto conf = at->replica().status().conf;
  for (const NodeId voter : conf.voters) {
    if (old == 0 && voter != at->id()) old = voter;
  }
  if (old == 0 || old == at->id() || !is_member(conf, old)) return;
  const std::vector<ConfChange> changes{{ConfChange::Type::add_voter, next_id_},
                                        {ConfChange::Type::remove, old}};
  if (!at->replica().propose_conf(changes)) return;
  add(next_id_, {});
}

/// A voter loses all it had, for good; a new one takes its place. Once a run, when all others are well. What
/// only the leader and the lost one had is at stake: a third one was cut off before, and the leader is after.
void GroupWorld::wipe() {
  GroupNode* at = leader();
  if (at == nullptr || has_lost_) return;
  const auto conf = at->replica().status().conf;
  if (conf.voters.size() != 3 || !conf.voters_outgoing.empty()) return;
  std::vector<NodeId> others;
  for (const NodeId voter : conf.voters) {
    if (!nodes_.at(voter)->is_up()) return;
    if (voter != at->id()) others.push_back(voter);
  }
  has_lost_ = true;
  isolate(others[1], 0);
  later(milliseconds(190), [this, top = at->id(), lost = others[0]] {
    network_.heal_all();
    isolate(top, Argument{2} << 32);
    if (KISEKI_PLANTED("id of a lost replica used again")) {
      nodes_.at(lost)->wipe({});
      return nodes_.at(lost)->start();
    }
    wiped_ = lost;
    nodes_.at(lost)->destroy();
    repair();
  });
}

void GroupWorld::repair() {
  GroupNode* at = leader();
  if (wiped_ == 0) return;
  if (at != nullptr && at->replica().status().conf.voters_outgoing.empty()) replace(wiped_);
  later(milliseconds(700), [this] { repair(); });
}

void GroupWorld::compact(GroupNode& node, Argument argument) {
  if (!node.is_up()) return;
  if (argument % 4 != 0) std::ignore = node.store().flush();
  std::ignore = loop_.get(node.replica().compact());
}

void GroupWorld::heal() {
  trace_.note(loop_.now(), [] { return "everything heals"; });
  network_.heal_all();
  network_.weather() = {};
  for (const auto& [id, node] : nodes_) {
    node->disk().faults() = {};
    node->disk().set_capacity(1_GiB);
    node->clock().set_drift(0);
  }
  mind();
  for (const auto& [id, node] : nodes_) node->start();
}

/// One leader whom all members follow, with nothing left to do.
bool GroupWorld::is_settled() {
  GroupNode* at = leader();
  if (at == nullptr) return false;
  const GroupStatus status = at->replica().status();
  if (!status.conf.voters_outgoing.empty() || status.last != status.applied) return false;
  if (is_member(status.conf, wiped_)) return false;
  for (const NodeId id : members_of(status.conf)) {
    GroupNode& node = *nodes_.at(id);
    if (!node.is_up() || node.machine().applied() != status.applied) return false;
    if (node.machine().digest() != at->machine().digest()) history_.violate("states differ in the end");
    if (node.replica().status().conf != status.conf) return false;
  }
  return true;
}

std::string GroupWorld::describe() {
  std::string words;
  for (const auto& [id, node] : nodes_) {
    if (!node->is_up()) continue;
    const GroupStatus status = node->replica().status();
    words += fmt::format("; node {}: role {}, term {}, applied {} of {}", id, static_cast<int>(status.role),
                         status.term, status.applied, status.last);
  }
  return words;
}

/// Whom nobody asks for anything sends nothing; when its leader is lost and the others are told, they have
/// another one.
void GroupWorld::judge_quiet() {
  advance(passed() + seconds(5));
  const std::uint64_t sent = network_.counters().sent;
  advance(passed() + seconds(5));
  if (network_.counters().sent != sent) return history_.violate("an idle group is not silent" + describe());
  GroupNode* old = leader();
  if (old == nullptr) return history_.violate("a quiet group has no leader" + describe());
  old->crash();
  tell_of_loss();
  const Duration limit = passed() + seconds(10);
  while (violation().empty() && passed() < limit && leader() == nullptr)
    advance(passed() + milliseconds(200));
  if (leader() == nullptr) history_.violate("the loss of a quiet group's leader goes unnoticed" + describe());
}

void GroupWorld::conclude() {
  heal();
  later_.clear();
  if (wiped_ != 0) repair();
  // Users go on for a while, so that what is wrong by now shows in an answer.
  advance(passed() + seconds(4));
  users_.request_stop();
  loop_.get(users_.stop());
  const Duration limit = passed() + seconds(30);
  while (violation().empty() && passed() < limit && !is_settled()) {
    advance(passed() + milliseconds(200));
    for (const auto& [id, node] : nodes_) node->start();
  }
  if (violation().empty() && !is_settled()) {
    history_.violate("no progress after the trouble ended" + describe());
  }
  if (violation().empty() && profile_.quiesce == Replica::Quiesce::yes) judge_quiet();
  history_.judge_calls(loop_.now());
}

}  // namespace kiseki::raft
