#include "raft/log/segment.h"

#include <charconv>
#include <cstring>
#include <fmt/format.h>

namespace kiseki::raft::detail {

namespace {

constexpr std::string_view suffix = ".segment";
constexpr std::size_t digits = 8;

/// In slices, so that the flushes of the log in use never wait for a long one.
constexpr Bytes fill_slice = 1_MiB;
constexpr Bytes fill_sync = 8_MiB;

}  // namespace

Task<Result<>> write_zeros(disk::File& file, Bytes offset, Bytes size) {
  Buffer zeros(std::min(fill_slice, size));
  std::memset(zeros.data(), 0, zeros.size());
  for (Bytes done = 0; done < size; done += fill_slice) {
    KISEKI_CO_TRY(co_await file.write(offset + done, zeros.view().first(std::min(fill_slice, size - done))));
    if ((done + fill_slice) % fill_sync == 0) KISEKI_CO_TRY(co_await file.sync());
  }
  co_return co_await file.sync();
}

std::string segment_file_name(std::uint32_t number) { return fmt::format("{:08x}{}", number, suffix); }

std::optional<std::uint32_t> parse_segment_file_name(std::string_view name) {
  if (name.size() != digits + suffix.size() || !name.ends_with(suffix)) return std::nullopt;
  std::uint32_t number = 0;
  const char* const begin = name.data();
  const char* const end = begin + digits;
  const auto parsed = std::from_chars(begin, end, number, 16);
  if (parsed.ec != std::errc{} || parsed.ptr != end) return std::nullopt;
  return number;
}

Task<Result<std::unique_ptr<Segment>>> create_segment(disk::Disk& disk, std::filesystem::path path,
                                                      Bytes size) {
  auto file = co_await disk.open(
      path, {.caching = disk::Caching::direct, .existence = disk::Existence::must_not_exist});
  if (!file) co_return fail(std::move(file).error());
  auto segment = std::make_unique<Segment>();
  segment->path = path;
  segment->file = std::move(*file);
  segment->size = size;
  auto filled = co_await segment->file->allocate(0, size);
  if (filled) filled = co_await write_zeros(*segment->file, 0, size);
  if (filled) filled = co_await disk.sync_directory(path.parent_path());
  if (!filled) {
    KISEKI_CO_TRY(co_await remove_segment(disk, std::move(segment)));
    co_return fail(std::move(filled).error());
  }
  co_return segment;
}

Task<Result<>> claim_segment(Segment& segment, std::uint64_t sequence) {
  const Buffer header = encode(SegmentHeader{sequence, segment.size});
  KISEKI_CO_TRY(co_await segment.file->write(0, header.view()));
  KISEKI_CO_TRY(co_await segment.file->sync());
  segment.sequence = sequence;
  co_return Result<>{};
}

Task<Result<>> remove_segment(disk::Disk& disk, std::unique_ptr<Segment> segment) {
  const auto path = segment->path;
  segment.reset();
  KISEKI_CO_TRY(co_await disk.remove(path));
  co_return co_await disk.sync_directory(path.parent_path());
}

Task<Result<View>> SegmentWindow::at(Bytes offset, Bytes size) {
  if (offset < start_ || offset + size > start_ + length_) {
    const Bytes want =
        std::min(std::max(round_up(size, log_block), window), round_down(file_.size() - offset, log_block));
    if (want > buffer_.size()) buffer_ = Buffer(want);
    length_ = 0;
    KISEKI_CO_TRY(co_await file_.read(offset, buffer_.span().first(want)));
    start_ = offset;
    length_ = want;
  }
  co_return buffer_.view().subspan(offset - start_, size);
}

}  // namespace kiseki::raft::detail
