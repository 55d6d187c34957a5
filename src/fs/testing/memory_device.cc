#include "fs/testing/memory_device.h"

#include <cstring>

#include <boost/asio/post.hpp>

#include "base/assert.h"

namespace kiseki::fs {

Task<Result<chunk::DeviceStore::PutReply>> MemoryDevice::put(std::shared_ptr<const chunk::SealedChunk> chunk,
                                                             GcEpoch epoch) {
  running_puts_max = std::max(running_puts_max, ++running_);
  co_await asio::post(executor_, use_task);
  --running_;
  ++puts;
  if (refusal_) co_return fail(*refusal_, "told to refuse");
  const ChunkReference reference = chunk::reference_to(*chunk);
  const GcEpoch stamp = std::max(epoch, epoch_);
  if (const auto found = chunks_.find(chunk->id); found != chunks_.end()) {
    if (found->second.reference != reference) co_return PutReply{chunk::Put::conflict, stamp};
    found->second.epoch = std::max(found->second.epoch, stamp);
    co_return PutReply{chunk::Put::touched, stamp};
  }
  std::string bytes = sparse_ ? std::string() : std::string(as_text(chunk->ciphertext.view()));
  chunks_.emplace(chunk->id, Stored{reference, chunk->tags, std::move(bytes), stamp});
  ids_.push_back(chunk->id);
  co_return PutReply{chunk::Put::stored, stamp};
}

Task<Result<GcEpoch>> MemoryDevice::touch(ChunkReference reference, GcEpoch epoch) {
  co_await asio::post(executor_, use_task);
  const auto found = chunks_.find(reference.id);
  if (found == chunks_.end()) co_return fail(Errc::not_found, "no such chunk");
  if (found->second.reference != reference) co_return fail(Errc::corrupted, "another chunk");
  found->second.epoch = std::max({found->second.epoch, epoch, epoch_});
  co_return found->second.epoch;
}

Task<Result<chunk::Blocks>> MemoryDevice::read(ChunkReference reference, std::size_t first,
                                               std::size_t count) {
  co_await asio::post(executor_, use_task);
  ++reads;
  blocks_read += count;
  const auto found = chunks_.find(reference.id);
  if (found == chunks_.end()) co_return fail(Errc::not_found, "no such chunk");
  const Stored& stored = found->second;
  if (stored.reference.root != reference.root) co_return fail(Errc::corrupted, "another root");
  KISEKI_ASSERT(first + count <= stored.tags.size());
  const Bytes block = chunk::block_size(reference.format);
  const Bytes from = first * block;
  const Bytes to = std::min<Bytes>((first + count) * block, reference.length);
  chunk::Blocks blocks{Buffer(to - from), {}};
  blocks.tags.assign(stored.tags.begin() + static_cast<std::ptrdiff_t>(first),
                     stored.tags.begin() + static_cast<std::ptrdiff_t>(first + count));
  if (sparse_) {
    std::memset(blocks.ciphertext.data(), 0, to - from);
  } else {
    std::memcpy(blocks.ciphertext.data(), stored.ciphertext.data() + from, to - from);
  }
  co_return std::move(blocks);
}

Task<Result<bool>> MemoryDevice::erase_if_older(ChunkId id, GcEpoch below) {
  const auto found = chunks_.find(id);
  if (found == chunks_.end() || found->second.epoch >= below) co_return false;
  chunks_.erase(found);
  co_return true;
}

Task<Result<>> MemoryDevice::raise_epoch(GcEpoch epoch) {
  epoch_ = std::max(epoch_, epoch);
  co_return Result<>();
}

Task<Result<chunk::DeviceStore::AgedPage>> MemoryDevice::aged(ChunkId from, GcEpoch first, GcEpoch below) {
  co_await asio::post(executor_, use_task);
  AgedPage page;
  for (auto at = chunks_.lower_bound(from); at != chunks_.end(); ++at) {
    if (at->second.epoch < first || at->second.epoch >= below) continue;
    page.chunks.push_back({at->first, at->second.reference.length});
  }
  co_return page;
}

Task<Result<std::vector<chunk::DeviceStore::Aged>>> MemoryDevice::aged_of(std::vector<ChunkId> ids,
                                                                          GcEpoch below) {
  co_await asio::post(executor_, use_task);
  std::vector<Aged> found;
  for (const ChunkId& id : ids) {
    const auto at = chunks_.find(id);
    if (at != chunks_.end() && at->second.epoch < below) found.push_back({id, at->second.reference.length});
  }
  co_return found;
}

chunk::DeviceStore::Usage MemoryDevice::usage() const {
  Bytes used = 0;
  for (const auto& [id, stored] : chunks_) used += stored.reference.length;
  return Usage{1_GiB, used, chunks_.size()};
}

void MemoryDevice::damage(const ChunkId& id, Bytes offset) {
  char& value = chunks_.at(id).ciphertext.at(offset);
  value = static_cast<char>(value ^ 1);
}

void MemoryDevice::occupy(const ChunkId& id, Bytes length) {
  const ChunkFormat format = chunk::format_for(length);
  Stored stored{.reference = {}, .tags = {}, .ciphertext = std::string(length, 'x'), .epoch = epoch_};
  stored.tags.resize(chunk::block_count(format, length));
  stored.reference = ChunkReference{id, format, Profile::single, static_cast<std::uint32_t>(length),
                                    chunk::root_of(format, length, stored.tags)};
  chunks_.insert_or_assign(id, std::move(stored));
}

}  // namespace kiseki::fs
