#include "fs/testing/memory_client.h"

#include <algorithm>

#include <boost/asio/post.hpp>

#include "base/assert.h"

namespace kiseki::fs {

namespace {

using shard::Assert;
using shard::Kind;
using shard::NamespaceState;
using shard::Operation;
using shard::Outcome;
using shard::Refusal;
using shard::Row;

Outcome refusal(Refusal why, std::uint32_t assertion = 0, Stamp stamp = {}) {
  return {.refusal = why, .assertion = assertion, .stamp = stamp};
}

}  // namespace

/// A client of its own session.
class MemoryShards::Session final : public shard::Client {
 public:
  Session(MemoryShards& shards, SessionId id, std::shared_ptr<Fate> fate)
      : shards_(shards), id_(id), fate_(std::move(fate)) {}

  Task<Result<shard::ReadReply>> read(shard::ReadRequest request) override {
    co_await shards_.take_turns();
    if (fate_->dead) co_return fail(Errc::cancelled, "the client is dead");
    auto reply = shards_.read(request);
    co_await shards_.take_turns();
    co_return reply;
  }

  Task<Result<Outcome>> commit(shard::Transaction transaction) override {
    co_await shards_.take_turns();
    if (fate_->dead) co_return fail(Errc::cancelled, "the client is dead");
    if (shards_.fenced_.contains(id_)) co_return fail(Errc::fenced, "the session is fenced");
    const auto outcome = shards_.commit(transaction);
    if (!outcome) co_return fail(outcome.error());
    if (outcome->committed()) ++fate_->commits;
    if (outcome->committed() && fate_->commits_left && --*fate_->commits_left == 0) {
      fate_->dead = true;
      if (fate_->last_answer_lost) co_return fail(Errc::cancelled, "the client is dead");
    }
    if (outcome->committed() && fate_->unanswered && *fate_->unanswered > 0 && --*fate_->unanswered == 0) {
      co_return fail(Errc::timed_out, "the answer is lost");
    }
    co_await shards_.take_turns();
    co_return outcome;
  }

  Task<Result<std::vector<shard::Counters>>> counters(std::vector<shard::LeafAddress> leaves) override {
    co_await shards_.take_turns();
    if (fate_->dead) co_return fail(Errc::cancelled, "the client is dead");
    std::vector<shard::Counters> found;
    for (const auto& leaf : leaves) found.push_back(shards_.counters(leaf));
    co_return found;
  }

  Task<Result<>> configure(NamespaceId ns, std::uint32_t epoch, NamespaceState state) override {
    co_await shards_.take_turns();
    if (fate_->dead) co_return fail(Errc::cancelled, "the client is dead");
    auto& known = shards_.configurations_[ns];
    if (epoch < known.epoch) co_return fail(Errc::stale, "an older configuration");
    known = {epoch, state};
    co_return Result<>{};
  }

  Task<Result<std::vector<Row>>> scan(ShardId shard, Kind kind, Stamp after,
                                      std::uint32_t rows_max) override {
    KISEKI_ASSERT(shard::is_scanned(kind));
    co_await shards_.take_turns();
    if (fate_->dead) co_return fail(Errc::cancelled, "the client is dead");
    std::vector<Row> found;
    for (const auto& row : shards_.rows(kind)) {
      if (shards_.shard_of(row.key.leaf) == shard && row.key.stamp > after) found.push_back(row);
    }
    std::ranges::sort(found, {}, [](const Row& row) { return row.key.stamp; });
    if (found.size() > rows_max) found.resize(rows_max);
    co_return found;
  }

  Task<Result<std::vector<Row>>> abandoned(ShardId shard, std::uint32_t rows_max) override {
    co_await shards_.take_turns();
    if (fate_->dead) co_return fail(Errc::cancelled, "the client is dead");
    std::vector<Row> found;
    for (const auto& row : shards_.rows(Kind::pending)) {
      const bool fenced = std::ranges::any_of(shards_.fenced_, [&](SessionId session) {
        return row.key.item == shard::item_of(session.value());
      });
      if (fenced && shards_.shard_of(row.key.leaf) == shard && found.size() < rows_max) found.push_back(row);
    }
    co_return found;
  }

