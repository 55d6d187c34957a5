#include "crypto/hash_lanes.h"

#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>

#include "base/assert.h"

namespace kiseki::crypto {

namespace {

constexpr std::size_t block_size = detail::hash_block_size;
/// Blocks of one lane in one turn of the loop: about a tenth of a millisecond.
constexpr std::size_t turn_blocks = 64_KiB / block_size;

template <std::size_t N>
void store_words(const std::array<std::uint32_t, N>& words, std::endian order, MutableView out) {
  for (std::size_t i = 0; i < N; ++i) {
    const std::uint32_t word = order == std::endian::native ? words[i] : std::byteswap(words[i]);
    std::memcpy(out.data() + 4 * i, &word, sizeof word);
  }
}

}  // namespace

/// Whole blocks of one stream that wait for their turn; lives as long as its coroutine waits.
struct HashLanes::Job {
  Job(LaneHasher& of, View whole_blocks) : hasher(of), left(whole_blocks) {
    hasher.lanes_.jobs_.push_back(this);
  }
  Job(const Job&) = delete;
  Job& operator=(const Job&) = delete;
  ~Job() { std::erase(hasher.lanes_.jobs_, this); }

  std::size_t blocks() const noexcept { return left.size() / block_size; }

  LaneHasher& hasher;
  View left;
};

HashLanes::HashLanes(const detail::LaneKernels& kernels) : kernels_(kernels) {}
HashLanes::~HashLanes() { KISEKI_ASSERT(streams_ == 0); }

/// The oldest job and those that can go beside it.
std::size_t HashLanes::choose(std::array<Job*, detail::lanes_max>& chosen) const {
  const LaneDigests digests = jobs_.front()->hasher.digests_;
  const bool woven = digests == LaneDigests::md5_and_sha256 && kernels_.both != nullptr;
  const std::size_t most = woven ? detail::LaneKernels::both_lanes : kernels_.wide.lanes;
  std::size_t count = 0;
  for (Job* job : jobs_) {
    if (count == most) break;
    if (job->hasher.digests_ == digests) chosen[count++] = job;
  }
  return count;
}

void HashLanes::run(std::span<Job* const> jobs, std::size_t blocks) const {
  std::array<detail::Lane, detail::lanes_max> lanes;
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    lanes[i] = jobs[i]->hasher.lane(jobs[i]->left.data());
    if (auto& sha256 = jobs[i]->hasher.plain_sha256_)
      sha256->update(jobs[i]->left.first(blocks * block_size));
  }
  const auto used = std::span<const detail::Lane>(lanes).first(jobs.size());
  const bool woven = jobs[0]->hasher.digests_ == LaneDigests::md5_and_sha256 && kernels_.both != nullptr;
  woven ? kernels_.both(used, blocks) : kernels_.md5(used, blocks);
  for (Job* job : jobs) job->left = job->left.subspan(blocks * block_size);
}

/// A share of a turn: all that wait advance the jobs in the same turn.
void HashLanes::advance() {
  for (std::size_t left = std::max<std::size_t>(turn_blocks / jobs_.size(), 64);
       left > 0 && !jobs_.empty();) {
    std::array<Job*, detail::lanes_max> chosen;
    const auto jobs = std::span(chosen).first(choose(chosen));
    std::size_t blocks = left;
    for (const Job* job : jobs) blocks = std::min(blocks, job->blocks());
    run(jobs, blocks);
    left -= blocks;
    std::erase_if(jobs_, [](const Job* job) { return job->left.empty(); });
  }
}

LaneHasher::LaneHasher(HashLanes& lanes, LaneDigests digests)
    : lanes_(lanes),
      digests_(digests),
      md5_{0x67452301U, 0xefcdab89U, 0x98badcfeU, 0x10325476U},
      sha256_{0x6a09e667U, 0xbb67ae85U, 0x3c6ef372U, 0xa54ff53aU,
              0x510e527fU, 0x9b05688cU, 0x1f83d9abU, 0x5be0cd19U} {
  if (digests == LaneDigests::md5_and_sha256 && lanes.kernels_.both == nullptr) {
    plain_sha256_.emplace(HashKind::sha256);
  }
  ++lanes_.streams_;
}

