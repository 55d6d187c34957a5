#include "chunk/detail/local_device.h"

#include "base/assert.h"
#include "base/metrics.h"
#include "base/planted.h"

namespace kiseki::chunk::detail {

namespace {

// Up to here a fragment is copied into one buffer and written by one call.
constexpr Bytes copied_max = 256_KiB;

metrics::Counter stored_total("kiseki_device_chunks_stored_total", "Chunks written to a device.");
metrics::Counter touched_total("kiseki_device_chunks_touched_total", "Puts of chunks that were there.");
metrics::Counter erased_total("kiseki_device_chunks_erased_total", "Chunks deleted from a device.");
metrics::Counter corrupted_total("kiseki_device_corrupted_reads_total",
                                 "Reads whose bytes failed their check.");

}  // namespace

class LocalDevice::Call {
 public:
  explicit Call(LocalDevice& owner) : owner_(owner) { ++owner_.calls_; }
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;
  ~Call() {
    if (--owner_.calls_ == 0) owner_.idle_.wake_all();
  }

 private:
  LocalDevice& owner_;
};

class LocalDevice::Reading {
 public:
  explicit Reading(Space& space) : space_(space), number_(space.begin_read()) {}
  Reading(const Reading&) = delete;
  Reading& operator=(const Reading&) = delete;
  ~Reading() { space_.end_read(number_); }

 private:
  Space& space_;
  std::uint64_t number_;
};

class LocalDevice::Stamping {
 public:
  Stamping(LocalDevice& owner, GcEpoch stamp) : owner_(owner), place_(owner.stamps_.insert(stamp)) {}
  Stamping(const Stamping&) = delete;
  Stamping& operator=(const Stamping&) = delete;
  ~Stamping() {
    owner_.stamps_.erase(place_);
    owner_.stamped_.wake_all();
  }

