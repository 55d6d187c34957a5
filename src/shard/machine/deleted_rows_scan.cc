#include "shard/machine/deleted_rows_scan.h"

#include <utility>

#include "base/codec.h"
#include "base/planted.h"
#include "shard/rows/families.h"
#include "shard/rows/state_rows.h"

namespace kiseki::shard::detail {

namespace {

/// Places a look goes to, whatever it finds there.
constexpr int steps_max = 256;

/// Where the rows of a slot and namespace begin.
std::string place_of(Slot slot, std::uint64_t ns) {
  std::string key;
  Encoder(key).integer(slot).integer(ns);
  return key;
}

/// Kept by the shard, or by the transaction it belongs to.
bool is_the_shards(Kind kind) {
  return kind == Kind::counters || kind == Kind::intent || kind == Kind::decision;
}

}  // namespace

class DeletedRowsScan::Look {
 public:
  Look(DeletedRowsScan& scan, kv::KvStore& store, const Shard& shard)
      : scan_(scan), store_(store), shard_(shard) {}

  Result<DeletedRows> run() {
    if (scan_.phase_ == Phase::rows) KISEKI_TRY(go(family_rows, Phase::feeds));
    if (scan_.phase_ == Phase::feeds && found_.rows.empty()) KISEKI_TRY(go(family_feeds, Phase::done));
    return std::move(found_);
  }

 private:
  /// Until it has found some, has gone far enough, or is through.
  Result<> go(kv::Family family, Phase next) {
    const auto rows = store_.iterate(family, {.from = {}, .to = {}});
    rows->seek(as_view(scan_.from_));
    while (rows->valid() && found_.rows.empty() && ++steps_ < steps_max) {
      auto key = Key::decode(rows->key());
      if (!key) return fail(std::move(key).error());
      if (slot_of(key->leaf) > shard_.range.last) break;
      scan_.from_ = std::string(as_text(rows->key()));
      KISEKI_TRY(family == family_rows ? namespace_at(*rows, std::move(*key))
                                       : feed_at(*rows, std::move(*key)));
    }
    KISEKI_TRY(rows->status());
    if (!found_.rows.empty() || steps_ >= steps_max) return {};
    scan_.phase_ = next;
    scan_.from_ = place_of(shard_.range.first, 0);
    return {};
  }

  /// All rows of one namespace in one slot.
  Result<> namespace_at(kv::Iterator& rows, Key first) {
    const auto deleted = is_deleted(first.leaf.ns);
    if (!deleted) return fail(deleted.error());
    if (*deleted) KISEKI_TRY(collect(rows, slot_of(first.leaf)));
    if (found_.rows.empty()) {
      rows.seek(as_view(place_of(slot_of(first.leaf), first.leaf.ns.value() + 1)));
    }
    return {};
  }

  /// Header and guard of a leaf go with the last of its other rows: the counters go with the guard.
  Result<> collect(kv::Iterator& rows, Slot slot) {
    std::vector<Key> last;
    bool holds_more = false;
    while (rows.valid()) {
      auto key = Key::decode(rows.key());
      if (!key) return fail(std::move(key).error());
      if (key->leaf.ns != found_.ns.ns || slot_of(key->leaf) != slot) break;
      if (!last.empty() && last.front().leaf != key->leaf) take(last, std::exchange(holds_more, false));
      if (found_.rows.size() >= rows_max) return {};
      const auto may_go = is_free(*key, rows.value());
      if (!may_go) return fail(may_go.error());
      holds_more = holds_more || (!*may_go && key->kind != Kind::counters);
      const bool is_last = key->kind == Kind::header || key->kind == Kind::guard;
      if (*may_go) (is_last ? last : found_.rows).push_back(std::move(*key));
      rows.next();
    }
    take(last, holds_more);
    return rows.status();
  }

  void take(std::vector<Key>& last, bool holds_more) {
    for (auto& key : last) {
      if (!holds_more) found_.rows.push_back(std::move(key));
    }
    last.clear();
  }

  Result<> feed_at(kv::Iterator& rows, Key key) {
    const auto deleted = is_deleted(key.leaf.ns);
    if (!deleted) return fail(deleted.error());
    if (*deleted) found_.rows.push_back(std::move(key));
    rows.next();
    return {};
  }

  /// Rows under retention stay, whoever wants them gone (rule 3.8).
  static Result<bool> is_free(const Key& key, View value) {
    if (is_the_shards(key.kind)) return false;
    const auto record = Record::decode(value);
    if (!record) return fail(record.error());
    return record->retention.mode == Retention::Mode::none && !record->retention.legal_hold;
  }

  Result<bool> is_deleted(NamespaceId ns) {
    const auto [place, is_new] = known_.try_emplace(ns);
    if (is_new) {
      const auto bytes = store_.get(family_state, as_view(state_key(shard_.id, StateType::ns, ns.value())));
      if (!bytes) return fail(bytes.error());
      const auto known = *bytes ? NamespaceConfiguration::decode(as_view(**bytes)) : NamespaceConfiguration{};
      if (!known) return fail(known.error());
      const bool is_living = known->state != NamespaceState::deleted;
      if (!is_living || (!ns.is_none() && KISEKI_PLANTED("3.9 rows of living namespaces go"))) {
        place->second = known->epoch;
      }
    }
    if (place->second) found_.ns = {.ns = ns, .epoch = *place->second};
    return place->second.has_value();
  }

  DeletedRowsScan& scan_;
  kv::KvStore& store_;
  const Shard& shard_;
  DeletedRows found_;
  std::map<NamespaceId, std::optional<std::uint32_t>> known_;  // the epochs of those that are deleted
  int steps_ = 0;
};

Result<DeletedRows> DeletedRowsScan::look(kv::KvStore& store, const Shard& shard) {
  if (!has_work(shard.deletions)) return DeletedRows{};
  if (phase_ == Phase::done || from_.empty()) {
    phase_ = Phase::rows;
    from_ = place_of(shard.range.first, 0);
    deletions_ = shard.deletions;
  }
  return Look(*this, store, shard).run();
}

}  // namespace kiseki::shard::detail
