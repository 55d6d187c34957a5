#pragma once

#include "base/task.h"
#include "chunk/sealed_chunk.h"

namespace kiseki::chunk {

/// The pool of namespaces that name none.
inline constexpr PoolId default_pool{1};

/// Keeps sealed chunks: what the trusted side knows of pools and devices, wherever those are.
///
/// A chunk is immutable: a second put of the same ciphertext only touches it. Calls may be made on any core
/// and come back there. `unavailable` while too few devices answer.
class ChunkStore {
 public:
  virtual ~ChunkStore() = default;

  /// How the pool spreads its chunks; decides their format, so their ids. `not_found`.
  virtual Result<Profile> profile(PoolId pool) const = 0;
  /// Put or touch, one call. On return the chunk survives a power cut and what its profile promises.
  /// `no_space`, `io_error`.
  virtual Task<Result<PutReply>> put(SealedChunkPtr chunk) = 0;
  /// As a put of the chunk, which must be there: raises its last put and answers with it. `not_found`;
  /// `corrupted` when another chunk stands under the id.
  virtual Task<Result<GcEpoch>> touch(NamespaceId ns, ChunkReference reference) = 0;
  /// `not_found`; `corrupted` when a checksum fails or the stored root is not the reference's.
  virtual Task<Result<Blocks>> read(NamespaceId ns, ChunkReference reference, BlockRange blocks) = 0;
  /// A put or a touch from now on is stamped with at least this.
  virtual Task<Result<GcEpoch>> epoch() = 0;
};

}  // namespace kiseki::chunk
