#pragma once

#include <set>

#include "chunk/device/claims.h"
#include "chunk/device/group_ledger.h"
#include "chunk/device/header_cache.h"
#include "chunk/device/journal.h"
#include "chunk/local_device.h"

namespace kiseki::chunk::detail {

/// What a start finds of a device: its data file and index, recovered.
struct Recovered {
  std::unique_ptr<disk::File> file;
  std::unique_ptr<Index> index;
  crypto::Key256 mac;
  Superblock superblock;
};

/// A device that is a directory of this machine, open and recovered. Lives on one core; its public calls go
/// there.
class DirectoryDevice final : public Device {
 public:
  DirectoryDevice(Recovered recovered, LocalDeviceOptions options, Machinery machinery);

  Task<Result<PutReply>> put(Fragment fragment) override;
  Task<Result<GcEpoch>> touch(FragmentKey key, ChunkReference reference, GroupVersion group) override;
  Task<Result<Blocks>> read(FragmentKey key, ChunkReference reference, BlockRange blocks) override;
  Task<Result<StoredFragment>> describe(FragmentKey key) override;
  Task<Result<>> acknowledge(std::uint8_t bits, std::vector<GroupRecord> groups) override;
  Task<Result<>> raise_epoch(GcEpoch epoch) override;
  Task<Result<GcEpoch>> epoch() override;
  Task<Result<AgedPage>> aged(FragmentKey from, EpochRange last_puts) override;
  Task<Result<std::vector<AgedFragment>>> aged_of(std::vector<ChunkName> chunks, GcEpoch below) override;
  Task<Result<std::vector<bool>>> erase_aged(std::vector<FragmentKey> keys, GcEpoch below) override;
  Task<Result<DeviceStatus>> status() override;
  Task<Result<>> confirm_start() override;
  Task<> stop() override;

  /// What recovery put into the index becomes durable, and the scanned regions close. Before anything else.
  Task<Result<>> finish_recovery();

 private:
  /// A call under way; `stop` waits for it.
  class Call;
  /// A read that space freed from now on waits for.
  class Reading;
  /// A write of a last put, until it is in the index.
  class Stamping;

  // The public calls on the device's core.
  Task<Result<PutReply>> do_put(Fragment fragment);
  Task<Result<GcEpoch>> do_touch(FragmentKey key, ChunkReference reference, GroupVersion group);
  Task<Result<Blocks>> do_read(FragmentKey key, ChunkReference reference, BlockRange blocks);
  Task<Result<StoredFragment>> do_describe(FragmentKey key);
  Task<Result<>> do_acknowledge(std::uint8_t bits, std::vector<GroupRecord> groups);
  Task<Result<>> do_raise_epoch(GcEpoch epoch);
  Task<Result<GcEpoch>> do_epoch();
  Task<Result<AgedPage>> do_aged(FragmentKey from, EpochRange last_puts);
  Task<Result<std::vector<AgedFragment>>> do_aged_of(std::vector<ChunkName> chunks, GcEpoch below);
  Task<Result<std::vector<bool>>> do_erase_aged(std::vector<FragmentKey> keys, GcEpoch below);
  Task<Result<DeviceStatus>> do_status();
  Task<Result<>> do_confirm_start();
  Task<> do_stop();

  Result<> admit() const;
  Task<Result<PutReply>> store(Fragment fragment, GcEpoch stamp);
  Task<Result<PutReply>> raise_last_put(FragmentKey key, Row row, GcEpoch stamp);
  Task<Result<>> write(View body, const FragmentHeader& header, std::vector<Change> changes);
  Task<Result<>> write_body(View body, Bytes offset);
  Task<Result<std::optional<Row>>> find(FragmentKey key);
  Task<Result<Row>> row_for(FragmentKey key, ChunkReference reference);
  Task<Result<Blocks>> read_blocks(Row row, BlockRange range);
  Task<Result<BlockChecks>> checks_of(Row row);

  Recovered recovered_;
  LocalDeviceOptions options_;
  Machinery machinery_;
  Health health_;
  Scope scope_;
  Media media_;
  Regions regions_;
  Committer committer_;
  Journal journal_;
  Claims claims_;
  Semaphore writes_;
  HeaderCache headers_;
  GroupLedger groups_;
  std::multiset<GcEpoch> stamps_;  // of writes under way
  WaitList stamped_;
  std::size_t calls_ = 0;
  bool stopping_ = false;
  WaitList idle_;
};

}  // namespace kiseki::chunk::detail
