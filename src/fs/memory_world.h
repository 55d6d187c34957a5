#pragma once

#include <gtest/gtest.h>

#include "fs/detail/listing.h"
#include "fs/detail/objects.h"
#include "fs/detail/space_deletion.h"
#include "fs/detail/spaces.h"
#include "fs/detail/sweeper.h"
#include "fs/detail/uploads.h"
#include "fs/identities.h"
#include "fs/memory_client.h"
#include "fs/memory_device.h"
#include "sim/simulated_clock.h"

// For tests: everything below a file system in memory and on virtual time, and the parts of file systems on
// it.

namespace kiseki::fs {

/// Wraps by copying.
class PlainProvider final : public keys::Provider {
 public:
  Task<Result<std::string>> wrap(TenantId, const crypto::Key256& secret) override {
    co_return std::string(as_text(secret.view()));
  }
  Task<Result<crypto::Key256>> unwrap(TenantId, std::string wrapped) override {
    co_return crypto::Key256::copy_of(as_view(wrapped));
  }
};

struct MemoryWorld {
  explicit MemoryWorld(std::uint64_t seed = 1, MemoryShards::Options options = {})
      : rng(seed), shards(loop.executor(), clock, seed, options), founder(shards.connect()) {
    const auto made = loop.get(bootstrap(services(*founder), [](TenantId) { return Result<>(); }));
    EXPECT_TRUE(made);
    tenant = *made;
  }

  Services services(shard::Client& client) {
    Services all{loop.executor()};
    all.clock = &clock;
    all.rng = &rng;
    all.client = &client;
    all.chunks = &device;
    all.keys = &key_service;
    all.payload_budget = &budget;
    return all;
  }

  sim::SimulatedLoop loop;
  sim::SimulatedClock clock{loop};
  SeededRng rng;
  MemoryShards shards;
  MemoryDevice device{loop.executor()};
  crypto::Key256 system_key = crypto::Key256::random(rng);
  PlainProvider provider;
  keys::KeyService key_service{system_key, provider, rng};
  Semaphore budget{96_MiB};
  std::unique_ptr<shard::Client> founder;
  TenantId tenant;
};

/// The parts of one file system, as one process has them.
struct Gateway {
  explicit Gateway(MemoryWorld& given, detail::TreeLimits limits = {},
                   std::shared_ptr<MemoryShards::Fate> fate = nullptr)
      : Gateway(given, given.shards.connect(std::move(fate)), limits) {}
  Gateway(MemoryWorld& given, std::unique_ptr<shard::Client> own_client, detail::TreeLimits limits)
      : world(given),
        client(std::move(own_client)),
        tree(given.services(*client), limits),
        store(given.services(*client)),
        objects(tree, store),
        uploads(tree, store),
        deletion(tree, limits),
        spaces(tree, deletion),
        sweeper(tree, deletion) {}
  ~Gateway() {
    world.loop.get(tree.stop());
    world.loop.get(store.stop());
  }

  template <class T>
  T get(Task<T> task) {
    return world.loop.get(std::move(task));
  }
  NamespaceId make_space(std::string name) { return get(spaces.create(world.tenant, std::move(name)))->id; }

  MemoryWorld& world;
  std::unique_ptr<shard::Client> client;
  detail::Tree tree;
  detail::PieceStore store;
  detail::Objects objects;
  detail::Uploads uploads;
  detail::SpaceDeletion deletion;
  detail::Spaces spaces;
  detail::Sweeper sweeper;
};

/// Bytes that can be told apart by place and seed, in reads of up to `step`.
class PatternSource final : public Source {
 public:
  PatternSource(std::uint64_t seed, Bytes size, bool says_size = true, std::size_t step = 100'000)
      : seed_(seed), size_(size), says_size_(says_size), step_(step) {
    properties.etag = "etag-" + std::to_string(seed) + "-" + std::to_string(size);
  }

  std::optional<Bytes> size() const override {
    return says_size_ ? std::optional<Bytes>(size_) : std::nullopt;
  }
  Task<Result<std::size_t>> read(MutableView into) override {
    if (failure && at_ >= *failure) co_return fail(Errc::cancelled, "the sender is gone");
    const std::size_t count = std::min<Bytes>({into.size(), size_ - at_, step_});
    fill(seed_, at_, into.first(count));
    at_ += count;
    co_return count;
  }
  Result<Properties> finish() override {
    if (bad_digest) return fail(Errc::invalid_argument, "another digest");
    return properties;
  }

  static void fill(std::uint64_t seed, Bytes offset, MutableView into) {
    for (std::size_t i = 0; i < into.size();) {
      const Bytes at = offset + i;
      std::uint64_t word = (at / 8 + 1) * 0x9e3779b97f4a7c15ULL ^ (seed + 1) * 0xc2b2ae3d27d4eb4fULL;
      word ^= word >> 29;
      for (Bytes byte = at % 8; byte < 8 && i < into.size(); ++byte, ++i) {
        into[i] = static_cast<std::byte>(word >> (8 * byte));
      }
    }
  }
  static bool matches(std::uint64_t seed, Bytes offset, View bytes) {
    std::string expected(bytes.size(), '\0');
    fill(seed, offset, std::as_writable_bytes(std::span(expected)));
    return equal(as_view(expected), bytes);
  }

  Properties properties;
  bool bad_digest = false;
  std::optional<Bytes> failure;  ///< Offset from which on reads fail.

 private:
  std::uint64_t seed_;
  Bytes size_, at_ = 0;
  bool says_size_;
  std::size_t step_;
};

}  // namespace kiseki::fs
