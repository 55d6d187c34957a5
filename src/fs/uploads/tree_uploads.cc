#include "fs/uploads/tree_uploads.h"

#include "base/planted.h"
#include "fs/bodies/body_rows.h"
#include "fs/bodies/garbage.h"
#include "fs/names/sealer.h"
#include "fs/tree/rows.h"
#include "fs/uploads/completion.h"
#include "fs/uploads/upload_garbage.h"

namespace kiseki::fs::detail {

namespace {

constexpr std::uint32_t page_limit = 1000;

shard::Record upload_entry(Tree& tree, const EntrySlot& slot, const Upload& upload,
                           const ObjectValue& value) {
  shard::Record record;
  record.id = upload.id;
  record.type = shard::EntryType::upload;
  record.home = slot.home();
  tree.seal_entry(slot, record, encode(value));
  return record;
}

/// The uploads of a leaf that match, without those whose own row has gone: they are on their way out.
Task<Result<>> take_uploads(Tree& tree, NamespacePtr ns, std::vector<Listed> entries, std::size_t limit,
                            std::vector<UploadInfo>& uploads) {
  shard::ReadRequest request;
  for (const Listed& entry : entries) {
    request.gets.push_back(shard::Get{upload_key(ns->id, entry.record.id)});
  }
  auto reply = co_await tree.services().client->read(std::move(request));
  if (!reply) co_return fail(reply.error());
  for (std::size_t i = 0; i < entries.size() && uploads.size() < limit; ++i) {
    if (!reply->gets[i].record) continue;
    auto name = split_upload_entry_name(entries[i].name);
    auto value = decode_object(as_view(entries[i].value), 0);
    if (!name) co_return fail(name.error());
    if (!value) co_return fail(value.error());
    uploads.push_back(
        {std::move(name->key), std::move(name->upload), value->modified_ms, std::move(value->properties)});
  }
  co_return Result<>();
}

/// Who completed or aborted these died before their entries went.
Task<Result<>> erase_ended(Tree& tree, NamespaceId ns) {
  auto directory = co_await tree.open(ns, uploads_tree);
  if (!directory) co_return fail(directory.error());
  std::optional<std::string> from = std::string();
  while (from) {
    auto leaf = co_await tree.read_leaf(*directory, std::move(*from));
    if (!leaf) co_return fail(leaf.error());
    for (Listed& entry : leaf->entries) {
      KISEKI_CO_TRY(co_await erase_upload_entry(tree, directory->ns, entry.record.id, std::move(entry.name)));
    }
    from = std::move(leaf->high);
  }
  co_return Result<>();
}

}  // namespace

Task<Result<std::string>> TreeUploads::create(NamespaceId ns, std::string key, Properties properties) {
  KISEKI_CO_TRY(check_key(key));
  KISEKI_CO_TRY(check(properties));
  auto id = co_await tree_.new_id(ns);
  if (!id) co_return fail(id.error());
  Services& services = tree_.services();
  Upload upload;
  upload.id = *id;
  upload.random = services.rng->next();
  upload.created_ms = services.client->time_ms();
  upload.key = std::move(key);
  ObjectValue value;
  value.modified_ms = upload.created_ms;
  value.upload = upload.id;
  value.properties = std::move(properties);
  for (Attempts attempts;;) {
    auto directory = co_await tree_.open(ns, uploads_tree);
    if (!directory) co_return fail(directory.error());
    upload.ns = directory->ns;
    auto slot =
        co_await tree_.locate(*directory, upload.entry_name(), NameType::object, Purpose::write_linked);
    if (!slot) co_return fail(slot.error());
    shard::Transaction transaction = tree_.begin(*slot);
    transaction.put(slot->key, upload_entry(tree_, *slot, upload, value));
    const shard::Key row = upload_key(ns, upload.id);
    transaction.require(shard::Assert::Type::absent, row).put(row, make_upload_row(tree_, upload));
    auto outcome = co_await tree_.commit(*slot, std::move(transaction));
    if (!outcome) co_return fail(outcome.error());
    if (outcome->committed()) co_return upload.name();
    KISEKI_CO_TRY(co_await tree_.recover(*slot, *outcome, attempts));
  }
}

Task<Result<Attributes>> TreeUploads::put_part(NamespaceId ns, std::string key, std::string upload,
                                               std::uint32_t number, Source& source) {
  if (number < 1 || number > Uploads::parts_max) {
    co_return fail(Errc::invalid_argument, "parts have numbers from 1 to 10,000");
  }
  if (source.size().value_or(0) > Uploads::part_size_max) {
    co_return fail(Errc::too_large, "a part has at most 5 GiB");
  }
  auto read = co_await read_upload(tree_, ns, key, upload, {});
  if (!read) co_return fail(read.error());
  // Always chunks, so that a completion moves no bytes.
  BodyWriter writer(tree_, store_,
                    BodyOwner{read->upload.ns, RowOwner{{}, read->upload.id, number}, part_pieces_max_, 0,
                              Uploads::part_size_max});
  auto body = co_await writer.write(source);
  auto properties = body ? source.finish() : fail(body.error());
  const Result<> accepted = properties ? check(*properties) : fail(properties.error());
  if (!accepted) {
    co_await writer.discard();
    co_return fail(accepted.error());
  }
  Part part{number, *std::move(body), {}};
  part.value.modified_ms = tree_.services().client->time_ms();
  part.value.upload = read->upload.id;
  part.value.properties = *std::move(properties);
  Attributes attributes{part.body.size, part.value.modified_ms, part.value.properties};
  const auto linked = co_await link_part(ns, std::move(key), std::move(upload), std::move(part));
  if (linked) {
    co_await writer.linked();
    co_return std::move(attributes);
  }
  if (surely_not_linked(linked.error().code())) co_await writer.discard();
  co_return fail(linked.error());
}

/// One commit in the upload's own leaf. A frozen upload is thawed by it.
Task<Result<>> TreeUploads::link_part(NamespaceId ns, std::string key, std::string upload, Part part) {
  for (Attempts attempts;;) {
    const auto id = upload_id_of(upload).value_or(InodeId());
    const shard::Key row = part_key(ns, id, part.number);
    auto read = co_await read_upload(tree_, ns, key, upload, {row});
    if (!read) co_return fail(read.error());
    const shard::Key state = upload_key(ns, id);
    shard::Transaction transaction = tree_.begin(read->upload.ns);
    transaction.chunk_epoch = part.body.epoch;
    if (!KISEKI_PLANTED("3.6 a part comes when the upload has gone")) {
      transaction.require(shard::Assert::Type::version, state, read->upload.version);
    }
    const bool frozen = read->upload.state == UploadState::frozen;
    if (frozen && !KISEKI_PLANTED("3.6 a part is replaced during a completion")) {
      read->upload.state = UploadState::open;
      transaction.put(state, make_upload_row(tree_, read->upload));
    }
    const auto& old = read->others.front();
    transaction.require(old ? shard::Assert::Type::version : shard::Assert::Type::absent, row,
                        old ? old->version : Stamp());
    if (old && old->body == shard::Body::pages) {
      add_garbage(transaction, row.leaf, old->id, {old->id, LeafId{0}}, shard::Body::pages);
    }
    shard::Record record;
    record.type = shard::EntryType::object;
    record.home = {id, LeafId{0}};
    describe(part.body, record, part.value);
    tree_.seal_row(read->upload.ns, row, record, as_view(encode(part.value)));
    transaction.put(row, std::move(record));
    auto outcome = co_await commit_rows(tree_, read->upload.ns, std::move(transaction));
    if (!outcome) co_return fail(outcome.error());
    if (outcome->committed()) co_return Result<>();
    if (outcome->refusal == shard::Refusal::chunk_epoch)
      KISEKI_CO_TRY(co_await touch(store_, read->upload.ns->id, part.body));
    KISEKI_CO_TRY(co_await attempts.next(*tree_.services().clock, *tree_.services().rng));
  }
}

Task<Result<Attributes>> TreeUploads::complete(CompleteUpload request) {
  Completion completion(tree_, store_, std::move(request));
  co_return co_await completion.run();
}

Task<Result<>> TreeUploads::abort(NamespaceId ns, std::string key, std::string upload) {
  for (Attempts attempts;;) {
    auto read = co_await read_upload(tree_, ns, key, upload, {});
    if (!read) co_return fail(read.error());
    const NamespacePtr context = read->upload.ns;
    const shard::Key row = upload_key(ns, read->upload.id);
    const std::string name = read->upload.entry_name();
    shard::Transaction transaction = tree_.begin(context);
    transaction.require(shard::Assert::Type::version, row, read->upload.version).erase(row);
    add_upload_garbage(tree_, context, transaction, read->upload.id, name);
    auto outcome = co_await commit_rows(tree_, context, std::move(transaction));
    if (!outcome) co_return fail(outcome.error());
    if (outcome->committed()) {
      // Whatever comes of it: the upload is gone, and the sweeper erases the entry too.
      (void)co_await erase_upload_entry(tree_, context, read->upload.id, name);
      co_return Result<>();
    }
    KISEKI_CO_TRY(co_await attempts.next(*tree_.services().clock, *tree_.services().rng));
  }
}

Task<Result<PartPage>> TreeUploads::parts(NamespaceId ns, std::string key, std::string upload,
                                          std::uint32_t after, std::uint32_t limit) {
  auto read = co_await read_upload(tree_, ns, std::move(key), std::move(upload), {});
  if (!read) co_return fail(read.error());
  PartPage page;
  if (limit == 0 || after >= parts_max) co_return page;
  shard::Scan scan{own_leaf(ns, read->upload.id), shard::Kind::part, {}, std::min(limit, page_limit)};
  scan.from = part_key(ns, read->upload.id, after + 1).item;
  auto rows = co_await scan_rows(tree_, std::move(scan));
  if (!rows) co_return fail(rows.error());
  for (const shard::Row& row : rows->rows) {
    auto value = unseal(*read->upload.ns->keys, row.key, row.record);
    if (!value) co_return fail(std::move(value).error().in("part"));
    auto object = decode_object(as_view(*value), row.record.references.size());
    if (!object) co_return fail(object.error());
    page.parts.push_back(PartInfo{part_number(row.key), attributes_of(row.record, *std::move(object))});
  }
  page.more = rows->more;
  co_return page;
}

Task<Result<UploadInfo>> TreeUploads::find(NamespaceId ns, std::string key, std::string upload) {
  auto read = co_await read_upload(tree_, ns, key, upload, {});
  if (!read) co_return fail(read.error());
  auto directory = co_await tree_.open(read->upload.ns, uploads_tree);
  if (!directory) co_return fail(directory.error());
  auto slot = co_await tree_.locate(*directory, read->upload.entry_name(), NameType::object, Purpose::read);
  if (!slot) co_return fail(slot.error());
  if (!slot->record) co_return fail(Errc::not_found, "there is no such upload");
  auto value = decode_object(as_view(slot->value), 0);
  if (!value) co_return fail(value.error());
  co_return UploadInfo{std::move(key), std::move(upload), value->modified_ms, std::move(value->properties)};
}

Task<Result<UploadPage>> TreeUploads::list(NamespaceId ns, std::string prefix, std::string after_key,
                                           std::string after_upload, std::uint32_t limit) {
  auto directory = co_await tree_.open(ns, uploads_tree);
  if (!directory) co_return fail(directory.error());
  // Without an upload's name, all uploads of the marker's key are behind.
  std::string after = upload_entry_name(after_key, after_upload.empty() ? "\xff" : after_upload);
  std::string from = after_key.empty() ? prefix : std::max(prefix, after);
  UploadPage page;
  const std::size_t wanted = limit == 0 ? 0 : std::size_t{limit} + 1;  // one more tells whether there is more
  for (bool more = true; more && page.uploads.size() < wanted;) {
    auto leaf = co_await tree_.read_leaf(*directory, from);
    if (!leaf) co_return fail(leaf.error());
    std::vector<Listed> matching;
    for (Listed& entry : leaf->entries) {
      if (entry.name < from || !entry.name.starts_with(prefix)) continue;
      if (!after_key.empty() && entry.name <= after) continue;
      matching.push_back(std::move(entry));
    }
    more = leaf->high && leaf->high->starts_with(prefix);
    if (more) from = *leaf->high;
    if (matching.empty()) continue;
    KISEKI_CO_TRY(co_await take_uploads(tree_, directory->ns, std::move(matching), wanted, page.uploads));
  }
  page.more = page.uploads.size() > limit;
  if (page.more) page.uploads.pop_back();
  co_return page;
}

Task<Result<>> TreeUploads::abort_all(NamespaceId ns) {
  for (;;) {
    auto uploads = co_await list(ns, {}, {}, {}, page_limit);
    if (!uploads) co_return fail(uploads.error());
    if (uploads->uploads.empty()) co_return co_await erase_ended(tree_, ns);
    for (UploadInfo& upload : uploads->uploads) {
      auto aborted = co_await abort(ns, std::move(upload.key), std::move(upload.upload));
      if (!aborted && aborted.error().code() != Errc::not_found) co_return fail(aborted.error());
    }
  }
}

}  // namespace kiseki::fs::detail