  std::vector<ShardId> shards() const override {
    std::vector<ShardId> ids;
    for (std::uint32_t id = 0; id <= shards_.options_.shards; ++id) ids.emplace_back(id);
    return ids;
  }
  bool are_together(const shard::LeafAddress& one, const shard::LeafAddress& other) const override {
    return shards_.shard_of(one) == shards_.shard_of(other);
  }
  SessionId session() const override { return id_; }
  std::uint64_t time_ms() const override {
    const auto since = shards_.clock_.wall().time_since_epoch();
    return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(since).count());
  }

 private:
  MemoryShards& shards_;
  SessionId id_;
  std::shared_ptr<Fate> fate_;  // of the client and of the test that decides it
};

MemoryShards::MemoryShards(Executor executor, Clock& clock, std::uint64_t seed, Options options)
    : executor_(executor), clock_(clock), rng_(seed), options_(options) {}

std::unique_ptr<shard::Client> MemoryShards::connect(std::shared_ptr<Fate> fate) {
  if (!fate) fate = std::make_shared<Fate>();
  return std::make_unique<Session>(*this, SessionId(++sessions_), std::move(fate));
}

Task<> MemoryShards::take_turns() {
  for (auto turns = rng_.below(4); turns > 0; --turns) co_await asio::post(executor_, use_task);
}

ShardId MemoryShards::shard_of(const shard::LeafAddress& leaf) const {
  const auto slot = shard::slot_of(leaf);
  if (slot == 0) return ShardId(0);
  return ShardId(1 + static_cast<std::uint32_t>(slot) * options_.shards / 65536);
}

const Row* MemoryShards::find(const shard::Key& key) const {
  const auto found = rows_.find(key.encode());
  return found == rows_.end() ? nullptr : &found->second;
}

std::vector<Row> MemoryShards::rows(Kind kind) const {
  std::vector<Row> found;
  for (const auto& [name, row] : rows_) {
    if (row.key.kind == kind) found.push_back(row);
  }
  return found;
}

std::size_t MemoryShards::count(Kind kind) const { return rows(kind).size(); }

shard::Counters MemoryShards::counters(const shard::LeafAddress& leaf) const {
  const auto found = counters_.find(leaf);
  return found == counters_.end() ? shard::Counters{} : found->second;
}

bool MemoryShards::holds_entry(const shard::LeafAddress& leaf) const { return counters(leaf).entries > 0; }

std::uint32_t MemoryShards::raised(const shard::ReadRequest& request) const {
  NamespaceId ns;
  if (!request.gets.empty()) ns = request.gets.front().key.leaf.ns;
  if (!request.scans.empty()) ns = request.scans.front().leaf.ns;
  if (!request.counters.empty()) ns = request.counters.front().ns;
  const auto found = configurations_.find(ns);
  const bool in_use = found != configurations_.end() && found->second.state == NamespaceState::active;
  return in_use ? found->second.epoch : 0;
}

