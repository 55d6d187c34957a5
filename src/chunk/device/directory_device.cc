#include "chunk/device/directory_device.h"

#include "base/assert.h"
#include "base/logging.h"
#include "base/metrics.h"
#include "base/planted.h"
#include "kv/off_loop.h"

namespace kiseki::chunk::detail {

namespace {

// Up to here a fragment is copied into one buffer and written by one call.
constexpr Bytes copied_max = 256_KiB;
// Claims that one delete holds.
constexpr std::size_t erased_together_max = 1024;

metrics::Counter stored_total("kiseki_device_chunks_stored_total", "Chunks written to a device.");
metrics::Counter touched_total("kiseki_device_chunks_touched_total", "Puts of chunks that were there.");
metrics::Counter erased_total("kiseki_device_chunks_erased_total", "Chunks deleted from a device.");
metrics::Counter corrupted_total("kiseki_device_corrupted_reads_total",
                                 "Reads whose bytes failed their check.");

}  // namespace

class DirectoryDevice::Call {
 public:
  explicit Call(DirectoryDevice& owner) : owner_(owner) { ++owner_.calls_; }
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;
  ~Call() {
    if (--owner_.calls_ == 0) owner_.idle_.wake_all();
  }

 private:
  DirectoryDevice& owner_;
};

class DirectoryDevice::Reading {
 public:
  explicit Reading(Allocator& allocator) : allocator_(allocator), number_(allocator.begin_read()) {}
  Reading(const Reading&) = delete;
  Reading& operator=(const Reading&) = delete;
  ~Reading() { allocator_.end_read(number_); }

 private:
  Allocator& allocator_;
  std::uint64_t number_;
};

class DirectoryDevice::Stamping {
 public:
  Stamping(DirectoryDevice& owner, GcEpoch stamp) : owner_(owner), place_(owner.stamps_.insert(stamp)) {}
  Stamping(const Stamping&) = delete;
  Stamping& operator=(const Stamping&) = delete;
  ~Stamping() {
    owner_.stamps_.erase(place_);
    owner_.stamped_.wake_all();
  }

