#include "fs/bodies/extent_map.h"

#include "base/assert.h"
#include "base/codec.h"
#include "fs/bodies/body_rows.h"
#include "fs/names/sealer.h"
#include "fs/tree/rows.h"

namespace kiseki::fs::detail {

namespace {

constexpr std::uint8_t page_format = 1;

GcEpoch lower(GcEpoch a, GcEpoch b) {
  if (a.is_none()) return b;
  return b.is_none() ? a : std::min(a, b);
}

shard::Record page_record(const WrittenBody& page, InodeId file) {
  shard::Record record;
  record.id = file;
  record.home = {file, LeafId{0}};
  record.type = shard::EntryType::object;
  record.body = shard::Body::references;
  record.logical = record.stored = page.size;
  record.references = references_of(page.pieces);
  return record;
}

std::string encode_page(const std::vector<Piece>& pieces) {
  std::string value;
  Encoder out(value);
  out.integer(page_format);
  encode_epochs(epochs_of(pieces), out);
  return value;
}

Result<> open_page(const NamespaceContext& ns, const shard::Row& row, MapWindow& window) {
  auto value = unseal(*ns.keys, row.key, row.record);
  if (!value) return fail(std::move(value).error().in("map page"));
  Decoder in(as_view(*value));
  if (in.integer<std::uint8_t>() != page_format) return fail(Errc::wrong_format, "map page");
  const auto epochs = decode_epochs(in, row.record.references.size());
  KISEKI_TRY(in.finish("map page"));
  for (Piece& piece : pieces_of(row.record.references, epochs)) {
    window.end += piece.reference.length;
    window.pieces.push_back(std::move(piece));
  }
  return {};
}

Bytes first_of(const shard::Row& row) { return Decoder(as_view(row.key.item)).integer<std::uint64_t>(); }

}  // namespace

void describe(const WrittenBody& body, shard::Record& record, ObjectValue& value) {
  record.id = body.file;
  record.body = body.kind;
  record.logical = record.stored = body.size;
  record.references = references_of(body.pieces);
  value.key_epochs = epochs_of(body.pieces);
  value.bytes = body.kind == shard::Body::embedded ? body.bytes : std::string();
}

Task<Result<>> touch(PieceStore& store, NamespaceId ns, WrittenBody& body) {
  GcEpoch lowest;
  for (std::size_t i = 0; i < body.pieces.size(); ++i) {
    auto epoch = co_await store.touch(ns, body.pieces[i]);
    if (!epoch) co_return fail(epoch.error());
    lowest = lower(lowest, *epoch);
  }
  body.epoch = lowest;
  co_return Result<>();
}

Task<Result<>> MapWriter::add(Piece piece, GcEpoch epoch) {
  if (page_.pieces.size() == page_pieces_max) KISEKI_CO_TRY(co_await write_page());
  if (first_ + page_.size + piece.reference.length > owner_.size_max) {
    co_return fail(Errc::too_large, "a body beyond the limit");
  }
  page_.size += piece.reference.length;
  page_.epoch = lower(page_.epoch, epoch);
  page_.pieces.push_back(piece);
  co_return Result<>();
}

Task<Result<WrittenBody>> MapWriter::finish() {
  if (!pending_ && page_.pieces.size() <= owner_.record_pieces_max) {
    auto file = co_await tree_.new_id(owner_.ns->id);
    if (!file) co_return fail(file.error());
    page_.file = *file;
    page_.kind = page_.pieces.empty() ? shard::Body::none : shard::Body::references;
    co_return std::move(page_);
  }
  if (!page_.pieces.empty()) KISEKI_CO_TRY(co_await write_page());
  WrittenBody body;
  body.kind = shard::Body::pages;
  body.file = file_;
  body.size = first_;
  co_return std::move(body);
}

/// The pending row stands before the first page (PROTOCOLS 2.6).
Task<Result<>> MapWriter::announce() {
  auto file = co_await tree_.new_id(owner_.ns->id);
  if (!file) co_return fail(file.error());
  file_ = *file;
  const shard::Key row = body_pending_key(tree_, owner_.ns->id, file_);
  shard::Record record = pending_record(file_, shard::EntryType::object);
  tree_.seal_row(owner_.ns, row, record, as_view(encode(owner_.rows)));
  shard::Transaction transaction = tree_.begin(owner_.ns);
  transaction.require(shard::Assert::Type::absent, row).put(row, std::move(record));
  auto outcome = co_await commit_rows(tree_, owner_.ns, std::move(transaction));
  if (!outcome) co_return fail(std::move(outcome).error().in("announce a map"));
  KISEKI_ASSERT(outcome->committed());
  pending_ = row;
  co_return Result<>();
}

Task<Result<>> MapWriter::write_page() {
  if (!pending_) KISEKI_CO_TRY(co_await announce());
  const shard::Key row =
      shard::key(page_leaf(owner_.ns->id, file_, first_), shard::Kind::map_page, shard::item_of(first_));
  shard::Record record = page_record(page_, file_);
  tree_.seal_row(owner_.ns, row, record, as_view(encode_page(page_.pieces)));
  shard::Transaction transaction = tree_.begin(owner_.ns);
  transaction.require(shard::Assert::Type::absent, row).put(row, std::move(record));
  for (Attempts attempts;;) {
    transaction.chunk_epoch = page_.epoch;
    auto outcome = co_await commit_rows(tree_, owner_.ns, transaction);
    if (!outcome) co_return fail(std::move(outcome).error().in("write a map page"));
    if (outcome->committed()) break;
    KISEKI_ASSERT(outcome->refusal == shard::Refusal::chunk_epoch);
    KISEKI_CO_TRY(co_await touch(store_, owner_.ns->id, page_));
    KISEKI_CO_TRY(co_await attempts.next(*tree_.services().clock, *tree_.services().rng));
  }
  first_ += page_.size;
  page_ = WrittenBody();
  co_return Result<>();
}

Task<> MapWriter::linked() {
  if (!pending_) co_return;
  shard::Transaction transaction = tree_.begin(owner_.ns);
  transaction.erase(*pending_);
  pending_.reset();
  // Unsuccessful: the sweeper finds the row when the session has ended, and the map linked.
  (void)co_await commit_rows(tree_, owner_.ns, std::move(transaction));
}

Task<> MapWriter::discard() {
  if (!pending_) co_return;
  shard::Transaction transaction = tree_.begin(owner_.ns);
  add_garbage(transaction, pending_->leaf, file_, {file_, LeafId{0}}, shard::Body::pages);
  transaction.erase(*pending_);
  pending_.reset();
  (void)co_await commit_rows(tree_, owner_.ns, std::move(transaction));
}

Task<Result<MapWindow>> pages_from(Tree& tree, NamespacePtr ns, InodeId file, Bytes first,
                                   std::uint32_t pages_max) {
  shard::Scan scan{page_leaf(ns->id, file, first), shard::Kind::map_page, shard::item_of(first), pages_max};
  auto pages = co_await scan_rows(tree, std::move(scan));
  if (!pages) co_return fail(pages.error());
  MapWindow window{first, first, {}};
  for (const shard::Row& row : pages->rows) {
    if (first_of(row) != window.end) break;
    KISEKI_CO_TRY(open_page(*ns, row, window));
  }
  if (window.pieces.empty()) co_return fail(Errc::stale, "the body was replaced");
  co_return std::move(window);
}

Task<Result<MapWindow>> page_at(Tree& tree, NamespacePtr ns, InodeId file, Bytes offset) {
  const std::uint32_t last_leaf = page_leaf(ns->id, file, offset).leaf.value();
  for (std::uint32_t leaf = last_leaf; leaf + 1 >= last_leaf && leaf > 0; --leaf) {
    shard::Scan scan{{ns->id, file, LeafId{leaf}}, shard::Kind::map_page, shard::item_of(offset), 1};
    scan.direction = shard::Scan::Direction::floor;
    auto pages = co_await scan_rows(tree, std::move(scan));
    if (!pages) co_return fail(pages.error());
    if (pages->rows.empty()) continue;
    const shard::Row& row = pages->rows.front();
    MapWindow window{first_of(row), first_of(row), {}};
    KISEKI_CO_TRY(open_page(*ns, row, window));
    if (offset < window.end) co_return std::move(window);
    break;
  }
  co_return fail(Errc::stale, "the body was replaced");
}

}  // namespace kiseki::fs::detail
