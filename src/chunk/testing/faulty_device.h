#pragma once

#include <set>

#include "base/scope.h"
#include "chunk/testing/memory_device.h"

namespace kiseki::chunk {

/// A device in memory that dies, hangs, rots and forgets as it is told, for tests of pools.
class FaultyDevice final : public Device {
 public:
  FaultyDevice(Executor executor, Clock& clock) : clock_(clock), memory_(executor) { answers_.set(); }

  Task<Result<PutReply>> put(Fragment fragment) override {
    const FragmentKey key{fragment.chunk->name, fragment.index};
    KISEKI_CO_TRY(co_await enter());
    auto reply = co_await memory_.put(std::move(fragment));
    // Puts of another time do not mend: a touched fragment stays rotten.
    if (reply && reply->put == Put::stored) rotten_.erase(key);
    co_return reply;
  }
  Task<Result<GcEpoch>> touch(FragmentKey key, ChunkReference reference, GroupVersion group) override {
    KISEKI_CO_TRY(co_await enter());
    co_return co_await memory_.touch(key, reference, group);
  }
  Task<Result<>> acknowledge(std::uint8_t bits, std::vector<GroupRecord> groups) override {
    KISEKI_CO_TRY(co_await enter());
    co_return co_await memory_.acknowledge(bits, std::move(groups));
  }
  Task<Result<Blocks>> read(FragmentKey key, ChunkReference reference, BlockRange blocks) override {
    KISEKI_CO_TRY(co_await enter());
    auto found = co_await memory_.read(key, reference, blocks);
    if (found && rotten_.contains(key)) co_return fail(Errc::corrupted, "rotten");
    co_return found;
  }
  Task<Result<StoredFragment>> describe(FragmentKey key) override {
    KISEKI_CO_TRY(co_await enter());
    co_return co_await memory_.describe(key);
  }
  Task<Result<>> raise_epoch(GcEpoch epoch) override {
    KISEKI_CO_TRY(co_await enter());
    co_return co_await memory_.raise_epoch(epoch);
  }
  Task<Result<GcEpoch>> epoch() override {
    KISEKI_CO_TRY(co_await enter());
    co_return co_await memory_.epoch();
  }
  Task<Result<AgedPage>> aged(FragmentKey from, EpochRange last_puts) override {
    return memory_.aged(from, last_puts);
  }
  Task<Result<std::vector<AgedFragment>>> aged_of(std::vector<ChunkName> chunks, GcEpoch below) override {
    return memory_.aged_of(std::move(chunks), below);
  }
  Task<Result<std::vector<bool>>> erase_aged(std::vector<FragmentKey> keys, GcEpoch below) override {
    return memory_.erase_aged(std::move(keys), below);
  }
  Task<Result<DeviceStatus>> status() override { return memory_.status(); }
  Task<Result<>> confirm_start() override { return memory_.confirm_start(); }
  Task<> stop() override { return memory_.stop(); }

  void die() { dead_ = true; }
  void come_back() {
    dead_ = false;
    delay_ = {};
    answers_.set();
  }
  /// Calls wait until it comes back.
  void hang() { answers_.reset(); }
  void be_slow(Duration delay) { delay_ = delay; }
  /// What stands under this key fails its check until it is put anew.
  void rot(const FragmentKey& key) { rotten_.insert(key); }
  void forget_all() {
    memory_.forget_all();
    rotten_.clear();
  }
  /// Soon enough for everyone.
  bool answers() const { return !dead_ && answers_.is_set() && delay_ < std::chrono::seconds(20); }
  MemoryDevice& memory() noexcept { return memory_; }

 private:
  Task<Result<>> enter() {
    if (delay_ > Duration()) co_await clock_.sleep(delay_);
    co_await answers_.wait();
    if (dead_) co_return fail(Errc::unavailable, "dead");
    co_return Result<>();
  }

  Clock& clock_;
  MemoryDevice memory_;
  Event answers_;
  Duration delay_{};
  bool dead_ = false;
  std::set<FragmentKey> rotten_;
};

}  // namespace kiseki::chunk
