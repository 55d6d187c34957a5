#include "chunk/detail/recovery.h"

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
    if (parts_.geometry.extent_of(region.area).end() > parts_.file.size()) {
      co_return fail(Errc::corrupted, fmt::format("the data file ends before its open region {}, at byte {}",
                                                  region.number.value(), parts_.file.size()));
    }
    KISEKI_CO_TRY(co_await scan(region.area, region.number));
  }
  KISEKI_CO_TRY(co_await apply_records());
  if (!regions.empty()) {
    log::info("chunk", "scanned {} open regions: {} fragments, {} unfinished", regions.size(), fragments_,
              torn_);
  }
  co_return Result<>{};
}

Task<Result<>> Recovery::rebuild(Area areas) {
  log::warning("chunk", "the index is missing: rebuilding it from {} areas", areas);
  for (Area area = 0; area < areas; ++area) KISEKI_CO_TRY(co_await scan(area, std::nullopt));
  KISEKI_CO_TRY(co_await apply_records());
  log::info("chunk", "rebuilt the index: {} fragments", fragments_);
  co_return Result<>{};
}

Task<Result<>> Recovery::scan(Area area, Wanted wanted) {
  const Extent extent = parts_.geometry.extent_of(area);
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
  if (const auto records = decode_records(*first, offset, parts_.mac)) {
    if (!wanted || records->position.region == *wanted) record_blocks_.push_back(offset);
    co_return unit;
  }
  const auto head = header_size_at(*first);
  if (!head || offset + *head > end) co_return unit;
  const auto bytes = co_await window_.at(offset, *head, end);
  if (!bytes) co_return fail(bytes.error());
  const auto header = decode_header(*bytes, offset, parts_.mac);
  if (!header || (wanted && header->position.region != *wanted)) co_return unit;
  const Bytes size = fragment_size(header->format, header->length);
  if (offset + size > end) co_return unit;
  const auto whole = co_await window_.at(offset, size, end);
  if (!whole) co_return fail(whole.error());
  const bool is_whole = matches(header->checks, header->format, 0, whole->subspan(*head, header->length));
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
  auto before = parts_.index.find(header.id);
  if (!before) return fail(std::move(before).error());
  Row row = row_of(header);
  if (*before) {
    row.last_put = std::max(row.last_put, (*before)->last_put);
    if ((*before)->position >= row.position) {
      if ((*before)->last_put == row.last_put) return {};
      const GcEpoch raised = row.last_put;
      row = **before;
      row.last_put = raised;
    }
  }
  KISEKI_TRY(drop_overlapped(header.id, row.extent()));
  const Change change{header.id, std::move(*before), std::move(row)};
  return parts_.index.write({&change, 1});
}

Result<> Recovery::drop_overlapped(const ChunkId& id, Extent extent) {
  const Extent area = parts_.geometry.extent_of(parts_.geometry.area_of(extent.offset));
  const auto live = parts_.index.live_in({area.offset, extent.end() - area.offset});
  if (!live) return fail(live.error());
  for (const auto& other : *live) {
    if (other.extent.end() <= extent.offset || other.id == id) continue;
    auto row = parts_.index.find(other.id);
    if (!row) return fail(std::move(row).error());
    if (!*row || (*row)->extent() != other.extent) return fail(Errc::corrupted, "index: rows contradict");
    log::warning("chunk", "fragment at {} overwrites what the index has at {}", extent.offset,
                 other.extent.offset);
    const Change change{other.id, std::move(*row), std::nullopt};
    KISEKI_TRY(parts_.index.write({&change, 1}));
  }
  return {};
}

Task<Result<>> Recovery::apply_records() {
  for (const Bytes offset : record_blocks_) {
    const auto block = co_await window_.at(offset, unit, offset + unit);
    if (!block) co_return fail(block.error());
    const auto records = decode_records(*block, offset, parts_.mac);
    if (!records) co_return fail(Errc::io_error, "the disk returns another block than before");
    for (const Record& record : records->records) KISEKI_CO_TRY(apply(record, records->position));
  }
  co_return Result<>{};
}

Result<> Recovery::apply(const Record& record, Position position) {
  auto before = parts_.index.find(record.id);
  if (!before) return fail(std::move(before).error());
  if (!*before || (*before)->position > position) return {};
  if (KISEKI_PLANTED("6.4 a scan does not repeat touches and deletes")) return {};
  Change change{record.id, std::move(*before), std::nullopt};
  if (record.kind == Record::Kind::touch) {
    if (change.before->last_put >= record.epoch) return {};
    change.after = change.before;
    change.after->last_put = record.epoch;
  }
  return parts_.index.write({&change, 1});
}

}  // namespace kiseki::chunk::detail
