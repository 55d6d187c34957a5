#include "chunk/device/recovery.h"

#include "base/logging.h"
#include "base/planted.h"

namespace kiseki::chunk::detail {

namespace {

constexpr Bytes window_size = 1_MiB;

}  // namespace

Task<Result<View>> Window::at(Bytes offset, Bytes length, Bytes end) {
  const bool inside = offset >= start_ && offset + length <= start_ + buffer_.size();
  if (!inside) {
    Buffer fresh(std::min(std::max(length, window_size), end - offset));
    KISEKI_CO_TRY(co_await file_.read(offset, fresh.span()));
    buffer_ = std::move(fresh);
    start_ = offset;
  }
  co_return buffer_.view().subspan(offset - start_, length);
}

Task<Result<>> Recovery::replay(std::vector<OpenRegion> regions) {
  for (const OpenRegion& region : regions) {
    if (geometry_.extent_of(region.area).end() > file_.size()) {
      co_return fail(Errc::corrupted, fmt::format("the data file ends before its open region {}, at byte {}",
                                                  region.number.value(), file_.size()));
    }
    KISEKI_CO_TRY(co_await scan(region.area, region.number));
  }
  KISEKI_CO_TRY(co_await apply_journal());
  if (!regions.empty()) {
    log::info("chunk", "scanned {} open regions: {} fragments, {} unfinished", regions.size(), fragments_,
              torn_);
  }
  co_return Result<>{};
}

Task<Result<>> Recovery::rebuild(Area areas, GcEpoch epoch) {
  if (!KISEKI_PLANTED("6.4 a rebuilt index trusts the epochs it finds")) least_ = epoch;
  log::warning("chunk", "the index is missing: rebuilding it from {} areas", areas);
  for (Area area = 0; area < areas; ++area) KISEKI_CO_TRY(co_await scan(area, std::nullopt));
  KISEKI_CO_TRY(co_await apply_journal());
  log::info("chunk", "rebuilt the index: {} fragments", fragments_);
  co_return Result<>{};
}

Task<Result<>> Recovery::scan(Area area, Wanted wanted) {
  const Extent extent = geometry_.extent_of(area);
  for (Bytes offset = extent.offset; offset < extent.end();) {
    const auto step = co_await examine(offset, extent.end(), wanted);
    if (!step) co_return fail(step.error());
    offset += *step;
  }
  co_return Result<>{};
}

Task<Result<Bytes>> Recovery::examine(Bytes offset, Bytes end, Wanted wanted) {
  const auto first = co_await window_.at(offset, unit, end);
  if (!first) co_return fail(first.error());
  if (const auto journal = decode_journal_block(*first, offset, mac_)) {
    if (!wanted || journal->position.region == *wanted) journal_blocks_.push_back(offset);
    co_return unit;
  }
  const auto head = header_size_at(*first);
  if (!head || offset + *head > end) co_return unit;
  const auto bytes = co_await window_.at(offset, *head, end);
  if (!bytes) co_return fail(bytes.error());
  const auto header = decode_header(*bytes, offset, mac_);
  if (!header || (wanted && header->position.region != *wanted)) co_return unit;
  const std::uint8_t index = header->key.index;
  const Bytes size = fragment_size(header->format, header->length, index);
  if (offset + size > end) co_return unit;
  const auto whole = co_await window_.at(offset, size, end);
  if (!whole) co_return fail(whole.error());
  const View body = whole->subspan(*head, fragment_length(header->format, header->length, index));
  const bool is_whole =
      matches(header->checks, header->format, first_checksum(header->format, header->length, index), body);
  if (!is_whole && !KISEKI_PLANTED("6.4 a scan takes a fragment without verifying it")) {
    // Torn by the crash and never acknowledged, or damaged since: nobody can tell.
    ++torn_;
    co_return unit;
  }
  KISEKI_CO_TRY(take_fragment(*header));
  ++fragments_;
  co_return size;
}

Result<> Recovery::take_fragment(const FragmentHeader& header) {
  auto before = index_.find(header.key);
  if (!before) return fail(std::move(before).error());
  Row row = row_of(header);
  row.last_put = std::max(row.last_put, least_);
  if (*before) {
    row.last_put = std::max(row.last_put, (*before)->last_put);
    if ((*before)->position >= row.position) {
      if ((*before)->last_put == row.last_put) return {};
      const GcEpoch raised = row.last_put;
      row = **before;
      row.last_put = raised;
    }
  }
  KISEKI_TRY(drop_overlapped(header.key, row.extent()));
  const Change change{header.key, std::move(*before), std::move(row)};
  return index_.write({&change, 1});
}

Result<> Recovery::drop_overlapped(const FragmentKey& key, Extent extent) {
  const auto live = index_.live_in(extent);
  if (!live) return fail(live.error());
  for (const auto& other : *live) {
    if (other.key == key) continue;
    auto row = index_.find(other.key);
    if (!row) return fail(std::move(row).error());
    if (!*row || (*row)->extent() != other.extent) return fail(Errc::corrupted, "index: rows contradict");
    log::warning("chunk", "fragment at {} overwrites what the index has at {}", extent.offset,
                 other.extent.offset);
    const Change change{other.key, std::move(*row), std::nullopt};
    KISEKI_TRY(index_.write({&change, 1}));
  }
  return {};
}

Task<Result<>> Recovery::apply_journal() {
  for (const Bytes offset : journal_blocks_) {
    const auto block = co_await window_.at(offset, unit, offset + unit);
    if (!block) co_return fail(block.error());
    const auto journal = decode_journal_block(*block, offset, mac_);
    if (!journal) co_return fail(Errc::io_error, "the disk returns another block than before");
    for (const JournalEntry& entry : journal->entries) KISEKI_CO_TRY(apply(entry, journal->position));
  }
  co_return Result<>{};
}

Result<> Recovery::apply(const JournalEntry& entry, Position position) {
  auto before = index_.find(entry.key);
  if (!before) return fail(std::move(before).error());
  if (!*before || (*before)->position > position) return {};
  if (KISEKI_PLANTED("6.4 a scan does not repeat touches and deletes")) return {};
  Change change{entry.key, std::move(*before), std::nullopt};
  if (entry.kind == JournalEntry::Kind::touch) {
    if (change.before->last_put >= entry.epoch) return {};
    change.after = change.before;
    change.after->last_put = entry.epoch;
  }
  return index_.write({&change, 1});
}

}  // namespace kiseki::chunk::detail