 private:
  DirectoryDevice& owner_;
  std::multiset<GcEpoch>::iterator place_;
};

DirectoryDevice::DirectoryDevice(Recovered recovered, LocalDeviceOptions options, Machinery machinery)
    : recovered_(std::move(recovered)),
      options_(std::move(options)),
      machinery_(machinery),
      scope_(machinery.executor),
      media_{*recovered_.file, machinery.index, *recovered_.index, recovered_.mac,
             health_,          machinery.pool,  machinery.clock,   scope_},
      regions_(media_, recovered_.superblock, options_.grow),
      committer_(media_, regions_),
      journal_(media_, regions_, committer_),
      writes_(options_.write_budget),
      headers_(options_.header_cache) {}

Task<Result<PutReply>> DirectoryDevice::put(Fragment fragment) {
  return on(machinery_.executor, do_put(std::move(fragment)));
}
Task<Result<GcEpoch>> DirectoryDevice::touch(FragmentKey key, ChunkReference reference, GroupVersion group) {
  return on(machinery_.executor, do_touch(key, reference, group));
}
Task<Result<Blocks>> DirectoryDevice::read(FragmentKey key, ChunkReference reference, BlockRange blocks) {
  return on(machinery_.executor, do_read(key, reference, blocks));
}
Task<Result<StoredFragment>> DirectoryDevice::describe(FragmentKey key) {
  return on(machinery_.executor, do_describe(key));
}
Task<Result<>> DirectoryDevice::acknowledge(std::uint8_t bits, std::vector<GroupRecord> groups) {
  return on(machinery_.executor, do_acknowledge(bits, std::move(groups)));
}
Task<Result<>> DirectoryDevice::raise_epoch(GcEpoch epoch) {
  return on(machinery_.executor, do_raise_epoch(epoch));
}
Task<Result<GcEpoch>> DirectoryDevice::epoch() { return on(machinery_.executor, do_epoch()); }
Task<Result<AgedPage>> DirectoryDevice::aged(FragmentKey from, EpochRange last_puts) {
  return on(machinery_.executor, do_aged(from, last_puts));
}
Task<Result<std::vector<AgedFragment>>> DirectoryDevice::aged_of(std::vector<ChunkName> chunks,
                                                                 GcEpoch below) {
  return on(machinery_.executor, do_aged_of(std::move(chunks), below));
}
Task<Result<std::vector<bool>>> DirectoryDevice::erase_aged(std::vector<FragmentKey> keys, GcEpoch below) {
  return on(machinery_.executor, do_erase_aged(std::move(keys), below));
}
Task<Result<DeviceStatus>> DirectoryDevice::status() { return on(machinery_.executor, do_status()); }
Task<Result<>> DirectoryDevice::confirm_start() { return on(machinery_.executor, do_confirm_start()); }
Task<> DirectoryDevice::stop() { return on(machinery_.executor, do_stop()); }

Task<Result<>> DirectoryDevice::finish_recovery() {
  const auto known = media_.index.groups();
  if (!known) co_return fail(known.error());
  for (const auto& [pool, groups] : *known) {
    KISEKI_CO_TRY(groups_.learn(pool.second, groups));
    groups_.serve(pool.second, groups);
  }
  co_return co_await regions_.close_all();
}

Result<> DirectoryDevice::admit() const {
  if (stopping_) return fail(Errc::cancelled, "the device is stopping");
  return {};
}

Task<Result<PutReply>> DirectoryDevice::do_put(Fragment fragment) {
  KISEKI_CO_TRY(admit());
  KISEKI_CO_TRY(check_shape(fragment));
  const Call call(*this);
  const FragmentKey key{fragment.chunk->name, fragment.index};
  const auto admission = groups_.admit(key.chunk, fragment.group);
  if (!admission) co_return fail(admission.error());
  const auto claim = co_await claims_.acquire(key);
  KISEKI_CO_TRY(health_.check());
  auto row = co_await find(key);
  if (!row) co_return fail(std::move(row).error());
  GcEpoch stamp = regions_.epoch();
  if (KISEKI_PLANTED("6.5 a put is stamped with less than the device's epoch")) stamp = GcEpoch(1);
  const Stamping stamping(*this, stamp);
  if (!*row) co_return co_await store(std::move(fragment), stamp);
  if ((*row)->root != reference_to(*fragment.chunk).root) co_return PutReply{Put::conflict, (*row)->last_put};
  co_return co_await raise_last_put(key, std::move(**row), stamp);
}

Task<Result<GcEpoch>> DirectoryDevice::do_touch(FragmentKey key, ChunkReference reference,
                                                GroupVersion group) {
  KISEKI_CO_TRY(admit());
  const Call call(*this);
  const auto admission = groups_.admit(key.chunk, group);
  if (!admission) co_return fail(admission.error());
  const auto claim = co_await claims_.acquire(key);
  KISEKI_CO_TRY(health_.check());
  auto row = co_await row_for(key, reference);
  if (!row) co_return fail(std::move(row).error());
  const GcEpoch stamp = regions_.epoch();
  const Stamping stamping(*this, stamp);
  const auto raised = co_await raise_last_put(key, *std::move(row), stamp);
  if (!raised) co_return fail(raised.error());
  co_return raised->epoch;
}

Task<Result<PutReply>> DirectoryDevice::raise_last_put(FragmentKey key, Row row, GcEpoch stamp) {
  if (KISEKI_PLANTED("6.5 a touch does not raise the last put")) co_return PutReply{Put::touched, stamp};
  // The row became visible only after the flush of its put: nothing is left to wait for.
  if (row.last_put < stamp) {
    Row after = row;
    after.last_put = stamp;
    std::vector<Journal::Item> items;
    items.push_back({{JournalEntry::Kind::touch, key, stamp}, {key, row, after}});
    KISEKI_CO_TRY(co_await journal_.write(std::move(items)));
    row = std::move(after);
  }
  touched_total.add();
  co_return PutReply{Put::touched, row.last_put};
}

Task<Result<PutReply>> DirectoryDevice::store(Fragment fragment, GcEpoch stamp) {
  const Bytes size = fragment_size(fragment.chunk->format, fragment.chunk->length, fragment.index);
  const auto permit = co_await writes_.acquire(size);
  const auto grant = co_await regions_.allocate(size, Purpose::fragment);
  if (!grant) co_return fail(grant.error());
  const FragmentHeader header = detail::describe(fragment, {grant->position(), stamp});
  Row row = row_of(header);
  const bool cached = !row.checks.has_value();
  std::vector<Change> changes;
  changes.push_back({header.key, std::nullopt, std::move(row)});
  KISEKI_CO_TRY(co_await write(fragment.bytes, header, std::move(changes)));
  if (cached) headers_.insert(header.position, header.checks);
  stored_total.add();
  co_return PutReply{Put::stored, stamp};
}

Task<Result<>> DirectoryDevice::write(View body, const FragmentHeader& header, std::vector<Change> changes) {
  const Bytes head = header_size(header.format, header.length);
  const Bytes size = head + round_up(body.size(), unit);
  const Bytes offset = header.position.offset;
  Buffer bytes(size <= copied_max ? size : head);
  encode(header, media_.mac, bytes.span().first(head));
  if (size > copied_max) {
    auto written = co_await write_body(body, offset + head);
    if (!written && written.error().code() != Errc::no_space) {
      health_.fail_for_good(written.error());
      co_return health_.check();
    }
    KISEKI_CO_TRY(std::move(written));
  } else {
    std::ranges::copy(body, bytes.data() + head);
    std::memset(bytes.data() + head + body.size(), 0, size - head - body.size());
  }
  co_return co_await committer_.write_and_commit(offset, bytes.view(), std::move(changes));
}

/// The bytes go out from where they are; only their last, short piece is copied to be padded.
Task<Result<>> DirectoryDevice::write_body(View body, Bytes offset) {
  const View whole = body.first(round_down(body.size(), unit));
  const View rest = body.subspan(whole.size());
  KISEKI_CO_TRY(co_await media_.file.write(offset, whole));
  if (rest.empty()) co_return Result<>{};
  Buffer last(unit);
  std::memcpy(last.data(), rest.data(), rest.size());
  std::memset(last.data() + rest.size(), 0, unit - rest.size());
  co_return co_await media_.file.write(offset + whole.size(), last.view());
}

Task<Result<std::optional<Row>>> DirectoryDevice::find(FragmentKey key) {
  auto row = co_await kv::off_loop(
      media_.pool, [&](kv::Blocking blocking) { return media_.index.look_up(key, blocking); });
  if (row) KISEKI_CO_TRY(media_.index.check(*row));
  co_return row;
}

Task<Result<Row>> DirectoryDevice::row_for(FragmentKey key, ChunkReference reference) {
  auto row = co_await find(key);
  if (!row) co_return fail(std::move(row).error());
  if (!*row) co_return fail(Errc::not_found, "no such chunk on this device");
  const bool same = (*row)->root == reference.root && (*row)->format == reference.format &&
                    (*row)->length == reference.length;
  if (!same) co_return fail(Errc::corrupted, "another chunk stands under this id");
  co_return std::move(**row);
}

Task<Result<Blocks>> DirectoryDevice::do_read(FragmentKey key, ChunkReference reference, BlockRange range) {
  KISEKI_CO_TRY(admit());
  const Call call(*this);
  const Reading reading(regions_.allocator());
  auto row = co_await row_for(key, reference);
  if (!row) co_return fail(std::move(row).error());
  const std::size_t blocks = block_count(row->format, fragment_length(row->format, row->length, key.index));
  if (range.count == 0 || range.first >= blocks || range.count > blocks - range.first) {
    co_return fail(Errc::out_of_range, "blocks beyond the chunk");
  }
  while (true) {
    const Position position = row->position;
    auto found = co_await read_blocks(std::move(*row), range);
    if (found || found.error().code() != Errc::corrupted) co_return found;
    headers_.erase(position);
    // The chunk may have been deleted, or put again elsewhere, since the index was asked.
    row = co_await row_for(key, reference);
    if (!row) co_return fail(std::move(row).error());
    if (row->position != position) continue;
    corrupted_total.add();
    log::error("chunk", "{}", found.error().words());
    co_return found;
  }
}

Task<Result<Blocks>> DirectoryDevice::read_blocks(Row row, BlockRange range) {
  const auto checks = co_await checks_of(row);
  if (!checks) co_return fail(checks.error());
  const Extent extent = blocks_extent(row.format, fragment_length(row.format, row.length, row.index), range);
  const std::size_t first = first_checksum(row.format, row.length, row.index) + range.first;
  const Bytes offset = row.position.offset + header_size(row.format, row.length) + extent.offset;
  Blocks blocks{Buffer(round_up(extent.length, unit)), {}};
  KISEKI_CO_TRY(co_await media_.file.read(offset, blocks.ciphertext.span()));
  blocks.ciphertext.shrink(extent.length);
  if (!matches(*checks, row.format, first, blocks.ciphertext.view())) {
    co_return fail(Errc::corrupted,
                   fmt::format("fragment at {}: checksum of its blocks", row.position.offset));
  }
  if (row.index < row.format.data || row.format.data == 1) {
    const auto tags = std::span(checks->tags).subspan(first, range.count);
    blocks.tags.assign(tags.begin(), tags.end());
  }
  co_return std::move(blocks);
}

Task<Result<StoredFragment>> DirectoryDevice::do_describe(FragmentKey key) {
  KISEKI_CO_TRY(admit());
  const Call call(*this);
  const Reading reading(regions_.allocator());
  for (std::optional<Position> failed;;) {
    auto row = co_await find(key);
    if (!row) co_return fail(std::move(row).error());
    if (!*row) co_return fail(Errc::not_found, "no such fragment on this device");
    auto checks = co_await checks_of(**row);
    if (checks) {
      co_return StoredFragment{
          {key.chunk, (*row)->format, (*row)->length, std::move(checks->tags), std::move(checks->checksums)},
          (*row)->last_put};
    }
    // It may have been deleted, or put again elsewhere, since the index was asked.
    if (checks.error().code() != Errc::corrupted || failed == (*row)->position) {
      co_return fail(std::move(checks).error());
    }
    failed = (*row)->position;
  }
}

Task<Result<BlockChecks>> DirectoryDevice::checks_of(Row row) {
  if (row.checks) co_return std::move(*row.checks);
  if (const BlockChecks* cached = headers_.find(row.position)) co_return *cached;
  Buffer bytes(header_size(row.format, row.length));
  KISEKI_CO_TRY(co_await media_.file.read(row.position.offset, bytes.span()));
  auto header = decode_header(bytes.view(), row.position.offset, media_.mac);
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

Task<Result<std::vector<bool>>> DirectoryDevice::do_erase_aged(std::vector<FragmentKey> keys, GcEpoch below) {
  KISEKI_CO_TRY(admit());
  if (!std::ranges::is_sorted(keys, std::less_equal<>()) || keys.size() > erased_together_max) {
    co_return fail(Errc::invalid_argument, "fragments to erase");
  }
  const Call call(*this);
  std::vector<Claims::Claim> claims;
  claims.reserve(keys.size());
  for (const FragmentKey& key : keys) claims.push_back(co_await claims_.acquire(key));
  KISEKI_CO_TRY(health_.check());
  std::vector<bool> erased;
  std::vector<Position> positions;
  std::vector<Journal::Item> items;
  for (const FragmentKey& key : keys) {
    auto row = co_await find(key);
    if (!row) co_return fail(std::move(row).error());
    const bool is_young = *row && (*row)->last_put >= below;
    erased.push_back(*row &&
                     (!is_young || KISEKI_PLANTED("6.6 a device deletes without looking at the last put")));
    if (!erased.back()) continue;
    positions.push_back((*row)->position);
    items.push_back({{JournalEntry::Kind::erase, key, GcEpoch()}, {key, std::move(*row), std::nullopt}});
  }
  KISEKI_CO_TRY(co_await journal_.write(std::move(items)));
  for (const Position& position : positions) headers_.erase(position);
  erased_total.add(positions.size());
  co_return erased;
}

Task<Result<>> DirectoryDevice::do_acknowledge(std::uint8_t bits, std::vector<GroupRecord> groups) {
  KISEKI_CO_TRY(admit());
  const Call call(*this);
  KISEKI_CO_TRY(health_.check());
  KISEKI_CO_TRY(groups_.learn(bits, groups));
  const kv::Batch batch = Index::batch_of(bits, groups);
  KISEKI_CO_TRY(co_await media_.pool.run([&] { return media_.store.write(batch); }));
  KISEKI_CO_TRY(co_await regions_.flush_index());
  groups_.serve(bits, groups);
  co_await groups_.drained();
  co_return Result<>{};
}

Task<Result<>> DirectoryDevice::do_raise_epoch(GcEpoch epoch) {
  KISEKI_CO_TRY(admit());
  const Call call(*this);
  KISEKI_CO_TRY(co_await regions_.raise_epoch(epoch));
  while (!stamps_.empty() && *stamps_.begin() < epoch) co_await stamped_.wait();
  co_return Result<>{};
}

Task<Result<GcEpoch>> DirectoryDevice::do_epoch() { co_return regions_.epoch(); }

Task<Result<AgedPage>> DirectoryDevice::do_aged(FragmentKey from, EpochRange last_puts) {
  KISEKI_CO_TRY(admit());
  const Call call(*this);
  co_return co_await kv::off_loop(
      media_.pool, [&](kv::Blocking blocking) { return media_.index.aged(from, last_puts, blocking); });
}

Task<Result<std::vector<AgedFragment>>> DirectoryDevice::do_aged_of(std::vector<ChunkName> chunks,
                                                                    GcEpoch below) {
  KISEKI_CO_TRY(admit());
  const Call call(*this);
  std::vector<AgedFragment> found;
  for (const ChunkName& chunk : chunks) {
    const auto aged = co_await kv::off_loop(
        media_.pool, [&](kv::Blocking blocking) { return media_.index.aged_of(chunk, below, blocking); });
    if (!aged) co_return fail(aged.error());
    found.insert(found.end(), aged->begin(), aged->end());
  }
  co_return found;
}

Task<Result<DeviceStatus>> DirectoryDevice::do_status() {
  const AreaUsage total = media_.index.total();
  const Superblock& superblock = recovered_.superblock;  // what never changes while it is open
  co_return DeviceStatus{regions_.geometry().capacity(),
                         total.live,
                         total.fragments,
                         health_.words(),
                         {superblock.uuid, superblock.cluster, superblock.starts}};
}

Task<Result<>> DirectoryDevice::do_confirm_start() {
  KISEKI_CO_TRY(admit());
  const Call call(*this);
  co_return co_await regions_.confirm_start();
}

Task<> DirectoryDevice::do_stop() {
  stopping_ = true;
  while (calls_ > 0) co_await idle_.wait();
  const auto closed = co_await regions_.close_all();
  if (!closed) log::warning("chunk", "the next start recovers: {}", closed.error().to_string());
  co_await scope_.stop();
}

}  // namespace kiseki::chunk::detail
