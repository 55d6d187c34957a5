#include "raft/group.h"

#include "base/assert.h"
#include "raft/engine/engine_types.h"

namespace kiseki::raft {

using detail::to_engine;

namespace {

Status to_status(std::uint8_t code) { return static_cast<Status>(code); }

template <class T>
std::expected<T, Status> outcome(std::uint8_t code, T value) {
  if (code != 0) return std::unexpected(to_status(code));
  return value;
}

struct FreeReady {
  void operator()(kiseki_raft_ready* ready) const noexcept { kiseki_raft_ready_free(ready); }
};

kiseki_raft_config to_engine_config(const Config& config) {
  return {.group = config.group.value(),
          .node = config.replica,
          .seed = config.seed,
          .election_ticks = config.election_ticks,
          .election_ticks_max = config.election_ticks_max,
          .heartbeat_ticks = config.heartbeat_ticks,
          .message_size_max = config.message_size_max,
          .uncommitted_size_max = config.uncommitted_size_max,
          .committed_size_max = config.committed_size_max,
          .inflight_max = config.inflight_max};
}

/// Entries and the references the engine gets with them.
struct OwnedEntries {
  explicit OwnedEntries(std::span<const Entry> all) {
    entries.reserve(all.size());
    frames.reserve(all.size());
    for (const Entry& entry : all) {
      entries.push_back(to_engine(entry));
      frames.push_back(to_engine(entry.owner));
    }
  }
  std::vector<kiseki_raft_entry> entries;
  std::vector<kiseki_raft_frame> frames;
};

}  // namespace

struct Ready::Storage {
  std::unique_ptr<kiseki_raft_ready, FreeReady> engine;
  std::vector<Entry> entries;
  std::vector<Entry> committed;
  std::vector<Message> messages;
  std::vector<ReadState> reads;
  std::vector<Fetch> fetches;
  std::optional<Snapshot> install;

