// Copies of objects. Within a namespace the references are copied: the commit asserts that the source is
// still what was read, so another holder of every chunk stands at that moment and no garbage round can have
// missed both (docs/decisions/copied-references.md). Small bytes, and everything between namespaces, are
// written again.

#include "base/planted.h"
#include "fs/bodies/garbage.h"
#include "fs/objects/tree_objects.h"

namespace kiseki::fs::detail {

namespace {

constexpr std::uint32_t pages_a_turn = 4;

struct CopySource {
  EntrySlot slot;
  ObjectValue value;
};

Task<Result<CopySource>> find_source(Tree& tree, const CopyRequest& request) {
  auto slot = co_await tree.find(request.from, request.from_key, Purpose::read);
  if (!slot) co_return fail(slot.error());
  auto present = object_of(*slot);
  if (!present) co_return fail(present.error());
  if (!*present) co_return fail(Errc::not_found, "there is no object to copy");
  Condition same;
  same.etag = request.source_etag;
  KISEKI_CO_TRY(check(same, *present));
  co_return CopySource{*std::move(slot), **std::move(present)};
}

/// The map of a copy: references of their own for the same chunks. `stale`: the source was replaced.
Task<Result<WrittenBody>> copy_map(Tree& tree, MapWriter& writer, CopySource source) {
  const shard::Record& entry = *source.slot.record;
  const NamespacePtr& ns = source.slot.directory.ns;
  MapWindow window{0, 0, {}};
  while (window.end < entry.logical) {
    if (entry.body == shard::Body::references) {
      window = MapWindow{0, entry.logical, pieces_of(entry.references, source.value.key_epochs)};
    } else {
      auto next = co_await pages_from(tree, ns, entry.id, window.end, pages_a_turn);
      if (!next) co_return fail(next.error());
      window = *std::move(next);
    }
    for (const Piece& piece : window.pieces) KISEKI_CO_TRY(co_await writer.add(piece, GcEpoch{}));
  }
  co_return co_await writer.finish();
}

/// Commits the copy if source and target are still what they were. `stale`: they are not.
Task<Result<Attributes>> link_copy(Tree& tree, const CopyRequest& request, const CopySource& source,
                                   const WrittenBody& body, Attempts& attempts) {
  auto slot = co_await tree.find(request.to, request.to_key, Purpose::write_linked);
  if (!slot) co_return fail(slot.error());
  auto present = object_of(*slot);
  if (!present) co_return fail(present.error());
  KISEKI_CO_TRY(check(request.condition, *present));
  const bool onto_itself = slot->key == source.slot.key;
  const bool stands = slot->record && slot->record->version == source.slot.record->version;
  if (onto_itself && !stands && !KISEKI_PLANTED("6.6 a copy onto itself puts what has gone")) {
    co_return fail(Errc::stale, "the source was replaced or has gone");
  }
  ObjectValue value;
  value.properties = request.replace.value_or(source.value.properties);
  value.modified_ms = tree.services().client->time_ms();
  shard::Transaction transaction = put_object(tree, *slot, body, value);
  if (!onto_itself && !KISEKI_PLANTED("6.6 a copy does not assert its source")) {
    transaction.require(shard::Assert::Type::version, source.slot.key, source.slot.record->version);
  }
  if (slot->record) {
    if (slot->key.leaf == source.slot.key.leaf && body.kind != shard::Body::pages) {
      free_body(tree, transaction, *slot);
    } else {
      KISEKI_CO_TRY(co_await free_rows(tree, transaction, *slot));
    }
  }
  auto outcome = co_await tree.commit(*slot, std::move(transaction));
  if (!outcome) co_return fail(outcome.error());
  if (outcome->committed()) co_return Attributes{body.size, value.modified_ms, std::move(value.properties)};
  KISEKI_CO_TRY(co_await tree.recover(*slot, *outcome, attempts));
  co_return fail(Errc::stale, "source or target changed");
}

Task<Result<Attributes>> copy_references(Tree& tree, PieceStore& store, const CopyRequest& request,
                                         CopySource source, Attempts& attempts) {
  MapWriter writer(tree, store, BodyOwner{source.slot.directory.ns, RowOwner()});
  auto body = co_await copy_map(tree, writer, source);
  if (!body) {
    co_await writer.discard();
    co_return fail(body.error());
  }
  auto copied = co_await link_copy(tree, request, source, *body, attempts);
  const bool lost =
      !copied && (copied.error().code() == Errc::stale || surely_not_linked(copied.error().code()));
  if (lost) co_await writer.discard();
  co_return copied;
}

bool has_references(const shard::Record& record) {
  return record.body == shard::Body::references || record.body == shard::Body::pages;
}

}  // namespace

Task<Result<Attributes>> TreeObjects::copy(CopyRequest request) {
  KISEKI_CO_TRY(check_key(request.from_key));
  KISEKI_CO_TRY(check_key(request.to_key));
  if (request.replace) KISEKI_CO_TRY(check(*request.replace));
  for (Attempts attempts;;) {
    auto source = co_await find_source(tree_, request);
    if (!source) co_return fail(std::move(source).error().in("copy"));
    const shard::Record& entry = *source->slot.record;
    const bool by_bytes = request.from != request.to || !has_references(entry);
    auto copied = by_bytes ? co_await copy_bytes(request, entry.version)
                           : co_await copy_references(tree_, store_, request, *std::move(source), attempts);
    if (copied || copied.error().code() != Errc::stale) co_return copied;
    KISEKI_CO_TRY(co_await attempts.next(*tree_.services().clock, *tree_.services().rng));
  }
}

/// `version`: the source's. `stale`: an object that is copied onto itself has another one by now.
Task<Result<Attributes>> TreeObjects::copy_bytes(CopyRequest request, Stamp version) {
  auto object = co_await open(request.from, request.from_key);
  if (!object) co_return fail(std::move(object).error().in("copy"));
  Condition same;
  same.etag = request.source_etag;
  ObjectValue present;
  present.properties = (*object)->attributes().properties;
  KISEKI_CO_TRY(check(same, present));
  const bool onto_itself = request.from == request.to && request.from_key == request.to_key;
  const auto source = make_source(**object, request.replace.value_or(present.properties));
  const Replaced replaced{std::move(request.condition), onto_itself ? std::optional(version) : std::nullopt};
  co_return co_await write(request.to, std::move(request.to_key), *source, replaced);
}

}  // namespace kiseki::fs::detail
