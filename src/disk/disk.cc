#include "disk/disk.h"

#include "base/logging.h"
#include "disk/detail/posix_disk.h"
#include "disk/detail/ring.h"

namespace kiseki::disk {

namespace {

Task<Result<>> write_new(Disk& disk, std::filesystem::path path, std::string content) {
  auto file = co_await disk.open(path, {.existence = Existence::create});
  if (!file) co_return fail(std::move(file).error());
  KISEKI_CO_TRY(co_await (*file)->resize(0));
  KISEKI_CO_TRY(co_await (*file)->write(0, as_view(content)));
  co_return co_await (*file)->sync();
}

}  // namespace

Task<Result<std::string>> read_whole(Disk& disk, std::filesystem::path path, Bytes limit) {
  auto file = co_await disk.open(path, {});
  if (!file) co_return fail(std::move(file).error());
  const Bytes size = (*file)->size();
  if (size > limit) co_return fail(Errc::too_large, fmt::format("read {}: {} bytes", path.native(), size));
  std::string content(size, '\0');
  KISEKI_CO_TRY(co_await (*file)->read(0, std::as_writable_bytes(std::span(content))));
  co_return content;
}

Task<Result<>> replace_whole(Disk& disk, std::filesystem::path path, std::string content) {
  auto temporary = path;
  temporary += ".new";
  auto written = co_await write_new(disk, temporary, std::move(content));
  if (written) written = co_await disk.rename(temporary, path);
  if (!written) {
    // Only tidiness: the next replacement starts the temporary file afresh.
    static_cast<void>(co_await disk.remove(temporary));
    co_return fail(std::move(written).error());
  }
  co_return co_await disk.sync_directory(path.has_parent_path() ? path.parent_path() : ".");
}

Task<Result<>> File::write_and_sync(Bytes offset, View from) {
  KISEKI_CO_TRY(co_await write(offset, from));
  co_return co_await sync();
}

Result<std::unique_ptr<Disk>> make_disk(Mode mode, Core& core) {
  std::shared_ptr<detail::Engine> engine;
  if (mode != Mode::threads) {
    auto ring = detail::Ring::open(core.executor());
    if (ring) {
      engine = std::move(*ring);
    } else if (mode == Mode::uring) {
      return fail(std::move(ring).error());
    } else {
      log::info("disk", "files go through threads: {}", ring.error().words());
    }
  }
  if (engine == nullptr) engine = std::make_shared<detail::ThreadEngine>();
  return std::make_unique<detail::PosixDisk>(std::move(engine));
}

}  // namespace kiseki::disk
