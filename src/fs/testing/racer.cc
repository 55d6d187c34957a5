#include "fs/testing/racer.h"

#include "fs/objects/renames.h"
#include "fs/objects/tree_directories.h"

namespace kiseki::fs {

namespace {

Task<Result<>> put(Racer& racer) {
  PatternSource source(std::stoull(racer.call.content), 700);
  source.properties.etag = racer.call.content;
  const auto done = co_await racer.on->objects.put(racer.ns, racer.call.path, source, {});
  if (!done) co_return fail(done.error());
  co_return Result<>{};
}

Task<Result<>> get(Racer& racer) {
  const auto object = co_await racer.on->objects.open(racer.ns, racer.call.path);
  if (!object) co_return fail(object.error());
  racer.call.content = (*object)->attributes().properties.etag;
  const auto bytes = co_await (*object)->read(0, 700);
  if (!bytes) co_return fail(bytes.error());
  const bool same = PatternSource::matches(std::stoull(racer.call.content), 0, bytes->view());
  if (!same) racer.call.content = "other bytes";
  co_return Result<>{};
}

}  // namespace

Task<> race(Racer& racer) {
  const std::string& what = racer.call.what;
  Result<> result;
  if (what == "put") {
    result = co_await put(racer);
  } else if (what == "get") {
    result = co_await get(racer);
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
