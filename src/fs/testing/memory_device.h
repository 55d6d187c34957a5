#pragma once

#include <functional>
#include <map>
#include <optional>

#include "chunk/chunk_store.h"

namespace kiseki::fs {

/// A device store in memory, for tests: keeps every chunk as it came and can be told to damage or refuse.
class MemoryDevice final : public chunk::DeviceStore {
 public:
  explicit MemoryDevice(Executor executor) : executor_(executor) {}

  Executor executor() const override { return executor_; }
  Task<Result<PutReply>> put(std::shared_ptr<const chunk::SealedChunk> chunk, GcEpoch epoch) override;
  Task<Result<GcEpoch>> touch(ChunkReference reference, GcEpoch epoch) override;
  Task<Result<chunk::Blocks>> read(ChunkReference reference, std::size_t first, std::size_t count) override;
  Task<Result<bool>> erase_if_older(ChunkId id, GcEpoch below) override;
  Task<Result<>> raise_epoch(GcEpoch epoch) override;
  GcEpoch epoch() const override { return epoch_; }
  Task<Result<AgedPage>> aged(ChunkId from, GcEpoch first, GcEpoch below) override;
  Task<Result<std::vector<Aged>>> aged_of(std::vector<ChunkId> ids, GcEpoch below) override;
  Usage usage() const override;
  Task<> stop() override { co_return; }

  std::size_t count() const noexcept { return chunks_.size(); }
  const std::vector<ChunkId>& ids() const noexcept { return ids_; }
  bool holds(const ChunkId& id) const { return chunks_.contains(id); }
  /// Flips one bit of the stored ciphertext.
  void damage(const ChunkId& id, Bytes offset);
  /// Puts another ciphertext under an id, as a thief of the device would.
  void occupy(const ChunkId& id, Bytes length);
  void forget_all() { chunks_.clear(); }
  /// Every later put answers so.
  void refuse_puts(std::optional<Errc> code) { refusal_ = code; }
  /// Keeps no bytes: reads answer zeros that do not open. For bodies larger than memory.
  void keep_no_bytes() { sparse_ = true; }
  std::size_t reads = 0, blocks_read = 0, puts = 0, running_puts_max = 0;

 private:
  struct Stored {
    ChunkReference reference;
    std::vector<crypto::Tag> tags;
    std::string ciphertext;
    GcEpoch epoch;
  };
  Executor executor_;
  std::map<ChunkId, Stored> chunks_;
  std::vector<ChunkId> ids_;  // in the order of their first put
  GcEpoch epoch_{1};
  std::optional<Errc> refusal_;
  bool sparse_ = false;
  std::size_t running_ = 0;
};

}  // namespace kiseki::fs
