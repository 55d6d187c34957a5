#include "sim/crashable_kv.h"

#include "base/assert.h"

namespace kiseki::sim {

/// Holds the versions of one moment.
class CrashableKv::Pin final : public kv::Snapshot {
 public:
  explicit Pin(CrashableKv& store) : store_(store), sequence(store.pin()) {}
  Pin(const Pin&) = delete;
  Pin& operator=(const Pin&) = delete;
  ~Pin() override { store_.unpin(sequence); }

 private:
  CrashableKv& store_;

 public:
  const Sequence sequence;
};

/// Keeps its place as a copy of the key, so that writes in between move nothing under it.
class CrashableKv::Walk final : public kv::Iterator {
 public:
  Walk(CrashableKv& store, kv::Family family, kv::Range range, const kv::Snapshot* at, kv::Blocking blocking)
      : store_(store), family_(family), range_(std::move(range)), blocking_(blocking), own_(store) {
    sequence_ = at == nullptr ? own_.sequence : static_cast<const Pin*>(at)->sequence;
  }

  void seek(View key) override {
    const std::lock_guard lock(store_.mutex_);
    if (meets_the_disk()) return;
    const auto from = std::max(std::string_view(range_.from), as_text(key));
    settle_forward(store_.visible_[family_].lower_bound(from));
  }
  void seek_for_previous(View key) override {
    const std::lock_guard lock(store_.mutex_);
    if (meets_the_disk()) return;
    auto& rows = store_.visible_[family_];
    auto at = rows.upper_bound(as_text(key));
    if (!range_.to.empty() && as_text(key) >= range_.to) at = rows.lower_bound(range_.to);
    valid_ = false;
    while (at != rows.begin()) {
      --at;
      if (at->first < range_.from) return;
      if (take(at)) return;
    }
  }
  void next() override {
    KISEKI_ASSERT(valid_);
    const std::lock_guard lock(store_.mutex_);
    if (meets_the_disk()) return;
    settle_forward(store_.visible_[family_].upper_bound(key_));
  }
  bool valid() const override { return valid_; }
  View key() const override { return as_view(key_); }
  View value() const override { return as_view(value_); }
  Result<> status() const override {
    if (has_met_the_disk_) return fail(Errc::would_block);
    return {};
  }

 private:
  bool meets_the_disk() {
    has_met_the_disk_ = store_.would_block(blocking_);
    if (has_met_the_disk_) valid_ = false;
    return has_met_the_disk_;
  }
  void settle_forward(Visible::iterator at) {
    valid_ = false;
    for (; at != store_.visible_[family_].end(); ++at) {
      if (!range_.to.empty() && at->first >= range_.to) return;
      if (take(at)) return;
    }
  }
  bool take(Visible::iterator at) {
    const auto* value = store_.find(at->second, sequence_);
    if (value == nullptr) return false;
    key_ = at->first;
    value_ = *value;
    ++store_.rows_read_;
    return valid_ = true;
  }

