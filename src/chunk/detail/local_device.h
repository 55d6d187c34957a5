#pragma once

#include <set>

#include "chunk/chunk_store.h"
#include "chunk/detail/claims.h"
#include "chunk/detail/header_cache.h"
#include "chunk/detail/recorder.h"
#include "crypto/secret.h"

namespace kiseki::chunk::detail {

/// A device that is open and recovered: what `start` makes of a data file and an index.
class LocalDevice final : public DeviceStore {
 public:
  struct Parts {
    std::unique_ptr<disk::File> file;
    std::unique_ptr<Index> index;
    crypto::Key256 mac;
    Superblock superblock;
    Options options;
    Services services;
  };
  explicit LocalDevice(Parts parts);

  Executor executor() const override { return parts_.services.executor; }
  Task<Result<PutReply>> put(std::shared_ptr<const SealedChunk> chunk, GcEpoch epoch) override;
  Task<Result<GcEpoch>> touch(ChunkReference reference, GcEpoch epoch) override;
  Task<Result<Blocks>> read(ChunkReference reference, std::size_t first, std::size_t count) override;
  Task<Result<bool>> erase_if_older(ChunkId id, GcEpoch below) override;
  Task<Result<>> raise_epoch(GcEpoch epoch) override;
  GcEpoch epoch() const override { return regions_.epoch(); }
  Task<Result<AgedPage>> aged(ChunkId from, GcEpoch first, GcEpoch below) override;
  Task<Result<std::vector<Aged>>> aged_of(std::vector<ChunkId> ids, GcEpoch below) override;
  Usage usage() const override;
  Task<> stop() override;

  /// What recovery put into the index becomes durable, and the scanned regions close. Before anything else.
  Task<Result<>> finish_recovery() { return regions_.close_all(); }

 private:
  /// A call under way; `stop` waits for it.
  class Call;
  /// A read that space freed from now on waits for.
  class Reading;
  /// A write of a last put, until it is in the index.
  class Stamping;

  Result<> admit() const;
  Task<Result<PutReply>> store(std::shared_ptr<const SealedChunk> chunk, GcEpoch stamp);
  Task<Result<PutReply>> raise_last_put(ChunkId id, Row row, GcEpoch stamp);
  Task<Result<>> write(std::shared_ptr<const SealedChunk> chunk, FragmentHeader header);
  Task<Result<>> write_large(const SealedChunk& chunk, Bytes offset, Buffer header);
  Result<Row> row_for(const ChunkReference& reference);
  Task<Result<Blocks>> read_blocks(Row row, std::size_t first, std::size_t count);
  Task<Result<BlockChecks>> checks_of(Row row);

  Parts parts_;
  Health health_;
  Scope scope_;
  Regions regions_;
  Committer committer_;
  Recorder recorder_;
  Claims claims_;
  Semaphore writes_;
  HeaderCache headers_;
  std::multiset<GcEpoch> stamps_;  // of writes under way
  WaitList stamped_;
  std::size_t calls_ = 0;
  bool stopping_ = false;
  WaitList idle_;
};

}  // namespace kiseki::chunk::detail
