#include "shard/snapshots/snapshots.h"

#include <optional>

#include "base/assert.h"
#include "base/codec.h"
#include "base/planted.h"
#include "kv/off_loop.h"
#include "shard/rows/families.h"
#include "shard/rows/reference_rows.h"
#include "shard/rows/row_codec.h"
#include "shard/snapshots/erasure.h"
#include "shard/snapshots/removal.h"

namespace kiseki::shard::detail {

namespace {

constexpr std::uint8_t format = 1;
constexpr Bytes batch_max = 1_MiB;

/// Value of the install row: what is staged as a whole.
struct Staged {
  enum class State : std::uint8_t { complete = 1, installing = 2 };
  State state = State::complete;
  raft::Index index = 0;

  std::string encode() const {
    std::string bytes;
    Encoder(bytes).integer(format).enumerator(state).integer(index);
    return bytes;
  }
  static Result<std::optional<Staged>> read(kv::KvStore& store, ShardId shard) {
    const auto bytes = store.get(family_state, as_view(state_key(shard, StateType::install)));
    if (!bytes) return fail(bytes.error());
    if (!*bytes) return std::nullopt;
    auto in = begin_value(as_view(**bytes), format, "staged snapshot");
    if (!in) return fail(std::move(in).error());
    Staged staged;
    const auto state = in->integer<std::uint8_t>();
    if (state < 1 || state > static_cast<std::uint8_t>(State::installing)) in->reject();
    staged.state = static_cast<State>(state);
    staged.index = in->integer<raft::Index>();
    KISEKI_TRY(in->finish("staged snapshot"));
    return staged;
  }
};

kv::Range staged_rows(ShardId shard) { return range_of(state_key(shard, StateType::staged)); }

/// One state through one view of the store: state rows, then rows under leaves, then those that consumers
/// scan. References are not sent; who takes the rows in makes them anew.
class Source final : public raft::SnapshotSource {
 public:
  Source(kv::KvStore& store, BlockingPool& pool, const Machine& machine)
      : store_(store),
        pool_(pool),
        shard_(machine.id()),
        range_(machine.range()),
        meta_(machine.position()),
        view_(store.snapshot()),
        writer_(shard_, meta_.index, meta_.term) {
    begin(family_state, range_of(state_prefix(shard_)));
  }

  const raft::SnapshotMeta& meta() const override { return meta_; }

  Task<Result<std::optional<std::string>>> next() override {
    if (view_ == nullptr && writer_.is_empty()) co_return std::nullopt;
    KISEKI_CO_TRY(co_await pool_.run([this] { return fill(); }));
    co_return writer_.piece(view_ == nullptr ? PieceWriter::Position::last : PieceWriter::Position::middle);
  }

 private:
  void begin(kv::Family family, const kv::Range& range) {
    family_ = family;
    rows_ = store_.iterate(family, range, view_.get());
    rows_->seek(as_view(range.from));
  }

  /// Reads on until there is a piece, or all is read.
  Result<> fill() {
    while (view_ != nullptr && !writer_.is_full()) KISEKI_TRY(step());
    return {};
  }

  Result<> step() {
    if (!rows_->valid()) {
      KISEKI_TRY(rows_->status());
      turn();
      return {};
    }
    const std::size_t skipped = family_ == family_state ? sizeof(std::uint32_t) : 0;
    const View key = rows_->key().subspan(skipped);
    const bool is_own = family_ == family_state && is_replicas_own(static_cast<StateType>(key.front()));
    const bool is_left_out = family_ == family_state && KISEKI_PLANTED("1.8 a snapshot without results") &&
                             key.front() == static_cast<std::byte>(StateType::result);
    if (!is_own && !is_left_out) {
      writer_.add({.family = family_,
                   .key = std::string(as_text(key)),
                   .value = std::string(as_text(rows_->value()))});
    }
    rows_->next();
    return {};
  }

  /// To the next family; after the last one the view is given back.
  void turn() {
    rows_.reset();
    if (family_ == family_state) return begin(family_rows, rows_in(range_));
    if (family_ == family_rows) return begin(family_feeds, rows_in(range_));
    view_.reset();
  }

