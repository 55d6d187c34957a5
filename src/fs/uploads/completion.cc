#include "fs/uploads/completion.h"

#include "base/planted.h"
#include "fs/bodies/body_rows.h"
#include "fs/bodies/garbage.h"
#include "fs/names/sealer.h"
#include "fs/tree/rows.h"
#include "fs/uploads/upload_garbage.h"

namespace kiseki::fs::detail {

namespace {

constexpr std::uint32_t parts_a_turn = 32;
constexpr std::uint32_t pages_a_turn = 4;

Result<> check_order(const std::vector<CompletePart>& parts) {
  if (parts.empty()) return fail(Errc::invalid_argument, "a completion without parts");
  for (std::size_t i = 1; i < parts.size(); ++i) {
    if (parts[i].number <= parts[i - 1].number) {
      return fail(Errc::invalid_argument, "the parts are not in ascending order");
    }
  }
  return {};
}

Error missing_part(std::uint32_t number) {
  return Error(Errc::invalid_argument, fmt::format("part {} was not uploaded, or has another ETag", number));
}

}  // namespace

Task<Result<Attributes>> Completion::run() {
  KISEKI_CO_TRY(check_key(request_.key));
  KISEKI_CO_TRY(check_order(request_.parts));
  for (Attempts attempts;;) {
    auto done = co_await attempt();
    if (done || done.error().code() != Errc::stale) co_return done;
    KISEKI_CO_TRY(co_await attempts.next(*tree_.services().clock, *tree_.services().rng));
  }
}

/// Checked before it is frozen: a completion that names other parts than there are holds up nobody. `stale`:
/// a part was put meanwhile, or another completion is under way.
Task<Result<Attributes>> Completion::attempt() {
  auto read = co_await read_upload(tree_, request_.ns, request_.key, request_.upload, {});
  if (!read && read.error().code() == Errc::not_found) co_return co_await repeated();
  if (!read) co_return fail(read.error());
  upload_ = std::move(read->upload);
  KISEKI_CO_TRY(co_await walk_parts(nullptr));
  KISEKI_CO_TRY(co_await freeze());
  MapWriter writer(tree_, store_, BodyOwner{upload_.ns, RowOwner()});
  auto linked = co_await build(writer);
  if (linked) {
    co_await clean_up();
  } else if (linked.error().code() == Errc::stale || surely_not_linked(linked.error().code())) {
    co_await writer.discard();
    co_await thaw();
  }
  co_return linked;
}

/// Of the frozen upload.
Task<Result<Attributes>> Completion::build(MapWriter& writer) {
  ObjectValue value;
  value.upload = upload_.id;
  auto properties = co_await read_properties();
  if (!properties) co_return fail(properties.error());
  value.properties = *std::move(properties);
  value.properties.etag = request_.etag;
  value.properties.checksums = request_.checksums;
  value.properties.checksum_type = request_.checksum_type;
  runs_.clear();
  KISEKI_CO_TRY(co_await walk_parts(&writer));
  if (runs_.size() <= part_runs_max) value.parts = runs_;
  auto body = co_await writer.finish();
  if (!body) co_return fail(body.error());
  co_return co_await link(*std::move(body), std::move(value));
}

shard::Key Completion::pending_key() const {
  return shard::key(own_leaf(upload_.ns->id, upload_.id), shard::Kind::pending,
                    shard::item_of(tree_.services().client->session().value()));
}

/// No part can change from here on. The pending row has the parts swept if we do not live to do it.
Task<Result<>> Completion::freeze() {
  const shard::Key state = upload_key(request_.ns, upload_.id);
  const shard::Key pending = pending_key();
  for (Attempts attempts;;) {
    auto read = co_await read_upload(tree_, request_.ns, request_.key, request_.upload, {pending});
    if (!read && read.error().code() == Errc::not_found) co_return fail(Errc::stale, "the upload ended");
    if (!read) co_return fail(read.error());
    upload_ = std::move(read->upload);
    upload_.state = UploadState::frozen;
    shard::Transaction transaction = tree_.begin(upload_.ns);
    transaction.require(shard::Assert::Type::version, state, upload_.version);
    transaction.put(state, make_upload_row(tree_, upload_));
    if (!read->others.front()) {
      shard::Record row = pending_record(upload_.id, shard::EntryType::upload);
      tree_.seal_row(upload_.ns, pending, row, as_view(encode(RowOwner{upload_.entry_name(), InodeId(), 0})));
      transaction.require(shard::Assert::Type::absent, pending).put(pending, std::move(row));
    }
    auto outcome = co_await commit_rows(tree_, upload_.ns, std::move(transaction));
    if (!outcome) co_return fail(outcome.error());
    if (outcome->committed()) {
      upload_.version = outcome->stamp;
      co_return Result<>();
    }
    KISEKI_CO_TRY(co_await attempts.next(*tree_.services().clock, *tree_.services().rng));
  }
}

/// The upload goes on, unless somebody else has changed it since. As far as it gets: the next part thaws it
/// as well.
Task<> Completion::thaw() {
  const shard::Key state = upload_key(upload_.ns->id, upload_.id);
  shard::Transaction transaction = tree_.begin(upload_.ns);
  transaction.require(shard::Assert::Type::version, state, upload_.version);
  upload_.state = UploadState::open;
  transaction.put(state, make_upload_row(tree_, upload_)).erase(pending_key());
  const auto outcome = co_await commit_rows(tree_, upload_.ns, std::move(transaction));
  if (!outcome || outcome->committed()) co_return;
  shard::Transaction rest = tree_.begin(upload_.ns);
  rest.require(shard::Assert::Type::exists, state).erase(pending_key());
  const auto changed = co_await commit_rows(tree_, upload_.ns, std::move(rest));
  // It has ended: by a completion of ours perhaps, which relies on the row until it has cleaned up.
  if (changed && !changed->committed()) co_await clean_up();
}

Task<Result<Properties>> Completion::read_properties() {
  auto directory = co_await tree_.open(upload_.ns, uploads_tree);
  if (!directory) co_return fail(directory.error());
  auto slot = co_await tree_.locate(*directory, upload_.entry_name(), NameType::object, Purpose::read);
  if (!slot) co_return fail(slot.error());
  if (!slot->record) co_return fail(Errc::stale, "the upload ended");
  auto value = decode_object(as_view(slot->value), 0);
  if (!value) co_return fail(value.error());
  co_return std::move(value->properties);
}

/// The parts that the client names, each checked against what it says; their references to `writer`, if any.
Task<Result<>> Completion::walk_parts(MapWriter* writer) {
  const auto& parts = request_.parts;
  shard::Scan scan{own_leaf(upload_.ns->id, upload_.id), shard::Kind::part, {}, parts_a_turn};
  std::size_t index = 0;
  Bytes size = 0;
  while (index < parts.size()) {
    scan.from = part_key(upload_.ns->id, upload_.id, parts[index].number).item;
    auto rows = co_await scan_rows(tree_, scan);
    if (!rows) co_return fail(rows.error());
    if (rows->rows.empty()) co_return fail(missing_part(parts[index].number));
    for (const shard::Row& row : rows->rows) {
      const std::uint32_t number = part_number(row.key);
      if (number < parts[index].number) continue;
      if (number > parts[index].number) co_return fail(missing_part(parts[index].number));
      auto pieces = check_part(row, index);
      if (!pieces) co_return fail(pieces.error());
      size += row.record.logical;
      if (size > Objects::size_max) co_return fail(Errc::too_large, "an object has at most 5 TiB");
      if (writer != nullptr) KISEKI_CO_TRY(co_await add_part(*writer, row.record, *std::move(pieces)));
      if (++index == parts.size()) break;
    }
  }
  co_return Result<>();
}

Result<std::vector<Piece>> Completion::check_part(const shard::Row& row, std::size_t index) const {
  const CompletePart& wanted = request_.parts[index];
  const auto text = unseal(*upload_.ns->keys, row.key, row.record);
  if (!text) return fail(Error(text.error()).in("part"));
  const auto value = decode_object(as_view(*text), row.record.references.size());
  if (!value) return fail(value.error());
  if (value->properties.etag != wanted.etag) return fail(missing_part(wanted.number));
  const bool last = index + 1 == request_.parts.size();
  if (!last && row.record.logical < Uploads::part_size_min) {
    return fail(Errc::out_of_range, fmt::format("part {} has less than 5 MiB", wanted.number));
  }
  return pieces_of(row.record.references, value->key_epochs);
}

Task<Result<>> Completion::add_part(MapWriter& writer, const shard::Record& part, std::vector<Piece> pieces) {
  if (runs_.empty() || runs_.back().size != part.logical) runs_.push_back({0, part.logical});
  ++runs_.back().count;
  for (const Piece& piece : pieces) KISEKI_CO_TRY(co_await writer.add(piece, GcEpoch{}));
  if (part.body != shard::Body::pages) co_return Result<>();
  for (Bytes at = 0; at < part.logical;) {
    auto window = co_await pages_from(tree_, upload_.ns, part.id, at, pages_a_turn);
    if (!window) co_return fail(window.error());
    for (const Piece& piece : window->pieces) KISEKI_CO_TRY(co_await writer.add(piece, GcEpoch{}));
    at = window->end;
  }
  co_return Result<>();
}

/// The object comes and the upload goes in one commit.
Task<Result<Attributes>> Completion::link(WrittenBody body, ObjectValue value) {
  const shard::Key state = upload_key(upload_.ns->id, upload_.id);
  for (Attempts attempts;;) {
    auto slot = co_await tree_.find(request_.ns, request_.key, Purpose::write_linked);
    if (!slot) co_return fail(slot.error());
    auto present = object_of(*slot);
    if (!present) co_return fail(present.error());
    KISEKI_CO_TRY(check(request_.condition, *present));
    value.modified_ms = tree_.services().client->time_ms();
    shard::Transaction transaction = put_object(tree_, *slot, body, value);
    const std::size_t ours = transaction.asserts.size();
    const bool blind = KISEKI_PLANTED("3.6 a completion does not assert the upload");
    if (!blind) transaction.require(shard::Assert::Type::version, state, upload_.version);
    transaction.erase(state);
    // Another completion in the session may have given up, and taken the row that stands for both.
    transaction.require(shard::Assert::Type::exists, pending_key());
    if (slot->record) KISEKI_CO_TRY(co_await free_rows(tree_, transaction, *slot));
    auto outcome = co_await tree_.commit(*slot, std::move(transaction));
    if (!outcome) co_return fail(outcome.error());
    if (outcome->committed()) {
      co_return Attributes{body.size, value.modified_ms, std::move(value.properties), std::move(value.parts)};
    }
    if (outcome->assertion >= ours) {
      co_return fail(Errc::stale, "the upload changed");
    }
    KISEKI_CO_TRY(co_await tree_.recover(*slot, *outcome, attempts));
  }
}

/// Whatever comes of it: the object stands, and the sweeper does the same later.
Task<> Completion::clean_up() {
  shard::Transaction transaction = tree_.begin(upload_.ns);
  transaction.erase(pending_key());
  add_upload_garbage(tree_, upload_.ns, transaction, upload_.id, upload_.entry_name());
  (void)co_await commit_rows(tree_, upload_.ns, std::move(transaction));
  (void)co_await erase_upload_entry(tree_, upload_.ns, upload_.id, upload_.entry_name());
}

/// The upload is not there: the answer of the call that completed it, while its object stands.
Task<Result<Attributes>> Completion::repeated() {
  const auto id = upload_id_of(request_.upload);
  auto slot = co_await tree_.find(request_.ns, request_.key, Purpose::read);
  if (!slot) co_return fail(slot.error());
  auto present = object_of(*slot);
  if (!present) co_return fail(present.error());
  if (!id || !*present || (*present)->upload != *id) {
    co_return fail(Errc::not_found, "there is no such upload");
  }
  co_return attributes_of(*slot->record, **std::move(present));
}

}  // namespace kiseki::fs::detail