  Storage(kiseki_raft_ready* ready, const kiseki_raft_ready_view& view)
      : engine(ready),
        entries(detail::to_entries(view.entries, view.entries_count)),
        committed(detail::to_entries(view.committed, view.committed_count)) {
    for (const auto& one : std::span(view.messages, view.messages_count)) {
      messages.push_back(detail::to_message(one));
    }
    for (const auto& one : std::span(view.reads, view.reads_count))
      reads.push_back({one.sequence, one.index});
    for (const auto& one : std::span(view.fetches, view.fetches_count)) {
      fetches.push_back({one.id, one.from, one.to, one.size_max});
    }
    if (view.install != nullptr) install = detail::to_snapshot(*view.install);
  }
};

Ready::Ready(std::unique_ptr<Storage> storage)
    : entries(storage->entries),
      install(storage->install ? &*storage->install : nullptr),
      messages(storage->messages),
      committed(storage->committed),
      reads(storage->reads),
      fetches(storage->fetches),
      storage_(std::move(storage)) {}
Ready::Ready(Ready&&) noexcept = default;
Ready& Ready::operator=(Ready&&) noexcept = default;
Ready::~Ready() = default;

void Group::Close::operator()(kiseki_raft_group* engine) const noexcept { kiseki_raft_close(engine); }

Group::~Group() = default;

std::unique_ptr<Group> Group::open(const Config& config, const Restart& restart) {
  KISEKI_ASSERT(config.replica != 0 && config.heartbeat_ticks > 0);
  KISEKI_ASSERT(config.heartbeat_ticks < config.election_ticks);
  KISEKI_ASSERT(config.election_ticks < config.election_ticks_max);
  KISEKI_ASSERT(0 < config.message_size_max && config.message_size_max <= config.uncommitted_size_max);
  KISEKI_ASSERT(detail::fits(restart.conf));
  const OwnedEntries tail(restart.tail);
  const kiseki_raft_config engine_config = to_engine_config(config);
  const kiseki_raft_restart engine_restart{.base_index = restart.base_index,
                                           .base_term = restart.base_term,
                                           .applied = restart.applied,
                                           .term = restart.hard_state.term,
                                           .vote = restart.hard_state.vote,
                                           .commit = restart.hard_state.commit,
                                           .conf = to_engine(restart.conf),
                                           .entries = tail.entries.data(),
                                           .frames = tail.frames.data(),
                                           .entries_count = tail.entries.size()};
  return std::unique_ptr<Group>(new Group(kiseki_raft_open(&engine_config, &engine_restart)));
}

void Group::tick() { kiseki_raft_tick(engine_.get()); }

Status Group::step(std::span<const Message> messages, FramePtr frame) {
  const detail::EngineMessages converted(messages);
  const auto& all = converted.all();
  const Status status = to_status(kiseki_raft_step(engine_.get(), all.data(), all.size(), to_engine(frame)));
  return status == Status::ok && all.size() < messages.size() ? Status::refused : status;
}

std::expected<Index, Status> Group::propose(std::span<const View> payloads, FramePtr frame) {
  std::vector<kiseki_raft_bytes> parts;
  parts.reserve(payloads.size());
  for (const View payload : payloads) parts.push_back(to_engine(payload));
  Index first = 0;
  const auto code = kiseki_raft_propose(engine_.get(), parts.data(), parts.size(), to_engine(frame), &first);
  return outcome(code, first);
}

std::expected<Index, Status> Group::propose_conf(std::span<const ConfChange> changes, Joint joint,
                                                 AutoLeave leave) {
  // The engine's transitions: 0 joint only where it must be and left by itself, 1 joint and left by itself,
  // 2 joint and left by a change without changes.
  const bool simple = joint == Joint::if_needed && (changes.size() <= 1 || leave == AutoLeave::yes);
  const std::uint8_t transition = simple ? 0 : (leave == AutoLeave::yes ? 1 : 2);
  std::vector<kiseki_raft_change> parts;
  for (const ConfChange& change : changes) {
    parts.push_back({change.replica, static_cast<std::uint8_t>(change.type)});
  }
  Index index = 0;
  const auto code = kiseki_raft_propose_conf(engine_.get(), parts.data(), parts.size(), transition, &index);
  return outcome(code, index);
}

std::expected<std::uint64_t, Status> Group::read_index() {
  std::uint64_t sequence = 0;
  const auto code = kiseki_raft_read_index(engine_.get(), &sequence);
  return outcome(code, sequence);
}

Status Group::transfer_leader(ReplicaId to) {
  return to_status(kiseki_raft_transfer_leader(engine_.get(), to));
}

Status Group::campaign() { return to_status(kiseki_raft_campaign(engine_.get())); }

std::optional<Ready> Group::ready() {
  kiseki_raft_ready_view view{};
  kiseki_raft_ready* taken = kiseki_raft_ready_take(engine_.get(), &view);
  if (taken == nullptr) return std::nullopt;
  Ready ready(std::make_unique<Ready::Storage>(taken, view));
  ready.number = view.number;
  ready.must_sync = view.must_sync;
  ready.send_after_persist = view.send_after_persist;
  ready.want_snapshot = view.want_snapshot;
  if (view.has_hard_state) ready.hard_state = HardState{view.term, view.vote, view.commit};
  if (view.has_soft_state) ready.soft_state = SoftState{view.leader, static_cast<Role>(view.role)};
  return ready;
}

void Group::on_persisted(std::uint64_t number) { kiseki_raft_on_persisted(engine_.get(), number); }

void Group::advance_apply(Index index) { kiseki_raft_advance_apply(engine_.get(), index); }

std::expected<ConfState, Status> Group::apply_conf(const Entry& entry) {
  KISEKI_ASSERT(entry.type == EntryType::conf_change);
  kiseki_raft_conf conf{};
  const auto code = kiseki_raft_apply_conf(engine_.get(), to_engine(entry.data), &conf);
  return outcome(code, detail::to_conf(conf));
}

void Group::fetched(std::uint64_t id, std::span<const Entry> entries) {
  const OwnedEntries owned(entries);
  kiseki_raft_fetched(engine_.get(), id, owned.entries.data(), owned.frames.data(), owned.entries.size());
}

Status Group::offer_snapshot(const Snapshot& snapshot) {
  if (!detail::fits(snapshot.meta.conf)) return Status::refused;
  const kiseki_raft_snapshot converted = to_engine(snapshot);
  return to_status(kiseki_raft_offer_snapshot(engine_.get(), &converted));
}

void Group::report_snapshot(ReplicaId replica, Delivered delivered) {
  kiseki_raft_report_snapshot(engine_.get(), replica, delivered == Delivered::yes);
}

void Group::report_unreachable(ReplicaId replica) { kiseki_raft_report_unreachable(engine_.get(), replica); }

void Group::trim_tail(Index index) { kiseki_raft_trim_tail(engine_.get(), index); }

void Group::compact(Index index) { kiseki_raft_compact(engine_.get(), index); }

bool Group::can_quiesce() const { return kiseki_raft_can_quiesce(engine_.get()); }

GroupStatus Group::status() const {
  kiseki_raft_status status{};
  kiseki_raft_status_of(engine_.get(), &status);
  return {.role = static_cast<Role>(status.role),
          .term = status.term,
          .vote = status.vote,
          .leader = status.leader,
          .commit = status.commit,
          .applied = status.applied,
          .persisted = status.persisted,
          .first = status.first,
          .last = status.last,
          .transferee = status.transferee,
          .conf = detail::to_conf(status.conf),
          .promotable = status.promotable,
          .singleton = status.singleton,
          .conf_pending = status.conf_pending,
          .installing = status.installing};
}

}  // namespace kiseki::raft
