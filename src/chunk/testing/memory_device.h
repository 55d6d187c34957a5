#pragma once

#include <map>
#include <optional>

#include "chunk/device/group_ledger.h"

namespace kiseki::chunk {

/// A device in memory, for tests: keeps every fragment as it came and can be told to damage or refuse.
class MemoryDevice final : public Device {
 public:
  /// Fragments that one look for aged ones passes.
  static constexpr std::size_t aged_page_max = 1024;
  explicit MemoryDevice(Executor executor) : executor_(executor) {}

  Task<Result<PutReply>> put(Fragment fragment) override;
  Task<Result<GcEpoch>> touch(FragmentKey key, ChunkReference reference, GroupVersion group) override;
  Task<Result<>> acknowledge(std::uint8_t bits, std::vector<GroupRecord> groups) override;
  Task<Result<Blocks>> read(FragmentKey key, ChunkReference reference, BlockRange range) override;
  Task<Result<StoredFragment>> describe(FragmentKey key) override;
  Task<Result<>> raise_epoch(GcEpoch epoch) override;
  Task<Result<GcEpoch>> epoch() override { co_return epoch_; }
  Task<Result<AgedPage>> aged(FragmentKey from, EpochRange last_puts) override;
  Task<Result<std::vector<AgedFragment>>> aged_of(std::vector<ChunkName> chunks, GcEpoch below) override;
  Task<Result<std::vector<bool>>> erase_aged(std::vector<FragmentKey> keys, GcEpoch below) override;
  Task<Result<DeviceStatus>> status() override;
  Task<Result<>> confirm_start() override { co_return Result<>(); }
  Task<> stop() override { co_return; }

  std::size_t count() const noexcept { return fragments_.size(); }
  /// In the order of their first put.
  const std::vector<ChunkName>& names() const noexcept { return names_; }
  bool holds(const ChunkName& chunk) const { return holds({chunk, 0}); }
  bool holds(const FragmentKey& key) const { return fragments_.contains(key); }
  /// Flips one bit of the stored bytes, unnoticed.
  void damage(const ChunkName& chunk, Bytes offset) { damage({chunk, 0}, offset); }
  void damage(const FragmentKey& key, Bytes offset);
  /// Puts another ciphertext under a name, as a thief of the device would.
  void occupy(const ChunkName& chunk, Bytes length);
  void forget_all() { fragments_.clear(); }
  /// Every later put or touch answers so.
  void refuse_puts(std::optional<Errc> code) { refusal_ = code; }
  /// Keeps no bytes: reads answer zeros that do not open. For bodies larger than memory.
  void keep_no_bytes() { sparse_ = true; }
  /// It does not answer garbage rounds.
  void leave() { away_ = Errc::unavailable; }
  void come_back() { away_.reset(); }
  /// As a device that takes no more writes after an error.
  void break_down(std::string why) { failure_ = std::move(why); }
  std::size_t reads = 0, blocks_read = 0, puts = 0, erase_calls = 0;
  Bytes running_bytes_max = 0;  ///< Of puts under way.

 private:
  struct Stored {
    ChunkDescriptionPtr chunk;
    ChunkReference reference;
    std::string bytes;
    GcEpoch epoch;
  };
  Executor executor_;
  std::map<FragmentKey, Stored> fragments_;
  std::vector<ChunkName> names_;
  detail::GroupLedger ledger_;
  GcEpoch epoch_{1};
  std::optional<Errc> refusal_, away_;
  std::string failure_;
  bool sparse_ = false;
  Bytes running_ = 0;
};

}  // namespace kiseki::chunk