shard::ReadReply MemoryShards::read(const shard::ReadRequest& request) const {
  shard::ReadReply reply;
  reply.configuration = raised(request);
  for (const auto& get : request.gets) {
    auto& got = reply.gets.emplace_back();
    const Row* row = find(get.key);
    if (row == nullptr) continue;
    got.record = row->record;
    if (!get.with_body || row->record.body != shard::Body::inline_row) continue;
    const shard::LeafAddress home{get.key.leaf.ns, row->record.home.container, row->record.home.leaf};
    if (shard_of(home) != shard_of(get.key.leaf)) continue;
    const Row* body = find(shard::key(home, Kind::inline_data, shard::item_of(row->record.id.value())));
    if (body != nullptr) got.body = body->record;
  }
  for (const auto& leaf : request.counters) reply.counters.push_back(counters(leaf));
  for (const auto& scan : request.scans) {
    auto& scanned = reply.scans.emplace_back();
    std::vector<Row> all;
    const auto first = shard::key(scan.leaf, scan.kind).encode();
    for (auto row = rows_.lower_bound(first); row != rows_.end(); ++row) {
      if (row->second.key.leaf != scan.leaf || row->second.key.kind != scan.kind) break;
      all.push_back(row->second);
    }
    if (scan.direction == shard::Scan::Direction::floor) {
      while (!all.empty() && all.back().key.item > scan.from) all.pop_back();
      if (!all.empty()) scanned.rows.push_back(all.back());
      continue;
    }
    Bytes size = 0;
    for (auto& row : all) {
      if (row.key.item < scan.from) continue;
      if (scanned.rows.size() == scan.rows_max || size >= options_.reply_max) {
        scanned.more = true;
        break;
      }
      size += row.record.encode().size();
      scanned.rows.push_back(std::move(row));
    }
  }
  return reply;
}

/// What a caller must never send.
Result<> MemoryShards::check(const shard::Transaction& transaction) const {
  KISEKI_TRY(transaction.validate());
  std::set<ShardId> shards;
  for (const auto& assertion : transaction.asserts) shards.insert(shard_of(assertion.key.leaf));
  bool is_stamped = false;
  for (const auto& operation : transaction.operations) {
    shards.insert(shard_of(operation.key.leaf));
    if (operation.type == Operation::Type::move) shards.insert(shard_of(operation.to.leaf));
    if (operation.type == Operation::Type::put_stamped) is_stamped = true;
  }
  if (is_stamped && shards.size() > 1) return fail(Errc::invalid_argument, "put-stamped over several shards");
  return {};
}

std::optional<Outcome> MemoryShards::refused(const Assert& assertion, std::uint32_t index) const {
  const Row* row = find(assertion.key);
  const Stamp now = row == nullptr ? Stamp{} : row->record.version;
  using enum Assert::Type;
  switch (assertion.type) {
    case version:
      if (now != assertion.stamp) return refusal(Refusal::version, index, now);
      break;
    case absent:
      if (row != nullptr) return refusal(Refusal::exists, index, now);
      break;
    case exists:
      if (row == nullptr) return refusal(Refusal::missing, index);
      break;
    case generation: {
      KISEKI_ASSERT(assertion.key.kind == Kind::guard);
      if (row == nullptr || now != assertion.stamp) return refusal(Refusal::generation, index, now);
      const auto counted = counters(assertion.key.leaf);
      if (counted.entries >= options_.entries_max || counted.entry_bytes >= options_.bytes_max) {
        return refusal(Refusal::split_first, index, now);
      }
      break;
    }
    case prefix_empty:
      if (holds_entry(assertion.key.leaf)) return refusal(Refusal::not_empty, index);
      break;
  }
  return std::nullopt;
}

std::optional<Outcome> MemoryShards::refused(const shard::Transaction& transaction) const {
  for (const auto& [ns, epoch] : transaction.namespaces) {
    const auto found = configurations_.find(ns);
    if (found == configurations_.end()) continue;
    const auto& known = found->second;
    if (known.state == NamespaceState::deleted) return refusal(Refusal::deleted);
    if (epoch == known.epoch) continue;
    return refusal(known.state == NamespaceState::deleting ? Refusal::deleted : Refusal::configuration);
  }
  for (std::uint32_t i = 0; i < transaction.asserts.size(); ++i) {
    if (auto outcome = refused(transaction.asserts[i], i)) return outcome;
  }
  return std::nullopt;
}

