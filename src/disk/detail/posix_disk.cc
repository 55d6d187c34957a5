#include "disk/detail/posix_disk.h"

#include <cerrno>
#include <unistd.h>

#include "base/assert.h"
#include "disk/detail/transfer.h"

namespace kiseki::disk::detail {

namespace {

class PosixFile final : public File {
 public:
  PosixFile(Opened opened, std::shared_ptr<Engine> engine)
      : descriptor_(std::move(opened.descriptor)),
        size_(opened.size),
        alignment_(opened.alignment),
        direct_(opened.alignment > 1),
        engine_(std::move(engine)) {}

  Task<Result<>> read(Bytes offset, MutableView into) override {
    co_return co_await transfer(call_of(Call::Kind::read, offset, into));
  }
  Task<Result<>> write(Bytes offset, View from) override;
  Task<Result<>> sync() override;
  Task<Result<>> write_and_sync(Bytes offset, View from) override;
  Task<Result<>> allocate(Bytes offset, Bytes length) override;
  Task<Result<>> resize(Bytes size) override;
  Bytes size() const override { return size_; }
  Bytes alignment() const override { return alignment_; }

 private:
  Call call_of(Call::Kind kind, Bytes offset, View memory) const;
  Task<Result<>> transfer(Call whole);
  Task<Result<>> carry_on(Transfer machine);
  Task<Result<>> simple(Call call, std::string_view what);
  bool is_aligned(const Call& call) const;

  Descriptor descriptor_;
  Bytes size_;
  Bytes alignment_;  // stays when the file leaves direct mode: aligned calls are right in both
  bool direct_;
  std::shared_ptr<Engine> engine_;
};

bool PosixFile::is_aligned(const Call& call) const {
  const auto address = reinterpret_cast<std::uintptr_t>(call.data);
  return ((call.offset | call.length | address) & (alignment_ - 1)) == 0;
}

Task<Result<>> PosixFile::transfer(Call whole) {
  KISEKI_ASSERT(is_aligned(whole));
  return carry_on(Transfer(whole, alignment_));
}

Task<Result<>> PosixFile::carry_on(Transfer machine) {
  while (!machine.done()) {
    const bool direct = direct_;
    const int result = co_await engine_->run(machine.next());
    if (result == -EINVAL && direct) {
      if (std::exchange(direct_, false)) leave_direct_mode(descriptor_.get());
      continue;
    }
    KISEKI_CO_TRY(machine.take(result));
  }
  co_return Result<>{};
}

Call PosixFile::call_of(Call::Kind kind, Bytes offset, View memory) const {
  return {kind, descriptor_.get(), offset, const_cast<std::byte*>(memory.data()), memory.size()};
}

Task<Result<>> PosixFile::write(Bytes offset, View from) {
  KISEKI_CO_TRY(co_await transfer(call_of(Call::Kind::write, offset, from)));
  size_ = std::max(size_, offset + from.size());
  co_return Result<>{};
}

Task<Result<>> PosixFile::simple(Call call, std::string_view what) {
  int result = co_await engine_->run(call);
  while (result == -EINTR) result = co_await engine_->run(call);
  if (result < 0) co_return fail(system_error(-result, what));
  co_return Result<>{};
}

Task<Result<>> PosixFile::sync() {
  return simple(Call{.kind = Call::Kind::sync, .fd = descriptor_.get()}, "sync");
}

Task<Result<>> PosixFile::write_and_sync(Bytes offset, View from) {
  const Call whole = call_of(Call::Kind::write, offset, from);
  KISEKI_ASSERT(is_aligned(whole));
  Transfer machine(whole, alignment_);
  const Call flush{.kind = Call::Kind::sync, .fd = descriptor_.get()};
  const auto [written, synced] = co_await engine_->run_linked(machine.next(), flush);
  const bool is_refused = written == -EINVAL && direct_;  // as `carry_on` finds again
  if (!is_refused) KISEKI_CO_TRY(machine.take(written));
  const bool is_whole = machine.done();
  KISEKI_CO_TRY(co_await carry_on(std::move(machine)));
  size_ = std::max(size_, offset + from.size());
  if (!is_whole || synced == -EINTR || synced == -ECANCELED) co_return co_await sync();
  if (synced < 0) co_return fail(system_error(-synced, "sync"));
  co_return Result<>{};
}

Task<Result<>> PosixFile::allocate(Bytes offset, Bytes length) {
  Call call{.kind = Call::Kind::allocate, .fd = descriptor_.get(), .offset = offset, .length = length};
  KISEKI_CO_TRY(co_await simple(call, "allocate"));
  size_ = std::max(size_, offset + length);
  co_return Result<>{};
}

Task<Result<>> PosixFile::resize(Bytes size) {
  const int fd = descriptor_.get();
  const int refusal = co_await engine_->pool().run(
      [fd, size] { return ftruncate(fd, static_cast<off_t>(size)) == 0 ? 0 : errno; });
  if (refusal != 0) co_return fail(system_error(refusal, "resize"));
  size_ = size;
  co_return Result<>{};
}

}  // namespace

Task<Result<std::unique_ptr<File>>> PosixDisk::open(std::filesystem::path path, OpenOptions options) {
  auto opened =
      co_await engine_->pool().run([path = std::move(path), options] { return open_file(path, options); });
  if (!opened) co_return fail(std::move(opened).error());
  co_return std::make_unique<PosixFile>(std::move(*opened), engine_);
}

Task<Result<>> PosixDisk::make_directory(std::filesystem::path path) {
  co_return co_await engine_->pool().run([path = std::move(path)] { return detail::make_directory(path); });
}

Task<Result<std::vector<std::string>>> PosixDisk::list(std::filesystem::path directory) {
  co_return co_await engine_->pool().run([path = std::move(directory)] { return list_directory(path); });
}

Task<Result<>> PosixDisk::rename(std::filesystem::path from, std::filesystem::path to) {
  co_return co_await engine_->pool().run(
      [from = std::move(from), to = std::move(to)] { return rename_path(from, to); });
}

Task<Result<>> PosixDisk::remove(std::filesystem::path path) {
  co_return co_await engine_->pool().run([path = std::move(path)] { return remove_path(path); });
}

Task<Result<>> PosixDisk::sync_directory(std::filesystem::path directory) {
  co_return co_await engine_->pool().run(
      [path = std::move(directory)] { return detail::sync_directory(path); });
}

Task<Result<SpaceReport>> PosixDisk::space(std::filesystem::path path) {
  co_return co_await engine_->pool().run([path = std::move(path)] { return space_of(path); });
}

}  // namespace kiseki::disk::detail
