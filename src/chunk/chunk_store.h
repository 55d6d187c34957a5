#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

#include "base/chunk_reference.h"
#include "base/core.h"
#include "base/ids.h"
#include "base/task.h"
#include "crypto/aead.h"
#include "crypto/hash.h"
#include "disk/disk.h"
#include "kv/kv_store.h"

namespace kiseki::chunk {

/// A chunk as the boundary made it: ciphertext of `length` bytes in blocks of the format's size (the last may
/// be short) and one tag a block.
struct SealedChunk {
  ChunkId id{};
  ChunkFormat format;
  std::vector<crypto::Tag> tags;
  Buffer ciphertext;  ///< Aligned for direct I/O, padded with nothing.
};

Bytes block_size(ChunkFormat format) noexcept;
/// min(64 KiB, length rounded up to 4 KiB): rule 6.2 for k = 1.
ChunkFormat format_for(Bytes length) noexcept;
std::size_t block_count(ChunkFormat format, Bytes length) noexcept;
/// SHA-256 over format, length and tags: what a reference pins.
crypto::Digest256 root_of(ChunkFormat format, Bytes length, std::span<const crypto::Tag> tags);
/// The reference a record keeps once the chunk is stored.
ChunkReference reference_to(const SealedChunk& chunk);

/// Some consecutive blocks of a chunk, read and checked against their checksums.
struct Blocks {
  Buffer ciphertext;
  std::vector<crypto::Tag> tags;
};

/// What a put found.
enum class Put : std::uint8_t {
  stored,
  touched,   ///< The same chunk was there; its last-put epoch was raised.
  conflict,  ///< Another ciphertext stands under this id; nothing was written.
};

/// Keeps the fragments of one device (docs/formats/device.md, PROTOCOLS 6.4): a directory with a data file
/// and an index. Lives on one core; others post to it. Blind: it holds no key but its own MAC secret.
class DeviceStore {
 public:
  struct Options {
    std::filesystem::path directory;
    Bytes capacity = 0;  ///< Of the data file; 0: 80 % of the file system.
    Bytes region = 64_MiB;
    Bytes grow = 1_GiB;           ///< The data file grows in such steps.
    Bytes write_budget = 32_MiB;  ///< Bytes being written at once; more wait.
    Bytes header_cache = 8_MiB;   ///< Memory for tags and checksums of chunks read of late.
  };
  /// Wraps and unwraps the device's secret under the system key; plugged in by `apps`.
  struct SecretWrap {
    std::function<std::string(View context, View secret)> seal;
    std::function<Result<std::string>(View context, View sealed)> open;
  };

  /// What a store works with; all of it outlives the store.
  struct Services {
    disk::Disk& disk;
    kv::KvStore& index;  ///< With the families of `index_families()`; of this device alone.
    Rng& rng;
    BlockingPool& pool;
    Executor executor;  ///< Of the core the store lives on.
    Clock& clock;
  };

  /// Formats an empty directory, or opens and recovers. `wrong_format`, `corrupted`, `io_error`.
  static Task<Result<std::unique_ptr<DeviceStore>>> open(Options options, SecretWrap wrap, Services services);
  static std::vector<std::string> index_families();
  virtual ~DeviceStore() = default;

  virtual Executor executor() const = 0;
  /// Put or touch, one call. On return the chunk survives a power cut. `epoch` is the writer's garbage epoch;
  /// the fragment is stamped with the larger of it and the device's. `no_space`, `io_error`.
  struct PutReply {
    Put put;
    GcEpoch epoch;
  };
  virtual Task<Result<PutReply>> put(std::shared_ptr<const SealedChunk> chunk, GcEpoch epoch) = 0;
  /// As a put of the chunk, which must be there: raises its last put and answers with it. `not_found`;
  /// `corrupted` when another chunk stands under the id.
  virtual Task<Result<GcEpoch>> touch(ChunkReference reference, GcEpoch epoch) = 0;
  /// Blocks [first, first + count) of the referenced chunk. `not_found`; `corrupted` when a checksum fails or
  /// the stored root is not the reference's.
  virtual Task<Result<Blocks>> read(ChunkReference reference, std::size_t first, std::size_t count) = 0;
  /// Deletes when the last put is older than `below`: the conditional delete of a garbage round.
  virtual Task<Result<bool>> erase_if_older(ChunkId id, GcEpoch below) = 0;
  /// The device's garbage epoch only rises. On return it survives a power cut, and no write is under way that
  /// will be stamped with less.
  virtual Task<Result<>> raise_epoch(GcEpoch epoch) = 0;
  virtual GcEpoch epoch() const = 0;

  /// What a garbage round looks for: chunks whose last put is in [first, below).
  struct Aged {
    ChunkId id{};
    Bytes stored = 0;  ///< What its deletion frees.
  };
  struct AgedPage {
    std::vector<Aged> chunks;
    std::optional<ChunkId> next;  ///< Where to go on; nothing: that was all.
  };
  /// In order of ids, from `from` on; a page looks at so many chunks that it holds the core for about a
  /// millisecond.
  virtual Task<Result<AgedPage>> aged(ChunkId from, GcEpoch first, GcEpoch below) = 0;
  /// Those of `ids` that are here and older.
  virtual Task<Result<std::vector<Aged>>> aged_of(std::vector<ChunkId> ids, GcEpoch below) = 0;

  struct Usage {
    Bytes capacity, used, chunks;
  };
  virtual Usage usage() const = 0;
  virtual Task<> stop() = 0;
};

}  // namespace kiseki::chunk
