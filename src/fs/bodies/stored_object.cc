#include "fs/bodies/stored_object.h"

#include <cstring>

#include "base/assert.h"
#include "fs/bodies/body_rows.h"
#include "fs/names/sealer.h"
#include "fs/tree/rows.h"

namespace kiseki::fs::detail {

namespace {

constexpr std::uint32_t window_pages = 8;
constexpr Duration budget_wait = std::chrono::seconds(30);

class Reader final : public Object {
 public:
  // NOLINTNEXTLINE(readability-function-size): what was read of one entry, kept as its reader
  Reader(Tree& tree, PieceStore& store, NamespacePtr ns, const shard::Record& record, Attributes attributes,
         Content content, Accounting accounting)
      : tree_(tree),
        store_(store),
        ns_(std::move(ns)),
        file_(record.id),
        attributes_(std::move(attributes)),
        content_(std::move(content)),
        accounting_(accounting) {
    keep();
  }

  const Attributes& attributes() const override { return attributes_; }

  Task<Result<Buffer>> read(Bytes offset, Bytes length) override {
    if (offset >= attributes_.size || length == 0) co_return fail(Errc::out_of_range, "beyond the end");
    length = std::min(length, attributes_.size - offset);
    permit_.release();
    if (!content_.bytes.empty()) {
      co_return Buffer::copy_of(as_view(content_.bytes).subspan(offset, length));
    }
    KISEKI_CO_TRY(co_await reach(offset));
    co_return co_await read_piece(offset, length);
  }

 private:
  /// The object may be deleted while it is read: its chunks stay.
  void keep() {
    if (content_.window.pieces.empty()) return;
    if (!hold_) hold_ = store_.hold();
    hold_->replace(content_.window.pieces);
  }

  /// Makes the window hold the byte.
  Task<Result<>> reach(Bytes offset) {
    const MapWindow& window = content_.window;
    if (offset >= window.first && offset < window.end) co_return Result<>();
    auto next = offset == window.end ? co_await pages_from(tree_, ns_, file_, offset, window_pages)
                                     : co_await page_at(tree_, ns_, file_, offset);
    if (!next) co_return fail(next.error());
    content_.window = *std::move(next);
    keep();
    co_return Result<>();
  }

  Task<Result<Buffer>> read_piece(Bytes offset, Bytes length) {
    Bytes first = content_.window.first;
    for (const Piece& piece : content_.window.pieces) {
      const Bytes end = first + piece.reference.length;
      if (offset >= end) {
        first = end;
        continue;
      }
      length = std::min(length, end - offset);
      KISEKI_CO_TRY(co_await account(length));
      co_return co_await store_.read(ns_->keys, piece, offset - first, length);
    }
    co_return fail(Errc::corrupted, "a map that ends before its object");
  }

  Task<Result<>> account(Bytes length) {
    if (accounting_ == Accounting::caller) co_return Result<>();
    Services& services = tree_.services();
    auto permit = co_await services.payload_budget->acquire_within(*services.clock, budget_wait, length);
    if (!permit) co_return fail(Errc::busy, "no memory for another piece");
    permit_ = std::move(*permit);
    co_return Result<>();
  }

  Tree& tree_;
  PieceStore& store_;
  NamespacePtr ns_;
  InodeId file_;
  Attributes attributes_;
  Content content_;
  Accounting accounting_;
  std::shared_ptr<Hold> hold_;  // of this reader, and for a moment of its renewal
  Semaphore::Permit permit_;    // for the bytes read last
};

class ObjectSource final : public Source {
 public:
  ObjectSource(Object& object, Properties properties) : object_(object), properties_(std::move(properties)) {}

  std::optional<Bytes> size() const override { return object_.attributes().size; }

  Task<Result<std::size_t>> read(MutableView into) override {
    const Bytes rest = object_.attributes().size - offset_;
    if (rest == 0) co_return std::size_t{0};
    auto bytes = co_await object_.read(offset_, std::min<Bytes>(rest, into.size()));
    if (!bytes) co_return fail(std::move(bytes).error().in("read the source"));
    std::memcpy(into.data(), bytes->data(), bytes->size());
    offset_ += bytes->size();
    co_return std::size_t{bytes->size()};
  }

  Result<Properties> finish() override { return properties_; }

 private:
  Object& object_;
  Properties properties_;
  Bytes offset_ = 0;
};

Task<Result<std::optional<std::string>>> inline_bytes(Tree& tree, const EntrySlot& slot) {
  const shard::Record& entry = *slot.record;
  const shard::Key row = inline_key(slot.directory.ns->id, entry.home, entry.id);
  auto record = slot.body;
  if (!record) {
    auto found = co_await read_row(tree, row);
    if (!found) co_return fail(found.error());
    if (!*found) co_return std::nullopt;
    record = **std::move(found);
  }
  auto bytes = unseal(*slot.directory.ns->keys, row, *record);
  if (!bytes) co_return fail(std::move(bytes).error().in("inline bytes"));
  co_return *std::move(bytes);
}

/// Nothing: the rows went with the entry.
template <class T>
Result<std::optional<T>> unless_stale(Result<T> result) {
  if (result) return std::optional<T>(*std::move(result));
  if (result.error().code() == Errc::stale) return std::optional<T>();
  return fail(std::move(result).error());
}

}  // namespace

Task<Result<std::optional<Content>>> content_of(Tree& tree, EntrySlot slot, ObjectValue value) {
  const shard::Record& entry = *slot.record;
  Content content;
  switch (entry.body) {
    case shard::Body::none:
      break;
    case shard::Body::embedded:
      content.bytes = std::move(value.bytes);
      break;
    case shard::Body::inline_row: {
      auto bytes = co_await inline_bytes(tree, slot);
      if (!bytes) co_return fail(bytes.error());
      if (!*bytes) co_return std::nullopt;
      content.bytes = **std::move(bytes);
      break;
    }
    case shard::Body::references:
      content.window = MapWindow{0, entry.logical, pieces_of(entry.references, value.key_epochs)};
      break;
    case shard::Body::pages: {
      auto window = unless_stale(co_await pages_from(tree, slot.directory.ns, entry.id, 0, window_pages));
      if (!window) co_return fail(window.error());
      if (!*window) co_return std::nullopt;
      content.window = **std::move(window);
      break;
    }
  }
  const bool small = entry.body == shard::Body::embedded || entry.body == shard::Body::inline_row;
  if (small && content.bytes.size() != entry.logical)
    co_return fail(Errc::corrupted, "a body of another size");
  co_return std::optional<Content>(std::move(content));
}

// NOLINTNEXTLINE(readability-function-size): the same
std::unique_ptr<Object> make_reader(Tree& tree, PieceStore& store, NamespacePtr ns,
                                    const shard::Record& record, Attributes attributes, Content content,
                                    Accounting accounting) {
  return std::make_unique<Reader>(tree, store, std::move(ns), record, std::move(attributes),
                                  std::move(content), accounting);
}

std::unique_ptr<Source> make_source(Object& object, Properties properties) {
  return std::make_unique<ObjectSource>(object, std::move(properties));
}

}  // namespace kiseki::fs::detail
