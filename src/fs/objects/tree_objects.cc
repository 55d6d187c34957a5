#include "fs/objects/tree_objects.h"

#include "base/planted.h"
#include "fs/bodies/body_rows.h"
#include "fs/bodies/garbage.h"
#include "fs/objects/listing.h"

namespace kiseki::fs::detail {

namespace {

constexpr std::size_t key_size_max = 1024;

void put_inline_row(Tree& tree, const EntrySlot& slot, const shard::Record& entry, const WrittenBody& body,
                    shard::Transaction& transaction) {
  const NamespacePtr& ns = slot.directory.ns;
  const shard::Key row = inline_key(ns->id, entry.home, body.file);
  shard::Record record;
  record.id = body.file;
  record.home = entry.home;
  record.type = shard::EntryType::object;
  record.logical = record.stored = body.size;
  tree.seal_row(ns, row, record, as_view(body.bytes));
  transaction.require(shard::Assert::Type::absent, row).put(row, std::move(record));
}

/// The pending row goes with the commit that names the pages, so that it stands exactly as long as nothing
/// does (PROTOCOLS 2.6).
void take_over_pages(Tree& tree, const EntrySlot& slot, const WrittenBody& body,
                     shard::Transaction& transaction) {
  const shard::Key row = body_pending_key(tree, slot.directory.ns->id, body.file);
  transaction.require(shard::Assert::Type::exists, row);
  if (!KISEKI_PLANTED("2.6 the pending row of a map outlives its link")) transaction.erase(row);
}

}  // namespace

Result<> check_key(std::string_view key) {
  if (key.empty() || key.size() > key_size_max) {
    return fail(Errc::invalid_argument, "a key has 1 to 1,024 bytes");
  }
  return {};
}

Result<> check(const Condition& condition, const std::optional<ObjectValue>& present) {
  if (condition.absent && present) return fail(Errc::precondition_failed, "there is an object");
  if (!condition.etag) return {};
  if (!present) return fail(Errc::not_found, "there is no object");
  if (*condition.etag != "*" && *condition.etag != present->properties.etag) {
    return fail(Errc::precondition_failed, "the object has another ETag");
  }
  return {};
}

Result<std::optional<ObjectValue>> object_of(const EntrySlot& slot) {
  if (!slot.record) return std::nullopt;
  if (slot.record->type != shard::EntryType::object) {
    return fail(Errc::not_supported, "an entry that is no object");
  }
  auto value = decode_object(as_view(slot.value), slot.record->references.size());
  if (!value) return fail(value.error());
  return *std::move(value);
}

Attributes attributes_of(const shard::Record& record, ObjectValue value) {
  return Attributes{record.logical, value.modified_ms, std::move(value.properties), std::move(value.parts)};
}

shard::Transaction put_object(Tree& tree, const EntrySlot& slot, const WrittenBody& body, ObjectValue value) {
  shard::Record record;
  record.type = shard::EntryType::object;
  record.home = slot.home();
  describe(body, record, value);
  tree.seal_entry(slot, record, encode(value));
  shard::Transaction transaction = tree.begin(slot);
  transaction.chunk_epoch = body.epoch;
  if (body.kind == shard::Body::inline_row) put_inline_row(tree, slot, record, body, transaction);
  if (body.kind == shard::Body::pages) take_over_pages(tree, slot, body, transaction);
  transaction.put(slot.key, std::move(record));
  return transaction;
}

bool surely_not_linked(Errc code) noexcept {
  return code == Errc::precondition_failed || code == Errc::not_found || code == Errc::too_large ||
         code == Errc::quota_exceeded || code == Errc::retained || code == Errc::invalid_argument;
}

Task<Result<Attributes>> TreeObjects::put(NamespaceId ns, std::string key, Source& source,
                                          Condition condition) {
  return write(ns, std::move(key), source, {std::move(condition)});
}

Task<Result<Attributes>> TreeObjects::write(NamespaceId ns, std::string key, Source& source,
                                            Replaced replaced) {
  KISEKI_CO_TRY(check_key(key));
  auto context = co_await tree_.namespaces().get(ns);
  if (!context) co_return fail(context.error());
  BodyWriter writer(tree_, store_, BodyOwner{*context, RowOwner()});
  auto body = co_await writer.write(source);
  auto properties = body ? source.finish() : fail(body.error());
  const Result<> accepted = properties ? check(*properties) : fail(properties.error());
  if (!accepted) {
    co_await writer.discard();
    co_return fail(accepted.error());
  }
  auto linked =
      co_await link(ns, std::move(key), *std::move(body), *std::move(properties), std::move(replaced));
  const bool lost =
      !linked && (linked.error().code() == Errc::stale || surely_not_linked(linked.error().code()));
  if (lost) co_await writer.discard();
  co_return linked;
}

/// One commit: the entry, its inline row, and what frees the body it replaces. In the leaf of the entry,
/// unless a long map is named by it.
Task<Result<Attributes>> TreeObjects::link(NamespaceId ns, std::string key, WrittenBody body,
                                           Properties properties, Replaced replaced) {
  Services& services = tree_.services();
  ObjectValue value;
  value.properties = std::move(properties);
  const bool has_pages = body.kind == shard::Body::pages;
  const bool is_there = replaced.condition.etag || replaced.version;
  auto purpose = is_there ? Purpose::write : Purpose::create;
  if (has_pages) purpose = Purpose::write_linked;
  for (Attempts attempts;;) {
    auto slot = co_await tree_.find(ns, key, purpose);
    if (purpose == Purpose::create) purpose = Purpose::write;
    if (!slot) co_return fail(slot.error());
    auto present = object_of(*slot);
    if (!present) co_return fail(present.error());
    KISEKI_CO_TRY(check(replaced.condition, *present));
    if (replaced.version && (!slot->record || slot->record->version != *replaced.version)) {
      co_return fail(Errc::stale, "the object was replaced or has gone");
    }
    value.modified_ms = services.client->time_ms();
    shard::Transaction transaction = put_object(tree_, *slot, body, value);
    if (slot->record && has_pages) KISEKI_CO_TRY(co_await free_rows(tree_, transaction, *slot));
    if (slot->record && !has_pages) free_body(tree_, transaction, *slot);
    auto outcome = co_await tree_.commit(*slot, std::move(transaction));
    if (!outcome) co_return fail(outcome.error());
    if (outcome->committed()) {
      co_return Attributes{body.size, value.modified_ms, std::move(value.properties)};
    }
    if (outcome->refusal == shard::Refusal::chunk_epoch) KISEKI_CO_TRY(co_await touch(store_, ns, body));
    KISEKI_CO_TRY(co_await tree_.recover(*slot, *outcome, attempts));
  }
}

Task<Result<Attributes>> TreeObjects::stat(NamespaceId ns, std::string key) {
  KISEKI_CO_TRY(check_key(key));
  auto slot = co_await tree_.find(ns, std::move(key), Purpose::read);
  if (!slot) co_return fail(slot.error());
  auto present = object_of(*slot);
  if (!present) co_return fail(present.error());
  if (!*present) co_return fail(Errc::not_found, "there is no object");
  co_return attributes_of(*slot->record, **std::move(present));
}

Task<Result<ListReply>> TreeObjects::list(NamespaceId ns, ListRequest request) {
  return list_objects(tree_, ns, std::move(request));
}

Task<Result<std::unique_ptr<Object>>> TreeObjects::open(NamespaceId ns, std::string key) {
  KISEKI_CO_TRY(check_key(key));
  for (Attempts attempts;;) {
    auto slot = co_await tree_.find(ns, key, Purpose::read_body);
    if (!slot) co_return fail(slot.error());
    auto present = object_of(*slot);
    if (!present) co_return fail(present.error());
    if (!*present) co_return fail(Errc::not_found, "there is no object");
    auto content = co_await content_of(tree_, *slot, **present);
    if (!content) co_return fail(content.error());
    if (!*content && KISEKI_PLANTED("3.2 a missing inline row is not read again")) {
      co_return fail(Errc::corrupted, "the bytes are missing");
    }
    if (*content) {
      co_return make_reader(tree_, store_, slot->directory.ns, *slot->record,
                            attributes_of(*slot->record, **std::move(present)), **std::move(content));
    }
    KISEKI_CO_TRY(co_await attempts.next(*tree_.services().clock, *tree_.services().rng));
  }
}

Task<Result<>> TreeObjects::remove(NamespaceId ns, std::string key, Condition condition) {
  KISEKI_CO_TRY(check_key(key));
  for (Attempts attempts;;) {
    auto slot = co_await tree_.find(ns, key, Purpose::change);
    if (!slot) co_return fail(slot.error());
    auto present = object_of(*slot);
    if (!present) co_return fail(present.error());
    KISEKI_CO_TRY(check(condition, *present));
    if (!*present) co_return Result<>();
    shard::Transaction transaction = tree_.begin(*slot);
    transaction.erase(slot->key);
    free_body(tree_, transaction, *slot);
    auto outcome = co_await tree_.commit(*slot, std::move(transaction));
    if (!outcome) co_return fail(outcome.error());
    if (outcome->committed()) co_return Result<>();
    KISEKI_CO_TRY(co_await tree_.recover(*slot, *outcome, attempts));
  }
}

}  // namespace kiseki::fs::detail
