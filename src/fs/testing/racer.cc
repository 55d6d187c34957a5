#include "fs/testing/racer.h"

#include "fs/objects/renames.h"
#include "fs/objects/tree_directories.h"

namespace kiseki::fs {

namespace {

constexpr Bytes object_size = 700;

/// Of the bytes of a content. A copy has those of its source.
std::uint64_t seed_of(std::string_view content) {
  if (writer_of(content) == Writer::copy) return 0;
  return std::stoull(std::string(content.substr(writer_of(content) == Writer::plain ? 0 : 1)));
}

Task<Result<>> write(Racer& racer) {
  PatternSource source(seed_of(racer.call.content), object_size);
  source.properties.etag = racer.call.content;
  const auto done = co_await racer.on->objects.put(racer.ns, racer.call.path, source, {});
  if (!done) co_return fail(done.error());
  co_return Result<>{};
}

Task<Result<>> copy(Racer& racer) {
  CopyRequest request{racer.ns, std::string(copied_key), racer.ns, racer.call.path, {}, {}, {}};
  request.replace = Properties{.etag = racer.call.content};
  const auto done = co_await racer.on->objects.copy(std::move(request));
  if (!done) co_return fail(done.error());
  co_return Result<>{};
}

Task<Result<>> complete(Racer& racer) {
  auto& uploads = racer.on->uploads;
  const auto upload = co_await uploads.create(racer.ns, racer.call.path, {});
  if (!upload) co_return fail(upload.error());
  PatternSource source(seed_of(racer.call.content), object_size);
  const auto part = co_await uploads.put_part(racer.ns, racer.call.path, *upload, 1, source);
  if (!part) co_return fail(part.error());
  CompleteUpload request{racer.ns, racer.call.path, *upload};
  request.parts = {{1, source.properties.etag}};
  request.etag = racer.call.content;
  const auto done = co_await uploads.complete(std::move(request));
  if (!done) co_return fail(done.error());
  co_return Result<>{};
}

Task<Result<>> put(Racer& racer) {
  switch (writer_of(racer.call.content)) {
    case Writer::plain:
      return write(racer);
    case Writer::copy:
      return copy(racer);
    case Writer::completion:
      break;
  }
  return complete(racer);
}

/// The object that is seen is copied onto itself: its bytes stay, its ETag gets a '+'.
Task<Result<>> restate(Racer& racer) {
  const auto seen = co_await racer.on->objects.stat(racer.ns, racer.call.path);
  if (!seen) co_return fail(seen.error());
  racer.call.content = seen->properties.etag;
  CopyRequest request{racer.ns, racer.call.path, racer.ns, racer.call.path, {}, {}, {}};
  request.source_etag = racer.call.content;
  request.replace = Properties{.etag = racer.call.content + "+"};
  const auto done = co_await racer.on->objects.copy(std::move(request));
  if (!done) co_return fail(done.error());
  co_return Result<>{};
}

Task<Result<>> get(Racer& racer) {
  const auto object = co_await racer.on->objects.open(racer.ns, racer.call.path);
  if (!object) co_return fail(object.error());
  racer.call.content = (*object)->attributes().properties.etag;
  const auto bytes = co_await (*object)->read(0, object_size);
  if (!bytes) co_return fail(bytes.error());
  const bool same = PatternSource::matches(seed_of(racer.call.content), 0, bytes->view());
  if (!same) racer.call.content = "other bytes";
  co_return Result<>{};
}

}  // namespace

Task<Result<>> put_copied(Gateway& on, NamespaceId ns) {
  constexpr Bytes piece_length = 100;
  auto context = co_await on.tree.namespaces().get(ns);
  if (!context) co_return fail(context.error());
  Buffer bytes(piece_length);
  PatternSource::fill(0, 0, bytes.span());
  const auto digest = crypto::sha256(bytes.view());
  const auto stored = co_await on.store.put((*context)->keys, std::move(bytes), digest);
  if (!stored) co_return fail(stored.error());
  detail::MapWriter map(on.tree, on.store, detail::BodyOwner{*context, detail::RowOwner()});
  for (std::size_t i = 0; i <= detail::entry_pieces_max; ++i) {
    KISEKI_CO_TRY(co_await map.add(stored->piece, stored->epoch));
  }
  const auto body = co_await map.finish();
  if (!body) co_return fail(body.error());
  const auto slot = co_await on.tree.find(ns, std::string(copied_key), detail::Purpose::write_linked);
  if (!slot) co_return fail(slot.error());
  detail::ObjectValue value;
  value.properties.etag = copied_content;
  const auto outcome = co_await on.tree.commit(*slot, detail::put_object(on.tree, *slot, *body, value));
  if (!outcome) co_return fail(outcome.error());
  co_return outcome->committed() ? Result<>() : fail(Errc::conflict);
}

Task<> race(Racer& racer) {
  const std::string& what = racer.call.what;
  Result<> result;
  if (what == "put") {
    result = co_await put(racer);
  } else if (what == "get") {
    result = co_await get(racer);
  } else if (what == "restate") {
    result = co_await restate(racer);
  } else if (what == "remove") {
    result = co_await racer.on->objects.remove(racer.ns, racer.call.path, {});
  } else if (what == "mkdir") {
    result = co_await detail::TreeDirectories(racer.on->tree).make(racer.ns, racer.call.path);
  } else if (what == "rmdir") {
    result = co_await detail::TreeDirectories(racer.on->tree).remove(racer.ns, racer.call.path);
  } else {
    result = co_await detail::rename(racer.on->tree, racer.ns, racer.call.path, racer.call.to);
  }
  racer.answer(result);
}

}  // namespace kiseki::fs
