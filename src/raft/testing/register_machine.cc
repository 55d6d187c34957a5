#include "raft/testing/register_machine.h"

#include "base/assert.h"
#include "base/codec.h"
#include "base/planted.h"
#include "raft/conf_codec.h"

namespace kiseki::raft {

namespace {

constexpr kv::Family family = 0;
constexpr std::string_view progress_key = "progress";
constexpr std::string_view conf_key = "conf";
constexpr std::string_view head_key = "head";
constexpr std::string_view staged_prefix = "staged/";
constexpr std::string_view register_prefix = "register/";

std::string register_key(std::uint8_t key) { return std::string(register_prefix) + std::to_string(key); }

std::uint64_t mix(std::uint64_t digest, std::uint64_t value) {
  digest ^= value + 0x9e3779b97f4a7c15 + (digest << 6) + (digest >> 2);
  return digest * 0xff51afd7ed558ccd;
}

std::uint64_t hash(View bytes) {
  std::uint64_t digest = bytes.size();
  for (const std::byte byte : bytes) digest = mix(digest, static_cast<std::uint64_t>(byte));
  return digest;
}

std::string conf_bytes(const ConfState& conf) {
  std::string bytes;
  Encoder out(bytes);
  encode_conf(out, conf);
  return bytes;
}

std::string progress_bytes(Index applied, Term term, std::uint64_t digest) {
  std::string bytes;
  Encoder(bytes).integer(applied).integer(term).integer(digest);
  return bytes;
}

kv::Range staged_rows() { return {std::string(staged_prefix), "staged0"}; }

/// The whole state as one string, cut into pieces.
class StateSource final : public SnapshotSource {
 public:
  StateSource(SnapshotMeta meta, std::string state) : meta_(std::move(meta)), state_(std::move(state)) {}
  const SnapshotMeta& meta() const override { return meta_; }
  Task<Result<std::optional<std::string>>> next() override {
    if (given_ == state_.size()) co_return std::nullopt;
    std::string piece = state_.substr(given_, piece_size);
    given_ += piece.size();
    co_return piece;
  }

