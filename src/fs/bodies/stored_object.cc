#include "fs/bodies/stored_object.h"

#include <algorithm>
#include <cstring>

#include "base/assert.h"
#include "fs/bodies/body_rows.h"
#include "fs/names/sealer.h"
#include "fs/tree/rows.h"

namespace kiseki::fs::detail {

namespace {

constexpr std::uint32_t window_pages = 8;
// What an opened object holds of its map before a reader of more asks the budget for it.
constexpr std::uint32_t first_pages = 1;

class Reader final : public Object {
 public:
  // NOLINTNEXTLINE(readability-function-size): what was read of one entry, kept as its reader
  Reader(Tree& tree, PieceStore& store, NamespacePtr ns, const shard::Record& record, Attributes attributes,
         Content content)
      : tree_(tree),
        store_(store),
        ns_(std::move(ns)),
        file_(record.id),
        attributes_(std::move(attributes)),
        content_(std::move(content)) {
    keep();
  }

  const Attributes& attributes() const override { return attributes_; }

  Task<Result<Stretch>> fetch(Bytes offset, Bytes length) override {
    if (offset >= attributes_.size || length == 0) co_return fail(Errc::out_of_range, "beyond the end");
    const Bytes end = offset + std::min(length, attributes_.size - offset);
    if (!content_.bytes.empty()) {
      co_return Stretch(Buffer::copy_of(as_view(content_.bytes).subspan(offset, end - offset)));
    }
    KISEKI_CO_TRY(co_await reach(offset, end));
    const Extent extent = extent_at(offset, end);
    if (extent.length == 0) co_return fail(Errc::corrupted, "a map that ends before its object");
    co_return co_await store_.read(ns_->keys, extent.piece, extent.offset, extent.length);
  }

  Task<Result<>> hold(Bytes offset, Bytes length) override {
    if (offset >= attributes_.size || !content_.bytes.empty()) co_return Result<>();
    co_return co_await reach(offset, offset + std::min(length, attributes_.size - offset));
  }

 private:
  /// Bytes of one piece.
  struct Extent {
    Piece piece;
    Bytes offset = 0, length = 0;
  };

  /// The object may be deleted while it is read: its chunks stay.
  void keep() {
    const MapWindow& window = content_.window;
    ends_.clear();
    ends_.reserve(window.pieces.size());
    Bytes end = window.first;
    for (const Piece& piece : window.pieces) ends_.push_back(end += piece.reference.length);
    if (window.pieces.empty()) return;
    if (!hold_) hold_ = store_.hold(ns_->id);
    hold_->replace(window.pieces);
  }

  /// Makes the window hold all of [offset, end): the object may be replaced while they are read.
  Task<Result<>> reach(Bytes offset, Bytes end) {
    const MapWindow& window = content_.window;
    if (offset >= window.first && end <= window.end) co_return Result<>();
    map_permit_.release();
    Services& services = tree_.services();
    constexpr Bytes each = 2 * sizeof(Piece) + sizeof(GcEpoch) + sizeof(Bytes);
    auto permit = co_await store_.map_budget().acquire_within(*services.clock, budget_wait,
                                                              ((end - offset) / piece_size + 1) * each);
    if (!permit) co_return fail(Errc::busy, "no memory for the map of an object");
    const bool follows = offset >= window.first && offset < window.end;
    auto wanted = follows ? window : MapWindow{};
    if (!follows) {
      auto first = co_await page_at(tree_, ns_, file_, offset);
      if (!first) co_return fail(first.error());
      wanted = *std::move(first);
    }
    while (wanted.end < end) {
      auto next = co_await pages_from(tree_, ns_, file_, wanted.end, window_pages);
      if (!next) co_return fail(next.error());
      wanted.pieces.insert(wanted.pieces.end(), next->pieces.begin(), next->pieces.end());
      wanted.end = next->end;
    }
    content_.window = std::move(wanted);
    map_permit_ = std::move(*permit);
    keep();
    co_return Result<>();
  }

  /// From `offset` on, within one piece; empty where the map has no such byte.
  Extent extent_at(Bytes offset, Bytes end) const {
    const auto found = std::ranges::upper_bound(ends_, offset);
    if (found == ends_.end() || offset < content_.window.first) return {};
    const Piece& piece = content_.window.pieces[static_cast<std::size_t>(found - ends_.begin())];
    const Bytes into = offset - (*found - piece.reference.length);
    return {piece, into, std::min(end - offset, *found - offset)};
  }

  Tree& tree_;
  PieceStore& store_;
  NamespacePtr ns_;
  InodeId file_;
  Attributes attributes_;
  Content content_;
  std::vector<Bytes> ends_;     // of the window's pieces, in the object
  std::shared_ptr<Hold> hold_;  // of this reader, and for a moment of its renewal
  Semaphore::Permit map_permit_;
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
      auto window = unless_stale(co_await pages_from(tree, slot.directory.ns, entry.id, 0, first_pages));
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
                                    const shard::Record& record, Attributes attributes, Content content) {
  return std::make_unique<Reader>(tree, store, std::move(ns), record, std::move(attributes),
                                  std::move(content));
}

std::unique_ptr<Source> make_source(Object& object, Properties properties) {
  return std::make_unique<ObjectSource>(object, std::move(properties));
}

}  // namespace kiseki::fs::detail
