#pragma once

#include <cstring>
#include <functional>
#include <gtest/gtest.h>

#include "chunk/single_device_store.h"
#include "chunk/testing/memory_device.h"
#include "fs/identities.h"
#include "fs/namespaces/namespace_deletion.h"
#include "fs/namespaces/tree_namespaces.h"
#include "fs/objects/listing.h"
#include "fs/objects/tree_objects.h"
#include "fs/sweeping/sweeper.h"
#include "fs/testing/forwarding_client.h"
#include "fs/testing/memory_client.h"
#include "fs/uploads/tree_uploads.h"
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
    all.chunks = &chunks;
    all.keys = &key_service;
    all.memory = &memory;
    return all;
  }

  sim::SimulatedLoop loop;
  sim::SimulatedClock clock{loop};
  SeededRng rng;
  MemoryShards shards;
  chunk::MemoryDevice device{loop.executor()};
  chunk::SingleDeviceStore chunks{device};
  crypto::Key256 system_key = crypto::Key256::random(rng);
  PlainProvider provider;
  keys::KeyService key_service{system_key, provider, rng};
  MemoryBudget memory{96_MiB};
  std::unique_ptr<shard::Client> founder;
  TenantId tenant;
};

/// The parts of one file system, as one process has them.
struct Gateway {
  explicit Gateway(MemoryWorld& given, TreeLimits limits = {},
                   std::shared_ptr<MemoryShards::Fate> fate = nullptr)
      : Gateway(given, given.shards.connect(std::move(fate)), limits) {}
  Gateway(MemoryWorld& given, std::unique_ptr<shard::Client> own_client, TreeLimits limits)
      : world(given),
        client(std::move(own_client)),
        tree(given.services(*client), limits),
        store(given.services(*client)),
        objects(tree, store),
        uploads(tree, store),
        deletion(tree, limits),
        namespaces(tree, deletion),
        sweeper(tree) {}
  ~Gateway() {
    world.loop.get(tree.stop());
    world.loop.get(store.stop());
  }

  template <class T>
  T get(Task<T> task) {
    return world.loop.get(std::move(task));
  }
  /// One round of everything in the background, as if all of it were due now.
  Task<Result<>> sweep() {
    auto swept = co_await sweeper.sweep_once();
    auto settled = co_await deletion.settle(0);
    co_return swept ? settled : swept;
  }
  NamespaceId make_namespace(std::string name) {
    return get(namespaces.create(world.tenant, std::move(name), {}))->id;
  }

  MemoryWorld& world;
  std::unique_ptr<shard::Client> client;
  detail::Tree tree;
  detail::PieceStore store;
  detail::TreeObjects objects;
  detail::TreeUploads uploads;
  detail::NamespaceDeletion deletion;
  detail::TreeNamespaces namespaces;
  detail::Sweeper sweeper;
};

/// Calls somebody before one of its own calls.
class Interrupted final : public ForwardingClient {
 public:
  using ForwardingClient::ForwardingClient;

  void before(std::uint64_t call, std::function<Task<>()> other) {
    left_ = call;
    other_ = std::move(other);
  }
  bool happened() const noexcept { return !other_; }
  /// Of its own, so far.
  std::uint64_t calls() const noexcept { return calls_; }

  Task<Result<shard::ReadReply>> read(shard::ReadRequest request) override {
    co_await tick();
    co_return co_await ForwardingClient::read(std::move(request));
  }
  Task<Result<shard::Outcome>> commit(shard::Transaction transaction) override {
    co_await tick();
    co_return co_await ForwardingClient::commit(std::move(transaction));
  }

 private:
  Task<> tick() {
    ++calls_;
    if (!other_ || left_-- > 0) co_return;
    const auto other = std::exchange(other_, nullptr);
    co_await other();
  }

  std::uint64_t left_ = 0, calls_ = 0;
  std::function<Task<>()> other_;
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
  std::optional<crypto::Digest256> digest() const override {
    if (!gives_digest) return std::nullopt;
    std::string bytes(size_, '\0');
    fill(seed_, 0, std::as_writable_bytes(std::span(bytes)));
    return crypto::sha256(as_view(bytes));
  }
  Result<Properties> finish() override {
    if (bad_digest) return fail(Errc::invalid_argument, "another digest");
    return properties;
  }

  /// Repeats after three pieces, so that long bodies take little memory.
  static void fill(std::uint64_t seed, Bytes offset, MutableView into) {
    for (std::size_t i = 0; i < into.size();) {
      const Bytes at = (offset + i) % 12_MiB;
      std::uint64_t word = (at / 8 + 1) * 0x9e3779b97f4a7c15ULL ^ (seed + 1) * 0xc2b2ae3d27d4eb4fULL;
      word ^= word >> 29;
      word >>= 8 * (at % 8);
      const std::size_t count = std::min<std::size_t>(8 - at % 8, into.size() - i);
      std::memcpy(into.data() + i, &word, count);
      i += count;
    }
  }
  static bool matches(std::uint64_t seed, Bytes offset, View bytes) {
    std::string expected(bytes.size(), '\0');
    fill(seed, offset, std::as_writable_bytes(std::span(expected)));
    return equal(as_view(expected), bytes);
  }

  Properties properties;
  bool bad_digest = false;
  bool gives_digest = false;
  std::optional<Bytes> failure;  ///< Offset from which on reads fail.

 private:
  std::uint64_t seed_;
  Bytes size_, at_ = 0;
  bool says_size_;
  std::size_t step_;
};

}  // namespace kiseki::fs
