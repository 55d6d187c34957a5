#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/task.h"
#include "crypto/detail/lane_kernels.h"
#include "crypto/hash.h"

namespace kiseki::crypto {

class LaneHasher;

/// Hashes the streams of one core side by side: a hash is one chain of dependent operations, so several cost
/// little more than one. It has no thread: who waits for a hash advances the others too.
class HashLanes {
 public:
  explicit HashLanes(const detail::LaneKernels& kernels = detail::usable_kernels().back());
  HashLanes(const HashLanes&) = delete;
  HashLanes& operator=(const HashLanes&) = delete;
  ~HashLanes();

  /// Streams that are being hashed, or between two updates.
  std::size_t streams() const noexcept { return streams_; }

 private:
  friend class LaneHasher;
  struct Job;

  void advance();
  std::size_t choose(std::array<Job*, detail::lanes_max>& chosen) const;
  void run(std::span<Job* const> jobs, std::size_t blocks) const;

  const detail::LaneKernels& kernels_;
  std::size_t streams_ = 0;
  std::vector<Job*> jobs_;  // oldest first
};

/// What a `LaneHasher` computes. Both take hardly longer than MD5 alone.
enum class LaneDigests : std::uint8_t { md5, md5_and_sha256 };

/// MD5 of a stream that arrives in pieces, and its SHA-256 in the same pass. One core, one call at a time.
class LaneHasher {
 public:
  /// `lanes` outlives it.
  LaneHasher(HashLanes& lanes, LaneDigests digests);
  LaneHasher(const LaneHasher&) = delete;
  LaneHasher& operator=(const LaneHasher&) = delete;
  ~LaneHasher();

  /// Together with other streams of the core that are at it, in turns of the loop. `bytes` stay until it has
  /// returned.
  Task<> update(View bytes);
  /// At once and alone: for few bytes.
  void update_now(View bytes);

  struct Digests {
    DigestMd5 md5;
    std::optional<Digest256> sha256;
  };
  /// Of all so far. Once.
  Digests finish();

 private:
  friend class HashLanes;

  View fill_tail(View bytes);
  void keep_tail(View bytes);
  void absorb(View blocks);
  detail::Lane lane(const std::byte* bytes) noexcept { return {md5_.data(), sha256_.data(), bytes}; }

  HashLanes& lanes_;
  const LaneDigests digests_;
  std::optional<Hasher> plain_sha256_;  // where the kernels have none
  std::array<std::uint32_t, 4> md5_;
  std::array<std::uint32_t, 8> sha256_;
  std::array<std::byte, detail::hash_block_size> tail_;  // of the last, incomplete block
  std::size_t tail_size_ = 0;
  std::uint64_t total_ = 0;
};

}  // namespace kiseki::crypto