LaneHasher::~LaneHasher() { --lanes_.streams_; }

Task<> LaneHasher::update(View bytes) {
  bytes = fill_tail(bytes);
  const View tail = bytes.last(bytes.size() % block_size);
  if (const View blocks = bytes.first(bytes.size() - tail.size()); !blocks.empty()) {
    const HashLanes::Job job(*this, blocks);
    // Others of the core first receive what has come for them, and join.
    if (lanes_.streams_ > 1) co_await asio::post(co_await asio::this_coro::executor, use_task);
    while (!job.left.empty()) {
      lanes_.advance();
      if (!job.left.empty()) co_await asio::post(co_await asio::this_coro::executor, use_task);
    }
  }
  keep_tail(tail);
}

void LaneHasher::update_now(View bytes) {
  bytes = fill_tail(bytes);
  const View tail = bytes.last(bytes.size() % block_size);
  if (bytes.size() > tail.size()) absorb(bytes.first(bytes.size() - tail.size()));
  keep_tail(tail);
}

/// Completes the block under way; what is left of `bytes`.
View LaneHasher::fill_tail(View bytes) {
  total_ += bytes.size();
  if (tail_size_ == 0) return bytes;
  const View taken = bytes.first(std::min(bytes.size(), block_size - tail_size_));
  keep_tail(taken);
  if (tail_size_ == block_size) {
    tail_size_ = 0;
    absorb(tail_);
  }
  return bytes.subspan(taken.size());
}

void LaneHasher::keep_tail(View bytes) {
  if (!bytes.empty()) std::memcpy(tail_.data() + tail_size_, bytes.data(), bytes.size());
  tail_size_ += bytes.size();
}

void LaneHasher::absorb(View blocks) {
  const detail::Lane one = lane(blocks.data());
  const std::size_t count = blocks.size() / block_size;
  if (plain_sha256_) plain_sha256_->update(blocks);
  if (digests_ == LaneDigests::md5_and_sha256 && !plain_sha256_) {
    lanes_.kernels_.both({&one, 1}, count);
  } else {
    lanes_.kernels_.md5({&one, 1}, count);
  }
}

/// Both pad alike, but for the byte order of the length (RFC 1321 3.1 and 3.2, FIPS 180-4 5.1.1).
LaneHasher::Digests LaneHasher::finish() {
  Digests digests;
  if (plain_sha256_) plain_sha256_->update(View(tail_).first(tail_size_));
  std::array<std::byte, 2 * block_size> padded{};
  std::memcpy(padded.data(), tail_.data(), tail_size_);
  padded[tail_size_] = std::byte{0x80};
  const std::size_t blocks = tail_size_ + 9 <= block_size ? 1 : 2;
  const detail::Lane one = lane(padded.data());
  const auto set_length = [&](std::endian order) {
    const std::uint64_t bits = total_ * 8;
    const std::uint64_t word = order == std::endian::native ? bits : std::byteswap(bits);
    std::memcpy(padded.data() + blocks * block_size - sizeof word, &word, sizeof word);
  };
  set_length(std::endian::little);
  lanes_.kernels_.md5({&one, 1}, blocks);
  store_words(md5_, std::endian::little, digests.md5);
  if (plain_sha256_) digests.sha256 = plain_sha256_->finish<32>();
  if (digests_ == LaneDigests::md5_and_sha256 && !plain_sha256_) {
    set_length(std::endian::big);
    lanes_.kernels_.sha256({&one, 1}, blocks);
    store_words(sha256_, std::endian::big, digests.sha256.emplace());
  }
  return digests;
}

}  // namespace kiseki::crypto
