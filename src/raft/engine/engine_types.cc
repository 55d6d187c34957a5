#include "raft/engine/engine_types.h"

#include <algorithm>

#include "base/assert.h"

namespace kiseki::raft::detail {

namespace {

std::vector<ReplicaId> to_replicas(const kiseki_raft_members& members) {
  return {members.ids, members.ids + members.count};
}

kiseki_raft_members to_members(const std::vector<ReplicaId>& replicas) {
  KISEKI_ASSERT(replicas.size() <= ConfState::members_max);
  kiseki_raft_members members{};
  std::ranges::copy(replicas, members.ids);
  members.count = replicas.size();
  return members;
}

void release_frame(void* handle) { delete static_cast<FramePtr*>(handle); }

}  // namespace

static_assert(ConfState::members_max == KISEKI_RAFT_MEMBERS_MAX);

kiseki_raft_frame to_engine(const FramePtr& frame) {
  if (!frame) return {};
  const View view = frame->view();
  return {new FramePtr(frame), release_frame, reinterpret_cast<const std::uint8_t*>(view.data()),
          view.size()};
}

Entry to_entry(const kiseki_raft_entry& entry) {
  return {entry.index, entry.term, static_cast<EntryType>(entry.type), to_view(entry.data), nullptr};
}

std::vector<Entry> to_entries(const kiseki_raft_entry* entries, std::size_t count) {
  std::vector<Entry> all;
  all.reserve(count);
  for (std::size_t i = 0; i < count; ++i) all.push_back(to_entry(entries[i]));
  return all;
}

ConfState to_conf(const kiseki_raft_conf& conf) {
  return {to_replicas(conf.voters), to_replicas(conf.learners), to_replicas(conf.voters_outgoing),
          to_replicas(conf.learners_next), conf.auto_leave};
}

Snapshot to_snapshot(const kiseki_raft_snapshot& snapshot) {
  return {{snapshot.index, snapshot.term, to_conf(snapshot.conf)}, to_view(snapshot.token)};
}

Message to_message(const kiseki_raft_message& message) {
  Message out{.type = static_cast<MessageType>(message.type),
              .to = message.to,
              .from = message.from,
              .term = message.term,
              .log_term = message.log_term,
              .index = message.index,
              .commit = message.commit,
              .commit_term = message.commit_term,
              .reject_hint = message.reject_hint,
              .priority = message.priority,
              .reject = message.reject,
              .entries = to_entries(message.entries, message.entries_count),
              .snapshot = std::nullopt,
              .context = to_view(message.context)};
  if (message.snapshot != nullptr) out.snapshot = to_snapshot(*message.snapshot);
  return out;
}

kiseki_raft_entry to_engine(const Entry& entry) {
  return {entry.index, entry.term, to_engine(entry.data), static_cast<std::uint8_t>(entry.type)};
}

bool fits(const ConfState& conf) {
  return std::ranges::max({conf.voters.size(), conf.learners.size(), conf.voters_outgoing.size(),
                           conf.learners_next.size()}) <= ConfState::members_max;
}

kiseki_raft_conf to_engine(const ConfState& conf) {
  return {to_members(conf.voters), to_members(conf.learners), to_members(conf.voters_outgoing),
          to_members(conf.learners_next), conf.auto_leave};
}

kiseki_raft_snapshot to_engine(const Snapshot& snapshot) {
  return {snapshot.meta.index, snapshot.meta.term, to_engine(snapshot.meta.conf), to_engine(snapshot.token)};
}

EngineMessages::EngineMessages(std::span<const Message> messages) {
  std::size_t entries = 0;
  for (const Message& message : messages) entries += message.entries.size();
  // The messages point into these: they must not move.
  entries_.reserve(entries);
  snapshots_.reserve(messages.size());
  messages_.reserve(messages.size());
  for (const Message& message : messages) {
    if (!message.snapshot || fits(message.snapshot->meta.conf)) add(message);
  }
}

void EngineMessages::add(const Message& message) {
  const std::size_t first = entries_.size();
  for (const Entry& entry : message.entries) entries_.push_back(to_engine(entry));
  if (message.snapshot) snapshots_.push_back(to_engine(*message.snapshot));
  messages_.push_back({.to = message.to,
                       .from = message.from,
                       .term = message.term,
                       .log_term = message.log_term,
                       .index = message.index,
                       .commit = message.commit,
                       .commit_term = message.commit_term,
                       .reject_hint = message.reject_hint,
                       .priority = message.priority,
                       .entries = entries_.data() + first,
                       .entries_count = message.entries.size(),
                       .snapshot = message.snapshot ? &snapshots_.back() : nullptr,
                       .context = to_engine(message.context),
                       .type = static_cast<std::uint8_t>(message.type),
                       .reject = message.reject});
}

}  // namespace kiseki::raft::detail
