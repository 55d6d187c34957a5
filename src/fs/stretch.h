#pragma once

#include <memory>

#include "base/buffer.h"
#include "base/result.h"

namespace kiseki::fs {

/// Bytes of an object in memory. They are checked and opened in place as they are asked for, in order: what
/// is sent first need not wait for the rest, and goes out while it is in the cache.
class Stretch {
 public:
  class Opener {
   public:
    virtual ~Opener() = default;
    /// Opens `bytes` from `from` on, before which all is open, until `until` or a little more, and says how
    /// far. `corrupted`: nothing from there on is open.
    virtual Result<Bytes> open(MutableView bytes, Bytes from, Bytes until) = 0;
  };

  Stretch() = default;
  /// All of it is open.
  explicit Stretch(Buffer bytes) : bytes_(std::move(bytes)), size_(bytes_.size()), opened_(bytes_.size()) {}
  /// `size` bytes behind `skipped` ones of `bytes`.
  Stretch(Buffer bytes, std::unique_ptr<Opener> opener, Bytes skipped, Bytes size)
      : bytes_(std::move(bytes)), opener_(std::move(opener)), skipped_(skipped), size_(size) {}

  Bytes size() const noexcept { return size_; }
  /// The first `length` bytes, at most `size()`; valid while this lives. `corrupted`.
  Result<View> first(Bytes length);
  /// All of it, in memory of its own; `first` has given all. Nothing is left.
  Buffer release();

 private:
  Buffer bytes_;
  std::unique_ptr<Opener> opener_;
  Bytes skipped_ = 0, size_ = 0;
  Bytes opened_ = 0;  // of `bytes_`
};

}  // namespace kiseki::fs