  kv::KvStore& store_;
  BlockingPool& pool_;
  ShardId shard_;
  SlotRange range_;
  raft::SnapshotMeta meta_;
  std::unique_ptr<kv::Snapshot> view_;
  std::unique_ptr<kv::Iterator> rows_;
  kv::Family family_ = family_state;
  PieceWriter writer_;
};

std::string staged_key(ShardId shard, kv::Family family, const std::string& key) {
  std::string place = state_key(shard, StateType::staged);
  Encoder(place).integer(family);
  return place + key;
}

/// Of the row at `key` of the state family.
Result<SlotRange> read_range(kv::KvStore& store, const std::string& key) {
  const auto bytes = store.get(family_state, as_view(key));
  if (!bytes) return fail(bytes.error());
  return *bytes ? decode_range(as_view(**bytes)) : Result<SlotRange>(no_slots);
}

Result<SlotRange> staged_range(kv::KvStore& store, ShardId shard) {
  return read_range(store,
                    staged_key(shard, family_state, std::string(1, static_cast<char>(StateType::range))));
}

void drop_staged(kv::Batch& batch, ShardId shard) {
  batch.erase_range(family_state, staged_rows(shard));
  batch.erase(family_state, state_key(shard, StateType::install));
}

/// Puts what is staged in place of the state, in steps of bounded size. What stands meanwhile is neither.
class Installation {
 public:
  Installation(kv::KvStore& store, ShardId shard, raft::Index index)
      : store_(store), shard_(shard), index_(index) {}

  /// False when it is done.
  Result<bool> step() {
    switch (phase_) {
      case Phase::mark:
        return next_after(mark());
      case Phase::erase_present:
      case Phase::erase_coming:
        return erase();
      case Phase::erase_state:
        return next_after(erase_state());
      case Phase::rows:
        return put_rows(family_rows);
      case Phase::feeds:
        return put_rows(family_feeds);
      case Phase::state:
        return put_rows(family_state);
      case Phase::last:
        return next_after(put_last());
      case Phase::done:
        return false;
    }
    KISEKI_ASSERT(false);
  }

 private:
  enum class Phase : std::uint8_t {
    mark,
    erase_present,
    erase_coming,
    erase_state,
    rows,
    feeds,
    state,
    last,
    done
  };

  Result<bool> next_after(Result<> carried_out) {
    if (!carried_out) return fail(std::move(carried_out).error());
    phase_ = static_cast<Phase>(static_cast<std::uint8_t>(phase_) + 1);
    return true;
  }

  Result<> mark() {
    kv::Batch mark;
    mark.put(family_state, state_key(shard_, StateType::install),
             Staged{.state = Staged::State::installing, .index = index_}.encode());
    if (!KISEKI_PLANTED("1.8 an installation is not marked")) KISEKI_TRY(store_.write(mark));
    return {};
  }

  Result<bool> erase() {
    if (!erasure_) {
      const auto slots = phase_ == Phase::erase_present
                             ? read_range(store_, state_key(shard_, StateType::range))
                             : staged_range(store_, shard_);
      if (!slots) return fail(slots.error());
      erasure_.emplace(store_, *slots);
    }
    const auto more = erasure_->step();
    if (!more || *more) return more;
    erasure_.reset();
    return next_after({});
  }

  /// What a start needs to find the replica and to go on stays until the last write, and which replica it is.
  static bool is_put_last(StateType type) {
    return type == StateType::progress || type == StateType::range || type == StateType::configuration;
  }

  Result<> erase_state() {
    using enum StateType;
    kv::Batch batch;
    std::string from = state_prefix(shard_);
    for (const StateType kept : {progress, range, configuration, staged, install, replica}) {  // rising
      batch.erase_range(family_state, {from, state_key(shard_, kept)});
      from = range_of(state_key(shard_, kept)).to;
    }
    batch.erase_range(family_state, {from, range_of(state_prefix(shard_)).to});
    return store_.write(batch);
  }

  /// As many of the staged rows of the family as make a write.
  Result<bool> put_rows(kv::Family family) {
    const auto range = range_of(staged_key(shard_, family, {}));
    const auto rows = store_.iterate(family_state, range);
    kv::Batch batch;
    Bytes size = 0;
    for (rows->seek(as_view(from_.empty() ? range.from : from_)); rows->valid() && size < batch_max;
         rows->next()) {
      std::string key(as_text(rows->key().subspan(range.from.size())));
      size += rows->key().size() + rows->value().size();
      KISEKI_TRY(family == family_state ? add_state(batch, key, rows->value())
                                        : add_row(batch, family, std::move(key), rows->value()));
    }
    KISEKI_TRY(rows->status());
    from_ = rows->valid() ? std::string(as_text(rows->key())) : std::string();
    if (!batch.empty()) KISEKI_TRY(store_.write(batch));
    return from_.empty() ? next_after({}) : Result<bool>(true);
  }

  static Result<> add_row(kv::Batch& batch, kv::Family family, std::string key, View value) {
    const auto name = Key::decode(as_view(key));
    if (!name) return fail(name.error());
    const auto references = references_in(name->kind, value);
    if (!references) return fail(references.error());
    ingest_references(batch, {name->leaf.ns, key}, *references);
    batch.put(family, std::move(key), std::string(as_text(value)));
    return {};
  }

  Result<> add_state(kv::Batch& batch, const std::string& key, View value) const {
    if (is_put_last(static_cast<StateType>(key.front()))) return {};
    batch.put(family_state, state_prefix(shard_) + key, std::string(as_text(value)));
    return {};
  }