Result<Outcome> MemoryShards::commit(const shard::Transaction& transaction) {
  KISEKI_TRY(check(transaction));
  if (rng_.below(100) < options_.refused_percent) return refusal(Refusal::aborted);
  if (!transaction.chunk_epoch.is_none() && transaction.chunk_epoch < chunk_epoch_) {
    ++chunks_refused_;
    return refusal(Refusal::chunk_epoch);
  }
  if (const auto outcome = refused(transaction)) return *outcome;
  const auto wall = std::chrono::duration_cast<std::chrono::milliseconds>(clock_.wall().time_since_epoch());
  last_stamp_ = std::max(last_stamp_ + 1, static_cast<std::uint64_t>(wall.count()) << 16);
  const Stamp stamp(last_stamp_);
  emptied_.clear();
  for (const auto& operation : transaction.operations) apply(operation, stamp, transaction.time_ms);
  for (const auto& leaf : emptied_) {
    if (holds_entry(leaf)) continue;
    Row row{shard::key(leaf, Kind::feed, std::string(1, static_cast<char>(shard::Event::leaf_emptied))), {}};
    row.key.stamp = stamp;
    row.record.version = stamp;
    rows_[row.key.encode()] = row;
  }
  return Outcome{.refusal = Refusal::none, .assertion = 0, .stamp = stamp};
}

void MemoryShards::apply(const Operation& operation, Stamp stamp, std::uint64_t time_ms) {
  Row row{operation.key, operation.record};
  row.record.version = stamp;
  switch (operation.type) {
    case Operation::Type::put:
      put(std::move(row), time_ms);
      break;
    case Operation::Type::put_stamped:
      row.key.stamp = stamp;
      put(std::move(row), time_ms);
      break;
    case Operation::Type::erase:
      erase(operation.key, time_ms);
      break;
    case Operation::Type::move: {
      const Row* from = find(operation.key);
      KISEKI_ASSERT(from != nullptr);
      Row moved{operation.to, from->record};
      erase(operation.key, time_ms);
      put(std::move(moved), time_ms);
      break;
    }
    case Operation::Type::touch:
    case Operation::Type::fence:
      break;
    case Operation::Type::move_out:
    case Operation::Type::move_in:
      KISEKI_ASSERT(false);  // made below this port alone
      break;
  }
}

void MemoryShards::put(Row row, std::uint64_t time_ms) {
  if (const Row* old = find(row.key)) {
    if (row.record.guard) row.record.guard->birth = old->record.guard->birth;
    count_entry(*old, -1, time_ms);
  } else if (row.record.guard) {
    row.record.guard->birth = row.record.version;
  }
  count_entry(row, 1, time_ms);
  if (row.key.kind == Kind::guard) {
    auto& latest = counters_[row.key.leaf].modified_ms;
    latest = std::max(latest, time_ms);
  }
  const auto name = row.key.encode();
  rows_[name] = std::move(row);
}

void MemoryShards::erase(const shard::Key& key, std::uint64_t time_ms) {
  const Row* row = find(key);
  if (row == nullptr) return;
  count_entry(*row, -1, time_ms);
  if (key.kind == Kind::entry && !holds_entry(key.leaf)) emptied_.insert(key.leaf);
  if (key.kind == Kind::guard && !holds_entry(key.leaf)) counters_.erase(key.leaf);
  rows_.erase(key.encode());
}

void MemoryShards::count_entry(const Row& row, int sign, std::uint64_t time_ms) {
  if (row.key.kind != Kind::entry) return;
  auto& counted = counters_[row.key.leaf];
  const auto add = [sign](std::uint64_t& counter, std::uint64_t amount) {
    counter = sign > 0 ? counter + amount : counter - amount;
  };
  add(counted.entries, 1);
  add(counted.subdirectories, row.record.type == shard::EntryType::directory ? 1 : 0);
  add(counted.entry_bytes, row.record.encode().size());
  add(counted.logical, row.record.logical);
  ++counted.change;
  counted.modified_ms = std::max(counted.modified_ms, time_ms);
}

}  // namespace kiseki::fs