 private:
  LocalDevice& owner_;
  std::multiset<GcEpoch>::iterator place_;
};

LocalDevice::LocalDevice(Parts parts)
    : parts_(std::move(parts)),
      scope_(parts_.services.executor),
      regions_({*parts_.file, parts_.services.index, *parts_.index, health_, parts_.services.pool, scope_},
               parts_.superblock, parts_.options.grow),
      committer_({*parts_.file, *parts_.index, health_, regions_, parts_.services.clock, scope_}),
      recorder_({*parts_.file, parts_.mac, health_, regions_, committer_, scope_}),
      writes_(parts_.options.write_budget),
      headers_(parts_.options.header_cache) {}

Result<> LocalDevice::admit() const {
  if (stopping_) return fail(Errc::cancelled, "the device is stopping");
  return {};
}

Task<Result<DeviceStore::PutReply>> LocalDevice::put(std::shared_ptr<const SealedChunk> chunk,
                                                     GcEpoch epoch) {
  KISEKI_CO_TRY(admit());
  KISEKI_CO_TRY(check_shape(chunk->format, chunk->ciphertext.size(), chunk->tags.size()));
  const Call call(*this);
  const auto claim = co_await claims_.acquire(chunk->id);
  KISEKI_CO_TRY(health_.check());
  auto row = parts_.index->find(chunk->id);
  if (!row) co_return fail(std::move(row).error());
  const GcEpoch stamp = KISEKI_PLANTED("6.5 a put is stamped with less than the device's epoch")
                            ? epoch
                            : std::max(epoch, regions_.epoch());
  const Stamping stamping(*this, stamp);
  if (!*row) co_return co_await store(std::move(chunk), stamp);
  const auto root = root_of(chunk->format, chunk->ciphertext.size(), chunk->tags);
  if ((*row)->root != root) co_return PutReply{Put::conflict, (*row)->last_put};
  co_return co_await raise_last_put(chunk->id, std::move(**row), stamp);
}

Task<Result<GcEpoch>> LocalDevice::touch(ChunkReference reference, GcEpoch epoch) {
  KISEKI_CO_TRY(admit());
  const Call call(*this);
  const auto claim = co_await claims_.acquire(reference.id);
  KISEKI_CO_TRY(health_.check());
  auto row = row_for(reference);
  if (!row) co_return fail(std::move(row).error());
  const GcEpoch stamp = std::max(epoch, regions_.epoch());
  const Stamping stamping(*this, stamp);
  const auto raised = co_await raise_last_put(reference.id, *std::move(row), stamp);
  if (!raised) co_return fail(raised.error());
  co_return raised->epoch;
}

Task<Result<DeviceStore::PutReply>> LocalDevice::raise_last_put(ChunkId id, Row row, GcEpoch stamp) {
  if (KISEKI_PLANTED("6.5 a touch does not raise the last put")) co_return PutReply{Put::touched, stamp};
  // The row became visible only after the flush of its put: nothing is left to wait for.
  if (row.last_put < stamp) {
    Row after = row;
    after.last_put = stamp;
    const Record record{Record::Kind::touch, id, stamp};
    KISEKI_CO_TRY(co_await recorder_.record(record, Change{id, row, after}));
    row = std::move(after);
  }
  touched_total.add();
  co_return PutReply{Put::touched, row.last_put};
}

Task<Result<DeviceStore::PutReply>> LocalDevice::store(std::shared_ptr<const SealedChunk> chunk,
                                                       GcEpoch stamp) {
  const Bytes size = fragment_size(chunk->format, chunk->ciphertext.size());
  const auto permit = co_await writes_.acquire(size);
  const auto grant = co_await regions_.allocate(size, Purpose::fragment);
  if (!grant) co_return fail(grant.error());
  const FragmentHeader header = describe(*chunk, grant->position(), stamp);
  const auto written = co_await write(chunk, header);
  if (!written) {
    if (written.error().code() != Errc::no_space) health_.fail_for_good(written.error());
    co_return fail(written.error());
  }
  Row row = row_of(header);
  const bool cached = !row.checks.has_value();
  std::vector<Change> changes;
  changes.push_back({chunk->id, std::nullopt, std::move(row)});
  KISEKI_CO_TRY(co_await committer_.commit(std::move(changes)));
  if (cached) headers_.insert(header.position, header.checks);
  stored_total.add();
  co_return PutReply{Put::stored, stamp};
}

Task<Result<>> LocalDevice::write(std::shared_ptr<const SealedChunk> chunk, FragmentHeader header) {
  const Bytes length = chunk->ciphertext.size();
  const Bytes head = header_size(chunk->format, length);
  const Bytes size = fragment_size(chunk->format, length);
  Buffer bytes(size <= copied_max ? size : head);
  encode(header, parts_.mac, bytes.span().first(head));
  if (size > copied_max) {
    co_return co_await write_large(*chunk, header.position.offset, std::move(bytes));
  }
  std::memcpy(bytes.data() + head, chunk->ciphertext.data(), length);
  std::memset(bytes.data() + head + length, 0, size - head - length);
  co_return co_await parts_.file->write(header.position.offset, bytes.view());
}

/// The ciphertext goes out from where it is; only its last, short piece is copied to be padded.
Task<Result<>> LocalDevice::write_large(const SealedChunk& chunk, Bytes offset, Buffer header) {
  const View ciphertext = chunk.ciphertext.view();
  const View whole = ciphertext.first(round_down(ciphertext.size(), unit));
  const View rest = ciphertext.subspan(whole.size());
  const Bytes body = offset + header.size();
  KISEKI_CO_TRY(co_await parts_.file->write(body, whole));
  if (!rest.empty()) {
    Buffer last(unit);
    std::memcpy(last.data(), rest.data(), rest.size());
    std::memset(last.data() + rest.size(), 0, unit - rest.size());
    KISEKI_CO_TRY(co_await parts_.file->write(body + whole.size(), last.view()));
  }
  co_return co_await parts_.file->write(offset, header.view());
}

Result<Row> LocalDevice::row_for(const ChunkReference& reference) {
  auto row = parts_.index->find(reference.id);
  if (!row) return fail(std::move(row).error());
  if (!*row) return fail(Errc::not_found, "no such chunk on this device");
  const bool same = (*row)->root == reference.root && (*row)->format == reference.format &&
                    (*row)->length == reference.length;
  if (!same) return fail(Errc::corrupted, "another chunk stands under this id");
  return std::move(**row);
}

Task<Result<Blocks>> LocalDevice::read(ChunkReference reference, std::size_t first, std::size_t count) {
  KISEKI_CO_TRY(admit());
  const Call call(*this);
  const Reading reading(regions_.space());
  auto row = row_for(reference);
  if (!row) co_return fail(std::move(row).error());
  const std::size_t blocks = block_count(row->format, row->length);
  if (count == 0 || first >= blocks || count > blocks - first) {
    co_return fail(Errc::out_of_range, "blocks beyond the chunk");
  }
  while (true) {
    const Position position = row->position;
    auto found = co_await read_blocks(std::move(*row), first, count);
    if (found || found.error().code() != Errc::corrupted) co_return found;
    headers_.erase(position);
    // The chunk may have been deleted, or put again elsewhere, since the index was asked.
    row = row_for(reference);
    if (!row) co_return fail(std::move(row).error());
    if (row->position != position) continue;
    corrupted_total.add();
    log::error("chunk", "{}", found.error().words());
    co_return found;
  }
}

Task<Result<Blocks>> LocalDevice::read_blocks(Row row, std::size_t first, std::size_t count) {
  const auto checks = co_await checks_of(row);
  if (!checks) co_return fail(checks.error());
  const Extent extent = blocks_extent(row.format, row.length, first, count);
  const Bytes offset = row.position.offset + header_size(row.format, row.length) + extent.offset;
  Blocks blocks{Buffer(round_up(extent.length, unit)), {}};
  KISEKI_CO_TRY(co_await parts_.file->read(offset, blocks.ciphertext.span()));
  blocks.ciphertext.shrink(extent.length);
  if (!matches(*checks, row.format, first, blocks.ciphertext.view())) {
    co_return fail(Errc::corrupted,
                   fmt::format("fragment at {}: checksum of its blocks", row.position.offset));
  }
  const auto tags = std::span(checks->tags).subspan(first, count);
  blocks.tags.assign(tags.begin(), tags.end());
  co_return std::move(blocks);
}

Task<Result<BlockChecks>> LocalDevice::checks_of(Row row) {
  if (row.checks) co_return std::move(*row.checks);
  if (const BlockChecks* cached = headers_.find(row.position)) co_return *cached;
  Buffer bytes(header_size(row.format, row.length));
  KISEKI_CO_TRY(co_await parts_.file->read(row.position.offset, bytes.span()));
  auto header = decode_header(bytes.view(), row.position.offset, parts_.mac);
  if (!header) co_return fail(std::move(header).error());
  const bool right = header->position == row.position && header->format == row.format &&
                     header->length == row.length &&
                     root_of(header->format, header->length, header->checks.tags) == row.root;
  if (!right) {
    co_return fail(Errc::corrupted,
                   fmt::format("fragment header at {}: another chunk's", row.position.offset));
  }
  headers_.insert(row.position, header->checks);
  co_return std::move(header->checks);
}

Task<Result<bool>> LocalDevice::erase_if_older(ChunkId id, GcEpoch below) {
  KISEKI_CO_TRY(admit());
  const Call call(*this);
  const auto claim = co_await claims_.acquire(id);
  KISEKI_CO_TRY(health_.check());
  auto row = parts_.index->find(id);
  if (!row) co_return fail(std::move(row).error());
  const bool is_young = *row && (*row)->last_put >= below;
  if (!*row || (is_young && !KISEKI_PLANTED("6.6 a device deletes without looking at the last put"))) {
    co_return false;
  }
  const Position position = (*row)->position;
  const Record record{Record::Kind::erase, id, GcEpoch()};
  KISEKI_CO_TRY(co_await recorder_.record(record, Change{id, std::move(*row), std::nullopt}));
  headers_.erase(position);
  erased_total.add();
  co_return true;
}

Task<Result<>> LocalDevice::raise_epoch(GcEpoch epoch) {
  KISEKI_CO_TRY(admit());
  const Call call(*this);
  KISEKI_CO_TRY(co_await regions_.raise_epoch(epoch));
  while (!stamps_.empty() && *stamps_.begin() < epoch) co_await stamped_.wait();
  co_return Result<>{};
}

Task<Result<DeviceStore::AgedPage>> LocalDevice::aged(ChunkId from, GcEpoch first, GcEpoch below) {
  KISEKI_CO_TRY(admit());
  const Call call(*this);
  co_return parts_.index->aged(from, first, below);
}

Task<Result<std::vector<DeviceStore::Aged>>> LocalDevice::aged_of(std::vector<ChunkId> ids, GcEpoch below) {
  KISEKI_CO_TRY(admit());
  const Call call(*this);
  std::vector<Aged> found;
  for (const ChunkId& id : ids) {
    const auto row = parts_.index->find(id);
    if (!row) co_return fail(row.error());
    if (*row && (*row)->last_put < below) found.push_back({id, (*row)->extent().length});
  }
  co_return found;
}

DeviceStore::Usage LocalDevice::usage() const {
  const AreaUsage total = parts_.index->total();
  return {regions_.geometry().capacity(), total.live, total.fragments};
}

Task<> LocalDevice::stop() {
  stopping_ = true;
  while (calls_ > 0) co_await idle_.wait();
  const auto closed = co_await regions_.close_all();
  if (!closed) log::warning("chunk", "the next start recovers: {}", closed.error().to_string());
  co_await scope_.stop();
}

}  // namespace kiseki::chunk::detail