  /// What makes the state the shard's; no mark and nothing staged any more.
  Result<> put_last() {
    kv::Batch batch;
    for (const StateType type : {StateType::progress, StateType::range, StateType::configuration}) {
      auto value = store_.get(
          family_state, as_view(staged_key(shard_, family_state, std::string(1, static_cast<char>(type)))));
      if (!value) return fail(std::move(value).error());
      if (!*value) return fail(Errc::corrupted, "a staged snapshot lacks a row");
      if (type == StateType::progress) {
        const auto progress = Progress::decode(as_view(**value));
        if (!progress) return fail(progress.error());
        mark_rebuilt(batch, shard_, progress->epoch);
      }
      batch.put(family_state, state_key(shard_, type), std::move(**value));
    }
    drop_staged(batch, shard_);
    return store_.write(batch);
  }

  kv::KvStore& store_;
  ShardId shard_;
  raft::Index index_;
  Phase phase_ = Phase::mark;
  std::optional<Erasure> erasure_;
  std::string from_;  // the staged row to go on with
};

}  // namespace

Task<Result<>> ShardSnapshots::flush() {
  kv::KvStore& store = store_;
  co_return co_await pool_.run([&store] { return store.flush(); });
}

Task<Result<>> ShardSnapshots::write(const kv::Batch& batch) {
  co_return co_await kv::off_loop(
      pool_, [this, &batch](kv::Blocking blocking) { return store_.write(batch, blocking); });
}

Result<std::unique_ptr<raft::SnapshotSource>> ShardSnapshots::take() {
  const Machine& machine = machine_();
  if (machine.range() == no_slots) return fail(Errc::unavailable, "snapshot: there is no state yet");
  return std::make_unique<Source>(store_, pool_, machine);
}

Task<Result<>> ShardSnapshots::stage(raft::SnapshotSource& source) {
  kv::Batch batch;
  drop_staged(batch, shard_);
  KISEKI_CO_TRY(co_await write(batch));
  PieceReader reader(shard_, source.meta());
  for (;;) {
    auto piece = co_await source.next();
    if (!piece) co_return fail(std::move(piece).error());
    if (!*piece) break;
    auto rows = reader.take(as_view(**piece));
    if (!rows) co_return fail(std::move(rows).error());
    batch.clear();
    for (auto& row : *rows) {
      batch.put(family_state, staged_key(shard_, row.family, row.key), std::move(row.value));
    }
    if (!batch.empty()) KISEKI_CO_TRY(co_await write(batch));
  }
  KISEKI_CO_TRY(reader.finish());
  const auto coming = staged_range(store_, shard_);
  if (!coming) co_return fail(coming.error());
  const auto taken = is_taken(store_, *coming, shard_);
  if (!taken) co_return fail(taken.error());
  if (*taken && !KISEKI_PLANTED("1.8 the slots of two replicas here overlap")) {
    co_return fail(Errc::unavailable, "snapshot: older than a split whose child is here");
  }
  batch.clear();
  batch.put(family_state, state_key(shard_, StateType::install),
            Staged{.index = source.meta().index}.encode());
  KISEKI_CO_TRY(co_await write(batch));
  co_return co_await flush();
}

Task<Result<>> ShardSnapshots::install(raft::Index index) {
  const auto staged = Staged::read(store_, shard_);
  if (!staged) co_return fail(staged.error());
  if (!*staged || (*staged)->index != index) {
    // Done already when a crash came after it.
    if (machine_().applied() == index) co_return co_await flush();
    co_return fail(Errc::not_found, "snapshot: none of this index is staged");
  }
  Installation installation(store_, shard_, index);
  KISEKI_CO_TRY(co_await carry_out_beside(pool_, installation));
  KISEKI_CO_TRY(co_await flush());
  auto machine = co_await pool_.run([this] { return Machine::open(store_, shard_); });
  if (!machine) co_return fail(std::move(machine).error());
  co_return installed_(std::move(*machine));
}

Result<> ShardSnapshots::finish(kv::KvStore& store, ShardId shard) {
  const auto staged = Staged::read(store, shard);
  if (!staged) return fail(staged.error());
  if (*staged && (*staged)->state == Staged::State::installing) {
    Installation installation(store, shard, (*staged)->index);
    return carry_out(installation);
  }
  if (*staged) {
    const auto bytes = store.get(family_state, as_view(state_key(shard, StateType::progress)));
    if (!bytes) return fail(bytes.error());
    const auto progress = *bytes ? Progress::decode(as_view(**bytes)) : Result<Progress>(Progress{});
    if (!progress) return fail(progress.error());
    if (progress->applied < (*staged)->index) return {};
  }
  kv::Batch batch;
  drop_staged(batch, shard);
  return store.write(batch);
}

}  // namespace kiseki::shard::detail
