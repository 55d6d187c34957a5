#include "shard/machine/reader.h"

#include <limits>
#include <tuple>

#include "base/codec.h"
#include "base/planted.h"
#include "shard/rows/reference_rows.h"

namespace kiseki::shard::detail {

namespace {

Result<Row> row_of(View key, View value) {
  auto decoded = Key::decode(key);
  if (!decoded) return fail(std::move(decoded).error());
  auto record = Record::decode(value);
  if (!record) return fail(std::move(record).error());
  return Row{.key = std::move(*decoded), .record = std::move(*record)};
}

/// Where the scanned rows of a slot and kind with stamps > `after` begin.
std::string scanned_from(Slot slot, Kind kind, Stamp after) {
  std::string key;
  Encoder(key).integer(slot).enumerator(kind).integer(after.value() + 1);
  return key;
}

/// Of the first row; none of a request for nothing.
NamespaceId namespace_of(const RowsRequest& request) {
  if (!request.gets.empty()) return request.gets.front().key.leaf.ns;
  if (!request.scans.empty()) return request.scans.front().leaf.ns;
  return request.counters.empty() ? NamespaceId{} : request.counters.front().ns;
}

}  // namespace

Reader::Reader(kv::KvStore& store, Machine& machine, kv::Blocking blocking, const kv::Snapshot* at)
    : store_(store),
      machine_(machine),
      blocking_(blocking),
      at_(at),
      moment_{.range = machine.range(),
              .epoch = machine.epoch(),
              .is_known = machine.knows_references(),
              .counted = {}},
      rows_(machine.reader(blocking)) {}

void Reader::note(const Holder* holder) {
  // While the primary is here too, a lock that stands is not decided.
  if (holder == nullptr || KISEKI_PLANTED("4.3 reads are not told of what is undecided")) return;
  if (machine_.range().contains(slot_of(holder->primary.leaf))) return;
  undecided_.emplace(holder->id, *holder);
}

Result<std::optional<Record>> Reader::row(const Key& key) {
  note(machine_.locks().writer_of(key));
  return rows_.record(key);
}

Result<ReadReply::Got> Reader::get(const Get& get) {
  ReadReply::Got got;
  auto record = row(get.key);
  if (!record) return fail(std::move(record).error());
  got.record = std::move(*record);
  if (!get.with_body || !got.record || got.record->body != Body::inline_row) return got;
  const LeafAddress home{get.key.leaf.ns, got.record->home.container, got.record->home.leaf};
  if (!machine_.range().contains(slot_of(home))) return got;
  auto body = row(key(home, Kind::inline_data, item_of(got.record->id.value())));
  if (!body) return fail(std::move(body).error());
  got.body = std::move(*body);
  return got;
}

Result<ReadReply::Scanned> Reader::scan_leaf(const Scan& scan) {
  for (const auto* holder : machine_.locks().writers_in(scan.leaf, scan.kind)) note(holder);
  ReadReply::Scanned scanned;
  const auto range = rows_of(scan.leaf, scan.kind);
  const auto rows = store_.iterate(family_rows, range, nullptr, blocking_);
  std::string from = range.from + scan.from;
  if (scan.direction == Scan::Direction::floor) {
    if (is_stamped(scan.kind)) from.append(sizeof(std::uint64_t), '\xff');
    rows->seek_for_previous(as_view(from));
  } else {
    rows->seek(as_view(from));
  }
  const std::uint32_t rows_max = scan.direction == Scan::Direction::floor ? 1 : scan.rows_max;
  Bytes size = 0;
  for (; rows->valid() && scanned.rows.size() < rows_max && size < reply_max; rows->next()) {
    auto row = row_of(rows->key(), rows->value());
    if (!row) return fail(std::move(row).error());
    size += rows->key().size() + rows->value().size();
    scanned.rows.push_back(std::move(*row));
  }
  KISEKI_TRY(rows->status());
  scanned.more = scan.direction == Scan::Direction::forward && rows->valid();
  return scanned;
}

Result<Counters> Reader::counters(const LeafAddress& leaf) {
  for (const auto* holder : machine_.locks().writers_in(leaf, Kind::entry)) note(holder);
  return rows_.counters(leaf);
}

bool Reader::holds(const RowsRequest& request) const {
  const auto is_here = [range = machine_.range()](const LeafAddress& leaf) {
    return range.contains(slot_of(leaf));
  };
  return std::ranges::all_of(request.gets, [&](const Get& one) { return is_here(one.key.leaf); }) &&
         std::ranges::all_of(request.scans, is_here, &Scan::leaf) &&
         std::ranges::all_of(request.counters, is_here);
}

Result<RowsReply> Reader::read(const RowsRequest& request) {
  if (!holds(request)) return fail(Errc::stale, "the rows lie in another shard");
  RowsReply reply;
  reply.configuration = machine_.raised(namespace_of(request));
  for (const auto& one : request.gets) {
    auto got = get(one);
    if (!got) return fail(std::move(got).error());
    reply.gets.push_back(std::move(*got));
  }
  for (const auto& one : request.scans) {
    auto scanned = scan_leaf(one);
    if (!scanned) return fail(std::move(scanned).error());
    reply.scans.push_back(std::move(*scanned));
  }
  for (const auto& leaf : request.counters) {
    auto found = counters(leaf);
    if (!found) return fail(std::move(found).error());
    reply.counters.push_back(*found);
  }
  for (auto& [id, holder] : undecided_) reply.undecided.push_back(std::move(holder));
  return reply;
}

/// Rows of one slot and kind in order of stamps, into the oldest of all.
Result<> Reader::scan_slot(kv::Iterator& rows, Slot slot, Kind kind, Stamp after) {
  const std::string from = scanned_from(slot, kind, after);
  const View prefix = as_view(from).first(3);
  for (rows.seek(as_view(from)); rows.valid() && equal(rows.key().first(3), prefix); rows.next()) {
    auto row = row_of(rows.key(), rows.value());
    if (!row) return fail(std::move(row).error());
    const Stamp stamp = row->key.stamp;
    // A cut between rows of one stamp would lose those after it.
    if (oldest_.size() >= rows_max_ && stamp > oldest_.rbegin()->first) break;
    oldest_.emplace(stamp, std::move(*row));
    while (oldest_.size() > rows_max_) {
      const Stamp last = oldest_.rbegin()->first;
      if (oldest_.size() - oldest_.count(last) < rows_max_) break;
      oldest_.erase(last);
    }
  }
  return rows.status();
}

Result<Scanned> Reader::scan(const ScanRequest& request, kv::Blocking blocking) {
  const auto [kind, after, rows_max] = request;
  if (!is_scanned(kind) || family_of(kind) != family_feeds || rows_max == 0 ||
      after.value() == std::numeric_limits<std::uint64_t>::max()) {
    return fail(Errc::invalid_argument, "scan: not a kind that consumers scan");
  }
  rows_max_ = rows_max;
  oldest_.clear();
  const auto range = moment_.range;
  const auto rows = store_.iterate(family_of(kind), {.from = {}, .to = {}}, at_, blocking);
  for (std::uint32_t slot = range.first; slot <= range.last; ++slot) {
    // To the next slot that has any row: most have none.
    std::string from;
    Encoder(from).integer(static_cast<Slot>(slot));
    rows->seek(as_view(from));
    if (!rows->valid()) break;
    Decoder in(rows->key());
    slot = in.integer<Slot>();
    if (slot > range.last) break;
    KISEKI_TRY(scan_slot(*rows, static_cast<Slot>(slot), kind, after));
  }
  KISEKI_TRY(rows->status());
  Scanned found{.rows = {}, .range = range};
  for (auto& [stamp, row] : oldest_) found.rows.push_back(std::move(row));
  return found;
}

/// Rows that sessions have left or have yet to take away.
template <class Meant>
Result<std::vector<Row>> Reader::left_by(Meant is_meant, Kind kind, std::uint32_t rows_max) {
  const auto range = range_of(state_key(machine_.id(), StateType::pending));
  const auto rows = store_.iterate(family_state, range);
  std::vector<Row> found;
  rows->seek(as_view(range.from));
  while (rows->valid() && found.size() < rows_max) {
    Decoder in(rows->key().subspan(range.from.size()));
    const auto session = in.id<SessionId>();
    if (!is_meant(session)) {
      const std::uint64_t next = session.value() + 1;
      if (next == 0) break;
      rows->seek(as_view(state_key(machine_.id(), StateType::pending, next)));
      continue;
    }
    auto key = Key::decode(in.rest());
    if (!key) return fail(std::move(key).error());
    auto record = key->kind == kind ? row(*key) : std::optional<Record>();
    if (!record) return fail(std::move(record).error());
    if (*record) found.push_back({.key = std::move(*key), .record = std::move(**record)});
    rows->next();
  }
  KISEKI_TRY(rows->status());
  return found;
}

Result<std::vector<Row>> Reader::pending(const GoneSessions& gone, std::uint32_t rows_max) {
  return left_by([&gone](SessionId session) { return gone.contains(session); }, Kind::pending, rows_max);
}

Result<std::vector<Row>> Reader::locks(std::uint32_t rows_max) {
  const auto& sessions = machine_.sessions();
  return left_by([&](SessionId session) { return sessions.is_fenced(session); }, Kind::lock, rows_max);
}

Result<Judgement> Reader::judge(const std::vector<ChunkName>& chunks, kv::Blocking blocking) {
  Judgement judgement = moment_;
  ReferenceRows rows(store_, moment_.range, at_, blocking);
  for (const auto& chunk : chunks) {
    const auto counts = rows.counts(chunk, judgement.epoch);
    if (!counts) return fail(counts.error());
    judgement.counted.push_back(*counts);
  }
  return judgement;
}

Result<DeadRows> Reader::dead(const DeadRequest& request, kv::Blocking blocking) {
  return ReferenceRows(store_, moment_.range, at_, blocking)
      .dead(request.from, request.below, request.rows_max);
}

// What cannot be read is met again, and told, by who reads for an answer.

void fetch_rows(kv::KvStore& store, const RowsRequest& request) {
  Draft rows(store);
  for (const auto& one : request.gets) {
    const auto record = rows.header(one.key);
    if (!one.with_body || !record || !*record || (*record)->body != Body::inline_row) continue;
    const LeafAddress home{one.key.leaf.ns, (*record)->home.container, (*record)->home.leaf};
    std::ignore = rows.header(key(home, Kind::inline_data, item_of((*record)->id.value())));
  }
  for (const auto& leaf : request.counters) std::ignore = rows.counters(leaf);
  for (const auto& scan : request.scans) {
    const auto range = rows_of(scan.leaf, scan.kind);
    const auto found = store.iterate(family_rows, range);
    const std::string from = range.from + scan.from;
    if (scan.direction == Scan::Direction::floor) {
      found->seek_for_previous(as_view(from));
      continue;
    }
    Bytes size = 0;
    std::uint32_t count = 0;
    for (found->seek(as_view(from)); found->valid() && count < scan.rows_max; found->next(), ++count) {
      size += found->key().size() + found->value().size();
      if (size >= Reader::reply_max) break;
    }
  }
}

void fetch_rows(kv::KvStore& store, const Proposal& proposal) {
  const auto* commit = std::get_if<Commit>(&proposal.body);
  const auto* prepare = std::get_if<Prepare>(&proposal.body);
  if (commit == nullptr && prepare == nullptr) return;
  const Transaction& transaction = commit != nullptr ? commit->transaction : prepare->branch;
  Draft rows(store);
  const auto fetch = [&rows](const Key& row) {
    std::ignore = rows.header(row);
    std::ignore = rows.counters(row.leaf);
  };
  for (const auto& one : transaction.asserts) fetch(one.key);
  for (const auto& one : transaction.operations) fetch(one.key);
}

}  // namespace kiseki::shard::detail
