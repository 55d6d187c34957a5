#include "crypto/hash_lanes.h"

#include <gtest/gtest.h>
#include <random>

namespace kiseki::crypto {
namespace {

std::string random_bytes(std::mt19937_64& random, std::size_t size) {
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

std::size_t below(std::mt19937_64& random, std::size_t limit) { return random() % limit; }

void expect_digests(LaneHasher& hasher, LaneDigests which, std::string_view text) {
  const auto digests = hasher.finish();
  EXPECT_EQ(to_hex(digests.md5), to_hex(md5(as_view(text))));
  ASSERT_EQ(digests.sha256.has_value(), which == LaneDigests::md5_and_sha256);
  if (digests.sha256) EXPECT_EQ(to_hex(*digests.sha256), to_hex(sha256(as_view(text))));
}

/// Feeds slices of all sizes and alignments, some of them at once.
Task<> hash_in_pieces(HashLanes& lanes, std::string_view text, LaneDigests which, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  LaneHasher hasher(lanes, which);
  for (std::string_view left = text; !left.empty();) {
    const std::size_t longest = random() % 2 == 0 ? 200 : 150'000;
    const std::string_view piece = left.substr(0, 1 + below(random, longest));
    left.remove_prefix(piece.size());
    if (random() % 4 == 0) {
      hasher.update_now(as_view(piece));
    } else {
      co_await hasher.update(as_view(piece));
    }
    if (random() % 3 == 0) co_await asio::post(co_await asio::this_coro::executor, use_task);
  }
  expect_digests(hasher, which, text);
}

void rethrow(std::exception_ptr error) {
  if (error) std::rethrow_exception(error);
}

TEST(LaneHasher, agrees_with_openssl_on_every_length_around_the_padding) {
  std::mt19937_64 random(1);
  const std::string text = random_bytes(random, 300);
  for (const detail::LaneKernels& kernels : detail::usable_kernels()) {
    SCOPED_TRACE(kernels.name);
    HashLanes lanes(kernels);
    for (std::size_t size = 0; size <= text.size(); ++size) {
      for (const LaneDigests which : {LaneDigests::md5, LaneDigests::md5_and_sha256}) {
        LaneHasher hasher(lanes, which);
        const std::size_t cut = below(random, size + 1);
        hasher.update_now(as_view(text).first(cut));
        hasher.update_now(as_view(text).subspan(cut, size - cut));
        expect_digests(hasher, which, std::string_view(text).substr(0, size));
      }
    }
  }
}

TEST(LaneHasher, agrees_with_openssl_whatever_is_hashed_beside_it) {
  std::mt19937_64 random(2);
  const std::string text = random_bytes(random, 400'000);
  for (const detail::LaneKernels& kernels : detail::usable_kernels()) {
    SCOPED_TRACE(kernels.name);
    for (std::size_t streams = 1; streams <= 20; ++streams) {
      asio::io_context loop;
      HashLanes lanes(kernels);
      for (std::size_t i = 0; i < streams; ++i) {
        const std::size_t at = below(random, 4096);
        const auto part = std::string_view(text).substr(at, below(random, text.size() - at));
        const auto which = random() % 2 == 0 ? LaneDigests::md5 : LaneDigests::md5_and_sha256;
        asio::co_spawn(loop, hash_in_pieces(lanes, part, which, random()), rethrow);
      }
      loop.run();
      EXPECT_EQ(lanes.streams(), 0U);
    }
  }
}

std::size_t calls = 0;
std::size_t lanes_used = 0;
void count_lanes(std::span<const detail::Lane> lanes, std::size_t) {
  ++calls;
  lanes_used += lanes.size();
}
constexpr detail::LaneKernels counting{"counting", {1, count_lanes}, {16, count_lanes}};

Task<> hash_once(HashLanes& lanes, View bytes) {
  LaneHasher hasher(lanes, LaneDigests::md5);
  co_await hasher.update(bytes);
}

TEST(HashLanes, fills_its_lanes_with_the_streams_that_wait) {
  calls = lanes_used = 0;
  const Buffer bytes(1_MiB);
  asio::io_context loop;
  HashLanes lanes(counting);
  for (int i = 0; i < 20; ++i) asio::co_spawn(loop, hash_once(lanes, bytes.view()), rethrow);
  loop.run();
  EXPECT_EQ(lanes_used / calls, 13U);  // sixteen, then the four that came last
}

TEST(HashLanes, a_stream_alone_does_not_wait_and_a_long_one_leaves_the_loop_its_turns) {
  const Buffer bytes(1_MiB);
  asio::io_context loop;
  HashLanes lanes(counting);
  asio::co_spawn(loop, hash_once(lanes, bytes.view().first(64_KiB)), rethrow);
  EXPECT_LE(loop.run(), 2U);
  loop.restart();
  asio::co_spawn(loop, hash_once(lanes, bytes.view()), rethrow);
  EXPECT_GE(loop.run(), 16U);
}

TEST(HashLanes, forgets_a_stream_whose_coroutine_is_destroyed) {
  calls = lanes_used = 0;
  const Buffer bytes(1_MiB);
  HashLanes lanes(counting);
  {
    asio::io_context loop;
    for (int i = 0; i < 4; ++i) asio::co_spawn(loop, hash_once(lanes, bytes.view()), rethrow);
    for (int i = 0; i < 6; ++i) loop.run_one();
    EXPECT_EQ(lanes.streams(), 4U);
  }
  EXPECT_EQ(lanes.streams(), 0U);
  asio::io_context loop;
  calls = lanes_used = 0;
  asio::co_spawn(loop, hash_once(lanes, bytes.view()), rethrow);
  loop.run();
  EXPECT_EQ(lanes_used, calls);
}

}  // namespace
}  // namespace kiseki::crypto
