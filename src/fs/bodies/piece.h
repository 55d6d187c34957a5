#pragma once

#include <memory>

#include "base/scope.h"
#include "crypto/hash.h"
#include "fs/services.h"
#include "fs/stretch.h"

namespace kiseki::fs::detail {

/// Unlocked keys of a namespace: of the caller, who may drop them on a rotation, and of the work under way.
using KeysPtr = std::shared_ptr<const keys::NamespaceKeys>;

/// A body is cut into pieces of this size; a tail below `piece_tail_min` goes with the piece before it.
inline constexpr Bytes piece_size = 4_MiB;
inline constexpr Bytes piece_tail_min = 64_KiB;
inline constexpr Bytes piece_size_max = piece_size + piece_tail_min;
/// What is hashed, sealed or opened before the loop gets its turn.
inline constexpr Bytes slice_size = 256_KiB;
/// How long work waits for memory, then `busy`.
inline constexpr Duration budget_wait = std::chrono::seconds(30);
/// What the maps of readers on one core take.
inline constexpr Bytes maps_max = 64_MiB;

/// One piece of a body: where its ciphertext lies, and whose epoch's data key opens it.
struct Piece {
  ChunkReference reference;
  KeyEpoch key_epoch;
  friend bool operator==(const Piece&, const Piece&) = default;
};

/// Chunks that work under way needs while no row names them: pieces of a body before its commit, pieces being
/// read of an object that is deleted meanwhile. As long as it lives they are touched whenever the garbage
/// epoch has risen, so no round deletes them (docs/decisions/held-chunks.md).
class Hold {
 public:
  explicit Hold(NamespaceId ns) : ns_(ns) {}
  /// `epoch`: of its put; 0: unknown.
  void add(const ChunkReference& reference, GcEpoch epoch) { held_.push_back({reference, epoch}); }
  /// Holds these, and nothing else any more.
  void replace(const std::vector<Piece>& pieces);

 private:
  friend class PieceStore;
  struct Held {
    ChunkReference reference;
    GcEpoch epoch;
  };
  NamespaceId ns_;
  std::vector<Held> held_;
};

/// Gives other coroutines of this core a turn.
Task<> yield_to(Executor executor);

/// Seals pieces into chunks and opens them again (docs/formats/chunk-sealing.md). Every call runs on one core
/// and holds it for no more than a slice.
class PieceStore {
 public:
  /// `services` outlive it.
  explicit PieceStore(Services services) : services_(services), background_(services.executor) {}

  struct Stored {
    Piece piece;
    GcEpoch epoch;  ///< Of the put: a transaction carries the lowest of its pieces.
  };
  using Outcome = OneShot<Result<Stored>>;

  /// Seals `body` in its own memory and stores it, durable on return. `digest`: SHA-256 of exactly these
  /// bytes, taken by this process. `no_space`, `io_error`.
  Task<Result<Stored>> put(KeysPtr keys, Buffer body, crypto::Digest256 digest);
  /// The same beside the caller, who takes the outcome later or forgets it; `permit` is held meanwhile.
  /// `hold` takes the piece when it is stored.
  std::shared_ptr<Outcome> start_put(KeysPtr keys, Buffer body, crypto::Digest256 digest,
                                     MemoryBudget::Permit permit, std::shared_ptr<Hold> hold);
  std::shared_ptr<Hold> hold(NamespaceId ns);
  /// Bytes [offset, offset + length) of the piece, which must lie in it. `not_found`, `corrupted`; the
  /// stretch opens them.
  Task<Result<Stretch>> read(KeysPtr keys, Piece piece, Bytes offset, Bytes length);
  /// Memory for the maps that readers hold.
  Semaphore& map_budget() noexcept { return map_budget_; }
  /// Raises the last put of a stored piece, for a transaction that came too late for its epoch.
  /// `unavailable`: it was collected, and its body has to be sent again.
  Task<Result<GcEpoch>> touch(NamespaceId ns, Piece piece);
  /// Waits for puts that nobody waits for.
  Task<> stop() { return background_.stop(); }

 private:
  /// `chunk` has name and format.
  Task<Result<chunk::SealedChunkPtr>> seal(KeysPtr keys, KeyEpoch epoch, chunk::SealedChunk chunk,
                                           Buffer body);
  Task<Result<Stored>> put_privately(KeysPtr keys, KeyEpoch epoch, chunk::SealedChunkPtr taken);
  Task<Result<chunk::Blocks>> fetch(NamespaceId ns, ChunkReference reference, chunk::BlockRange range);

  Task<> renew_holds();
  Task<> renew(std::shared_ptr<Hold> hold, GcEpoch epoch);

  Services services_;
  Scope background_;
  std::vector<std::weak_ptr<Hold>> holds_;
  Semaphore map_budget_{maps_max};
  bool renewing_ = false;
};

}  // namespace kiseki::fs::detail