 private:
  static constexpr std::size_t piece_size = 24;
  SnapshotMeta meta_;
  std::string state_;
  std::size_t given_ = 0;
};

}  // namespace

std::string Command::encode() const {
  std::string bytes;
  Encoder(bytes).integer(number).integer(std::uint8_t{is_swap}).integer(key).integer(expected).integer(value);
  return bytes + std::string(padding, '.');
}

Command Command::decode(View bytes) {
  Decoder in(bytes);
  Command command;
  command.number = in.integer<std::uint64_t>();
  command.is_swap = in.integer<std::uint8_t>() != 0;
  command.key = in.integer<std::uint8_t>();
  command.expected = in.integer<std::uint64_t>();
  command.value = in.integer<std::uint64_t>();
  return command;
}

RegisterMachine::RegisterMachine(sim::CrashableKv& store, Clock& clock, SnapshotMeta base, Observer observer)
    : store_(store), clock_(clock), observer_(std::move(observer)), first_conf_(std::move(base.conf)) {
  if (!*store_.get(family, as_view(progress_key), nullptr)) {
    applied_ = base.index;
    term_ = base.term;
    kv::Batch batch;
    put_progress(batch);
    KISEKI_ASSERT(store_.write(batch).has_value() && store_.flush().has_value());
  }
  finish_installation();
  load();
}

std::string RegisterMachine::Head::encode() const {
  std::string bytes;
  Encoder(bytes).integer(std::uint8_t{is_installing}).integer(meta.index).integer(meta.term);
  return bytes + conf_bytes(meta.conf);
}

RegisterMachine::Head RegisterMachine::Head::decode(View bytes) {
  Decoder in(bytes);
  Head head;
  head.is_installing = in.integer<std::uint8_t>() != 0;
  head.meta.index = in.integer<Index>();
  head.meta.term = in.integer<Term>();
  head.meta.conf = decode_conf(in);
  return head;
}

/// As a start finds it.
void RegisterMachine::finish_installation() {
  const auto bytes = *store_.get(family, as_view(head_key), nullptr);
  if (!bytes) return;
  const Head head = Head::decode(as_view(*bytes));
  if (!head.is_installing) return;
  for (const kv::Batch& step : installation(head)) KISEKI_ASSERT(store_.write(step).has_value());
}

void RegisterMachine::put_progress(kv::Batch& batch) const {
  batch.put(family, std::string(progress_key), progress_bytes(applied_, term_, digest_));
}

void RegisterMachine::load() {
  const auto progress = *store_.get(family, as_view(progress_key), nullptr);
  Decoder in(as_view(*progress));
  applied_ = in.integer<Index>();
  term_ = in.integer<Term>();
  digest_ = in.integer<std::uint64_t>();
  conf_.reset();
  if (const auto conf = *store_.get(family, as_view(conf_key), nullptr)) {
    Decoder bytes(as_view(*conf));
    conf_ = decode_conf(bytes);
  }
  digest_conf();
  registers_.clear();
  for (std::uint8_t key = 0; key < 16; ++key) {
    const auto value = *store_.get(family, as_view(register_key(key)), nullptr);
    if (value) registers_[key] = Decoder(as_view(*value)).integer<std::uint64_t>();
  }
}

void RegisterMachine::digest_conf() {
  const std::string bytes = conf_bytes(conf_.value_or(first_conf_));
  conf_digest_ = hash(as_view(bytes));
}

std::uint64_t RegisterMachine::read(std::uint8_t key) const {
  const auto found = registers_.find(key);
  return found == registers_.end() ? 0 : found->second;
}

/// False for a swap of another value than the one expected.
bool RegisterMachine::apply_command(const Command& command) {
  if (command.is_swap && read(command.key) != command.expected) return false;
  registers_[command.key] = command.value;
  return true;
}

Result<> RegisterMachine::apply(std::span<const Entry> committed, const ConfState* conf) {
  kv::Batch batch;
  for (const Entry& entry : committed) {
    applied_ = entry.index;
    term_ = entry.term;
    digest_ = mix(mix(mix(digest_, entry.term), hash(entry.data)), conf_digest_);
    bool is_done = true;
    if (entry.type == EntryType::normal && !entry.data.empty()) {
      const Command command = Command::decode(entry.data);
      is_done = apply_command(command);
      std::string value;
      Encoder(value).integer(read(command.key));
      batch.put(family, register_key(command.key), std::move(value));
    }
    observer_.applied({entry, digest_, !is_done});
  }
  if (conf != nullptr) {
    conf_ = *conf;
    digest_conf();
    batch.put(family, std::string(conf_key), conf_bytes(*conf));
  }
  put_progress(batch);
  return store_.write(batch);
}

Result<Index> RegisterMachine::applied_durable() const {
  const auto progress = store_.get_durable(family, as_view(progress_key));
  if (!progress) return fail(progress.error());
  return *progress ? Decoder(as_view(**progress)).integer<Index>() : 0;
}

Result<std::unique_ptr<SnapshotSource>> RegisterMachine::take() {
  std::string state;
  Encoder out(state);
  out.integer(digest_);
  for (const auto& [key, value] : registers_) out.integer(key).integer(value);
  return std::make_unique<StateSource>(SnapshotMeta{applied_, term_, {}}, std::move(state));
}

/// What is staged is a row for each piece, and counts when the head stands behind the last.
Task<Result<>> RegisterMachine::stage(SnapshotSource& source) {
  kv::Batch batch;
  batch.erase(family, std::string(head_key));
  batch.erase_range(family, staged_rows());
  KISEKI_CO_TRY(store_.write(batch));
  for (std::uint8_t number = 0;; ++number) {
    auto piece = co_await source.next();
    if (!piece) co_return fail(std::move(piece).error());
    if (!*piece) break;
    batch.clear();
    batch.put(family, std::string(staged_prefix) + static_cast<char>(number), std::move(**piece));
    KISEKI_CO_TRY(store_.write(batch));
    co_await clock_.sleep(std::chrono::milliseconds(1));
  }
  Head head{.meta = source.meta(), .is_installing = false};
  batch.clear();
  batch.put(family, std::string(head_key), head.encode());
  KISEKI_CO_TRY(store_.write(batch));
  co_return store_.flush();
}

/// Neither the old state nor the new one stands until the last write.
Task<Result<>> RegisterMachine::install(Index index) {
  if (index == applied_) co_return store_.flush();
  // A crash may come between the log's new base and this.
  co_await clock_.sleep(std::chrono::milliseconds(120));
  const auto bytes = *store_.get(family, as_view(head_key), nullptr);
  if (!bytes) co_return fail(Errc::not_found, "no snapshot is staged");
  Head head = Head::decode(as_view(*bytes));
  if (head.meta.index != index) co_return fail(Errc::not_found, "another snapshot is staged");
  head.is_installing = true;
  kv::Batch mark;
  mark.put(family, std::string(head_key), head.encode());
  KISEKI_CO_TRY(store_.write(mark));
  const auto steps = installation(head);
  for (const kv::Batch& step : steps) {
    co_await clock_.sleep(std::chrono::milliseconds(5));
    KISEKI_CO_TRY(store_.write(step));
  }
  load();
  co_return store_.flush();
}

std::vector<kv::Batch> RegisterMachine::installation(const Head& head) const {
  std::string state;
  const auto rows = store_.iterate(family, staged_rows());
  for (rows->seek({}); rows->valid(); rows->next()) state += as_text(rows->value());
  Decoder in(as_view(state));
  const auto digest = in.integer<std::uint64_t>();
  std::vector<kv::Batch> steps(1);
  steps.back().erase_range(family, {std::string(register_prefix), "register0"});
  while (in.remaining() > 0) {
    const auto key = in.integer<std::uint8_t>();
    std::string value;
    Encoder(value).integer(in.integer<std::uint64_t>());
    steps.emplace_back().put(family, register_key(key), std::move(value));
  }
  kv::Batch& last = steps.emplace_back();
  last.put(family, std::string(conf_key), conf_bytes(head.meta.conf));
  last.put(family, std::string(progress_key), progress_bytes(head.meta.index, head.meta.term, digest));
  last.erase(family, std::string(head_key));
  last.erase_range(family, staged_rows());
  return steps;
}

}  // namespace kiseki::raft