  CrashableKv& store_;
  kv::Family family_;
  kv::Range range_;
  kv::Blocking blocking_;
  bool has_met_the_disk_ = false;
  Pin own_;
  Sequence sequence_;
  std::string key_, value_;
  bool valid_ = false;
};

namespace {

/// One call in so many would wait for the disk.
constexpr std::uint64_t cold_one_in = 8;

}  // namespace

CrashableKv::CrashableKv(std::size_t families, std::uint64_t seed)
    : visible_(families), durable_(families), cold_(seed) {}
CrashableKv::~CrashableKv() { KISEKI_ASSERT(pins_.empty()); }

bool CrashableKv::would_block(kv::Blocking blocking) {
  return blocking == kv::Blocking::refused && cold_.below(cold_one_in) == 0;
}

CrashableKv::Sequence CrashableKv::pin() {
  const std::lock_guard lock(mutex_);
  return *pins_.insert(sequence_);
}

void CrashableKv::unpin(Sequence sequence) {
  const std::lock_guard lock(mutex_);
  pins_.erase(pins_.find(sequence));
}

const std::string* CrashableKv::find(const Versions& versions, Sequence at) const {
  const auto after = versions.upper_bound(at);
  if (after == versions.begin()) return nullptr;
  const auto& value = std::prev(after)->second;
  return value ? &*value : nullptr;
}

void CrashableKv::set(kv::Family family, const std::string& key, std::optional<std::string> value) {
  auto& rows = visible_.at(family);
  auto& versions = rows[key];
  const Sequence oldest = pins_.empty() ? sequence_ : *pins_.begin();
  versions[sequence_] = std::move(value);
  // What no snapshot can see goes: all but the newest version at or before the oldest.
  auto keep = versions.upper_bound(oldest);
  if (keep != versions.begin()) versions.erase(versions.begin(), std::prev(keep));
  if (versions.size() == 1 && !versions.begin()->second) rows.erase(key);
}

void CrashableKv::erase_range(kv::Family family, const kv::Range& range) {
  std::vector<std::string> keys;
  const auto& rows = visible_.at(family);
  for (auto at = rows.lower_bound(range.from); at != rows.end(); ++at) {
    if (!range.to.empty() && at->first >= range.to) break;
    keys.push_back(at->first);
  }
  for (const auto& key : keys) set(family, key, std::nullopt);
}

void CrashableKv::apply(const kv::Batch& batch) {
  ++sequence_;
  for (const auto& change : batch.changes()) {
    if (const auto* put = std::get_if<kv::Batch::Put>(&change)) {
      set(put->family, put->key, put->value);
    } else if (const auto* erase = std::get_if<kv::Batch::Erase>(&change)) {
      set(erase->family, erase->key, std::nullopt);
    } else {
      const auto& range = std::get<kv::Batch::EraseRange>(change);
      erase_range(range.family, range.range);
    }
  }
}

void CrashableKv::make_durable(std::vector<Durable>& durable, const kv::Batch& batch) {
  for (const auto& change : batch.changes()) {
    if (const auto* put = std::get_if<kv::Batch::Put>(&change)) {
      durable.at(put->family)[put->key] = put->value;
    } else if (const auto* erase = std::get_if<kv::Batch::Erase>(&change)) {
      durable.at(erase->family).erase(erase->key);
    } else {
      const auto& [family, range] = std::get<kv::Batch::EraseRange>(change);
      auto& rows = durable.at(family);
      rows.erase(rows.lower_bound(range.from), range.to.empty() ? rows.end() : rows.lower_bound(range.to));
    }
  }
}

Result<> CrashableKv::write(const kv::Batch& batch, kv::Blocking blocking) {
  const std::lock_guard lock(mutex_);
  if (would_block(blocking)) return fail(Errc::would_block);
  if (failing_writes_ > 0) {
    --failing_writes_;
    return fail(Errc::io_error, "kv: write: injected");
  }
  apply(batch);
  pending_.push_back(batch);
  for (const auto& change : batch.changes()) {
    if (const auto* put = std::get_if<kv::Batch::Put>(&change))
      unflushed_ += put->key.size() + put->value.size();
  }
  return {};
}

Result<std::optional<std::string>> CrashableKv::get(kv::Family family, View key, const kv::Snapshot* at,
                                                    kv::Blocking blocking) {
  const std::lock_guard lock(mutex_);
  if (would_block(blocking)) return fail(Errc::would_block);
  const auto& rows = visible_.at(family);
  const auto row = rows.find(as_text(key));
  if (row == rows.end()) return std::nullopt;
  const auto* value = find(row->second, at == nullptr ? sequence_ : static_cast<const Pin*>(at)->sequence);
  if (value == nullptr) return std::nullopt;
  return *value;
}

std::unique_ptr<kv::Snapshot> CrashableKv::snapshot() { return std::make_unique<Pin>(*this); }

std::unique_ptr<kv::Iterator> CrashableKv::iterate(kv::Family family, kv::Range range, const kv::Snapshot* at,
                                                   kv::Blocking blocking) {
  KISEKI_ASSERT(family < visible_.size());
  return std::make_unique<Walk>(*this, family, std::move(range), at, blocking);
}

Result<> CrashableKv::flush() {
  const std::lock_guard lock(mutex_);
  if (full_) return fail(Errc::no_space, "kv: flush: injected");
  for (const auto& batch : pending_) make_durable(durable_, batch);
  pending_.clear();
  unflushed_ = 0;
  return {};
}

Result<std::optional<std::string>> CrashableKv::get_durable(kv::Family family, View key) {
  const std::lock_guard lock(mutex_);
  const auto& rows = durable_.at(family);
  const auto row = rows.find(as_text(key));
  if (row == rows.end()) return std::nullopt;
  return row->second;
}

Bytes CrashableKv::unflushed() const {
  const std::lock_guard lock(mutex_);
  return unflushed_;
}

Result<> CrashableKv::room() const {
  const std::lock_guard lock(mutex_);
  if (full_) return fail(Errc::no_space, "kv: injected");
  return {};
}

void CrashableKv::crash(std::uint64_t seed) {
  const std::lock_guard lock(mutex_);
  KISEKI_ASSERT(pins_.empty());
  SeededRng rng(seed);
  const auto kept = rng.below(pending_.size() + 1);
  for (std::size_t i = 0; i < kept; ++i) make_durable(durable_, pending_[i]);
  pending_.clear();
  unflushed_ = 0;
  for (std::size_t family = 0; family < durable_.size(); ++family) {
    visible_[family].clear();
    for (const auto& [key, value] : durable_[family]) visible_[family][key].emplace(sequence_, value);
  }
}

void CrashableKv::set_full(bool full) {
  const std::lock_guard lock(mutex_);
  full_ = full;
}

void CrashableKv::fail_writes(std::uint64_t count) {
  const std::lock_guard lock(mutex_);
  failing_writes_ = count;
}

bool CrashableKv::holds(std::string_view needle) const {
  const std::lock_guard lock(mutex_);
  for (const Visible& family : visible_) {
    for (const auto& [key, versions] : family) {
      if (key.find(needle) != std::string::npos) return true;
      for (const auto& [sequence, value] : versions) {
        if (value && value->find(needle) != std::string::npos) return true;
      }
    }
  }
  return false;
}

}  // namespace kiseki::sim
