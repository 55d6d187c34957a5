#include "raft/log/replay.h"

#include <algorithm>

#include "base/planted.h"

namespace kiseki::raft::detail {

Result<> Replay::add(const BatchHeader& header, View records, Bytes offset) {
  // The entries outlive the reader's buffer.
  const auto frame = std::make_shared<const Buffer>(Buffer::copy_of(records));
  RecordReader reader(frame->view(), header.sequence);
  std::uint32_t count = 0;
  Bytes done = 0;
  while (true) {
    auto record = reader.next();
    if (!record) return fail(std::move(record).error());
    if (!*record) break;
    const auto end = static_cast<Bytes>((*record)->body.data() + (*record)->body.size() - frame->data());
    KISEKI_TRY(add(**record, {header.sequence, offset + done, end - done, frame}));
    done = end;
    ++count;
  }
  if (count != header.records) return fail(Errc::corrupted, "log batch with another number of records");
  return {};
}

Result<> Replay::add(const Record& record, const Place& place) {
  if (record.type == RecordType::base) {
    auto base = parse_base(record.body);
    if (!base) return fail(std::move(base).error());
    rebase(groups_[record.group], *base);
    return {};
  }
  const auto group = groups_.find(record.group);
  if (group == groups_.end()) {
    return fail(Errc::corrupted, fmt::format("log record of unknown group {}", record.group.value()));
  }
  if (record.type == RecordType::erased) {
    if (!record.body.empty()) return fail(Errc::corrupted, "log record of an erased group with a body");
    if (!KISEKI_PLANTED("erased group recovered")) groups_.erase(group);
    return {};
  }
  if (record.type == RecordType::hard_state) {
    auto state = parse_hard_state(record.body);
    if (!state) return fail(std::move(state).error());
    group->second.index.hard_state = *state;
    return {};
  }
  auto entry = parse_entry(record.body);
  if (!entry) return fail(std::move(entry).error());
  return add_entry(group->second, std::move(*entry), place);
}

Result<> Replay::add_entry(ReplayedGroup& group, Entry entry, const Place& place) {
  if (entry.index <= group.index.base().index)
    return fail(Errc::corrupted, "log entry below its group's base");
  auto& tail = group.tail;
  if (entry.index > group.index.last() + 1) tail.clear();
  const auto replaced = std::ranges::lower_bound(tail, entry.index, {}, &Entry::index);
  if (replaced != tail.end() && KISEKI_PLANTED("replaced suffix kept by recovery")) return {};
  tail.erase(replaced, tail.end());
  group.index.append({entry.index, entry.index, place.segment, place.offset, place.size});
  entry.owner = place.frame;
  tail.push_back(std::move(entry));
  return {};
}

void Replay::rebase(ReplayedGroup& group, const BaseRecord& record) {
  group.index.rebase(record);
  if (record.fresh == Fresh::yes) group.tail.clear();
  std::erase_if(group.tail, [&](const Entry& entry) { return entry.index <= record.meta.index; });
}

Result<> Replay::finish() const {
  for (const auto& [id, group] : groups_) {
    if (!group.index.is_connected()) {
      return fail(Errc::corrupted, fmt::format("group {}: entries above {} are missing from the log",
                                               id.value(), group.index.base().index));
    }
  }
  return {};
}

}  // namespace kiseki::raft::detail
