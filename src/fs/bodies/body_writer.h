#pragma once

#include "fs/bodies/extent_map.h"

namespace kiseki::fs::detail {

/// Reads a body and stores it: at most two pieces in memory, one being read while the other is sealed and
/// written. A sender begins with little memory and gets the rest of a piece when it has filled that. A piece
/// is cut short when its sender is slow and others wait for memory; from then on the body comes in small
/// pieces, with memory for slow senders alone, until it keeps up again.
class BodyWriter {
 public:
  /// `tree` and `store` outlive it.
  BodyWriter(Tree& tree, PieceStore& store, BodyOwner owner);

  /// The whole of `source`, without its `finish`. `too_large`, `busy`, and what source and store answer.
  Task<Result<WrittenBody>> write(Source& source);
  /// As of `MapWriter`.
  Task<> linked() { return map_.linked(); }
  Task<> discard() { return map_.discard(); }

 private:
  Task<Result<>> fill(Source& source);
  Task<Result<>> take_memory(Source& source, Bytes needed);
  bool should_cut(const Source& source, BootTime began) const;
  void grow(Bytes needed);
  Task<Result<>> send(const Source& source);
  Task<crypto::Digest256> digest(const Source& source, Bytes length);
  Task<Result<>> settle();
  Task<Result<WrittenBody>> small();
  Bytes capacity_for(const Source& source) const;
  void hash(Bytes until);

  Tree& tree_;
  PieceStore& store_;
  BodyOwner owner_;
  MapWriter map_;
  crypto::Hasher hasher_{crypto::HashKind::sha256};
  Buffer buffer_;
  MemoryBudget::Permit permit_;  // for the buffer up to `room_`
  MemoryUse use_ = MemoryUse::transfer;
  Bytes room_ = 0;
  Bytes filled_ = 0, hashed_ = 0;
  Bytes consumed_ = 0;  // of the source
  std::string carry_;   // what was read beyond the last piece
  bool ended_ = false;
  bool is_one_piece_ = false;
  bool is_known_ = false;                           // the sender has filled a buffer at a good pace
  bool is_slow_ = false;                            // the sender, while others wait for memory
  std::shared_ptr<Hold> hold_;                      // of the puts beside us and of us
  std::shared_ptr<PieceStore::Outcome> in_flight_;  // of the put beside us and of us
};

}  // namespace kiseki::fs::detail
