#include "chunk/testing/memory_device.h"

#include <cstring>

#include <boost/asio/post.hpp>

#include "base/assert.h"

namespace kiseki::chunk {

Task<Result<PutReply>> MemoryDevice::put(SealedChunkPtr chunk, std::uint8_t index) {
  const Bytes length = chunk->ciphertext.size();
  running_bytes_max = std::max(running_bytes_max, running_ += length);
  co_await asio::post(executor_, use_task);
  running_ -= length;
  ++puts;
  if (refusal_) co_return fail(*refusal_, "told to refuse");
  const ChunkReference reference = reference_to(*chunk);
  if (const auto found = fragments_.find({chunk->name, index}); found != fragments_.end()) {
    if (found->second.reference != reference) co_return PutReply{Put::conflict, epoch_};
    found->second.epoch = epoch_;
    co_return PutReply{Put::touched, epoch_};
  }
  std::string bytes = sparse_ ? std::string() : std::string(as_text(chunk->ciphertext.view()));
  fragments_.emplace(FragmentKey{chunk->name, index},
                     Stored{reference, chunk->tags, std::move(bytes), epoch_});
  names_.push_back(chunk->name);
  co_return PutReply{Put::stored, epoch_};
}

Task<Result<GcEpoch>> MemoryDevice::touch(FragmentKey key, ChunkReference reference) {
  co_await asio::post(executor_, use_task);
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
  KISEKI_ASSERT(range.first + range.count <= stored.tags.size());
  const Bytes block = block_size(reference.format);
  const Bytes from = range.first * block;
  const Bytes to = std::min<Bytes>((range.first + range.count) * block, reference.length);
  Blocks blocks{Buffer(to - from), {}};
  const auto tags = std::span(stored.tags).subspan(range.first, range.count);
  blocks.tags.assign(tags.begin(), tags.end());
  if (sparse_) {
    std::memset(blocks.ciphertext.data(), 0, to - from);
  } else {
    std::memcpy(blocks.ciphertext.data(), stored.ciphertext.data() + from, to - from);
  }
  co_return std::move(blocks);
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

void MemoryDevice::damage(const ChunkName& chunk, Bytes offset) {
  char& value = fragments_.at({chunk, 0}).ciphertext.at(offset);
  value = static_cast<char>(value ^ 1);
}

void MemoryDevice::occupy(const ChunkName& chunk, Bytes length) {
  const ChunkFormat format = format_for({}, length);
  Stored stored{.reference = {}, .tags = {}, .ciphertext = std::string(length, 'x'), .epoch = epoch_};
  stored.tags.resize(block_count(format, length));
  stored.reference = ChunkReference{chunk.id, format, chunk.pool, static_cast<std::uint32_t>(length),
                                    root_of(format, length, stored.tags)};
  fragments_.insert_or_assign({chunk, 0}, std::move(stored));
}

}  // namespace kiseki::chunk
