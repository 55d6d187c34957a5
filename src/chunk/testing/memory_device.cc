#include "chunk/testing/memory_device.h"

#include <cstring>

#include <boost/asio/post.hpp>

#include "base/assert.h"

namespace kiseki::chunk {

Task<Result<PutReply>> MemoryDevice::put(Fragment fragment) {
  const Bytes length = fragment.bytes.size();
  running_bytes_max = std::max(running_bytes_max, running_ += length);
  co_await asio::post(executor_, use_task);
  running_ -= length;
  ++puts;
  if (refusal_) co_return fail(*refusal_, "told to refuse");
  const auto admission = ledger_.admit(fragment.chunk->name, fragment.group);
  if (!admission) co_return fail(admission.error());
  const ChunkReference reference = reference_to(*fragment.chunk);
  const FragmentKey key{fragment.chunk->name, fragment.index};
  if (const auto found = fragments_.find(key); found != fragments_.end()) {
    if (found->second.reference != reference) co_return PutReply{Put::conflict, epoch_};
    found->second.epoch = epoch_;
    co_return PutReply{Put::touched, epoch_};
  }
  std::string bytes = sparse_ ? std::string() : std::string(as_text(fragment.bytes));
  names_.push_back(key.chunk);
  fragments_.emplace(key, Stored{std::move(fragment.chunk), reference, std::move(bytes), epoch_});
  co_return PutReply{Put::stored, epoch_};
}

Task<Result<GcEpoch>> MemoryDevice::touch(FragmentKey key, ChunkReference reference, GroupVersion group) {
  co_await asio::post(executor_, use_task);
  const auto admission = ledger_.admit(key.chunk, group);
  if (!admission) co_return fail(admission.error());
  if (refusal_) co_return fail(*refusal_, "told to refuse");
  const auto found = fragments_.find(key);
  if (found == fragments_.end()) co_return fail(Errc::not_found, "no such chunk");
  if (found->second.reference != reference) co_return fail(Errc::corrupted, "another chunk");
  found->second.epoch = epoch_;
  co_return epoch_;
}

Task<Result<Blocks>> MemoryDevice::read(FragmentKey key, ChunkReference reference, BlockRange range) {
  co_await asio::post(executor_, use_task);
  ++reads;
  blocks_read += range.count;
  const auto found = fragments_.find(key);
  if (found == fragments_.end()) co_return fail(Errc::not_found, "no such chunk");
  const Stored& stored = found->second;
  if (stored.reference.root != reference.root) co_return fail(Errc::corrupted, "another root");
  const ChunkFormat format = reference.format;
  const Bytes length = fragment_length(format, reference.length, key.index);
  const Bytes from = range.first * block_size(format);
  const Bytes to = std::min<Bytes>((range.first + range.count) * block_size(format), length);
  KISEKI_ASSERT(range.count > 0 && from < length);
  Blocks blocks{Buffer(to - from), {}};
  if (key.index < format.data || format.data == 1) {
    const std::size_t first = first_checksum(format, reference.length, key.index) + range.first;
    const auto tags = std::span(stored.chunk->tags).subspan(first, range.count);
    blocks.tags.assign(tags.begin(), tags.end());
  }
  if (sparse_) {
    std::memset(blocks.ciphertext.data(), 0, to - from);
  } else {
    std::memcpy(blocks.ciphertext.data(), stored.bytes.data() + from, to - from);
  }
  co_return std::move(blocks);
}

Task<Result<StoredFragment>> MemoryDevice::describe(FragmentKey key) {
  co_await asio::post(executor_, use_task);
  const auto found = fragments_.find(key);
  if (found == fragments_.end()) co_return fail(Errc::not_found, "no such fragment");
  co_return StoredFragment{*found->second.chunk, found->second.epoch};
}

Task<Result<>> MemoryDevice::acknowledge(std::uint8_t bits, std::vector<GroupRecord> groups) {
  KISEKI_CO_TRY(ledger_.learn(bits, groups));
  ledger_.serve(bits, groups);
  co_await ledger_.drained();
  co_return Result<>();
}

Task<Result<>> MemoryDevice::raise_epoch(GcEpoch epoch) {
  if (away_) co_return fail(*away_, "the device is away");
  epoch_ = std::max(epoch_, epoch);
  co_return Result<>();
}

Task<Result<AgedPage>> MemoryDevice::aged(FragmentKey from, EpochRange last_puts) {
  co_await asio::post(executor_, use_task);
  AgedPage page;
  std::size_t looked_at = 0;
  for (auto at = fragments_.lower_bound(from); at != fragments_.end(); ++at) {
    if (looked_at++ == aged_page_max) {
      page.next = at->first;
      break;
    }
    if (at->second.epoch < last_puts.first || at->second.epoch >= last_puts.below) continue;
    page.fragments.push_back({at->first, at->second.reference.length});
  }
  co_return page;
}

Task<Result<std::vector<AgedFragment>>> MemoryDevice::aged_of(std::vector<ChunkName> chunks, GcEpoch below) {
  co_await asio::post(executor_, use_task);
  std::vector<AgedFragment> found;
  for (const ChunkName& chunk : chunks) {
    const auto at = fragments_.find({chunk, 0});
    if (at == fragments_.end() || at->second.epoch >= below) continue;
    found.push_back({at->first, at->second.reference.length});
  }
  co_return found;
}

Task<Result<std::vector<bool>>> MemoryDevice::erase_aged(std::vector<FragmentKey> keys, GcEpoch below) {
  ++erase_calls;
  std::vector<bool> erased;
  for (const FragmentKey& key : keys) {
    const auto found = fragments_.find(key);
    erased.push_back(found != fragments_.end() && found->second.epoch < below);
    if (erased.back()) fragments_.erase(found);
  }
  co_return erased;
}

Task<Result<DeviceStatus>> MemoryDevice::status() {
  Bytes used = 0;
  for (const auto& [key, stored] : fragments_) used += stored.reference.length;
  co_return DeviceStatus{1_GiB, used, fragments_.size(), failure_};
}

void MemoryDevice::damage(const FragmentKey& key, Bytes offset) {
  char& value = fragments_.at(key).bytes.at(offset);
  value = static_cast<char>(value ^ 1);
}

void MemoryDevice::occupy(const ChunkName& chunk, Bytes length) {
  const ChunkFormat format = format_for({}, length);
  auto description = std::make_shared<ChunkDescription>();
  description->name = chunk;
  description->format = format;
  description->length = static_cast<std::uint32_t>(length);
  description->tags.resize(block_count(format, length));
  Stored stored{.chunk = description,
                .reference = reference_to(*description),
                .bytes = std::string(length, 'x'),
                .epoch = epoch_};
  fragments_.insert_or_assign({chunk, 0}, std::move(stored));
}

}  // namespace kiseki::chunk
