#pragma once

#include <memory>
#include <optional>

#include "base/scope.h"
#include "chunk/local_device.h"
#include "chunk/single_device_store.h"
#include "fs/file_system.h"
#include "fs/identities.h"
#include "gc/collector.h"
#include "keys/keys.h"
#include "raft/log.h"
#include "shard/node.h"
#include "sim/crashable_kv.h"
#include "sim/simulated_clock.h"
#include "sim/simulated_disk.h"

namespace kiseki::sim {

/// One node in this process, on a disk and stores that a power cut robs of everything unsynced. What it holds
/// on them outlives any number of starts.
class SimulatedNode {
 public:
  struct Options {
    Duration delay_max{};  ///< Some reads and commits of the file system are made so much later.
    Duration round_min = std::chrono::milliseconds(2), round_max = std::chrono::milliseconds(52);
  };
  SimulatedNode(SimulatedLoop& loop, std::uint64_t seed, Options options);
  SimulatedNode(SimulatedLoop& loop, std::uint64_t seed) : SimulatedNode(loop, seed, Options{}) {}
  ~SimulatedNode();

  /// Opens what the disk holds; the first time makes the node.
  Result<> start();
  enum class End : std::uint8_t {
    power_cut,  ///< Everything not synced is lost, in part.
    kill,       ///< The files keep what was completed; what the process held is gone.
  };
  /// `users` and the node find out by errors; ends with neither running.
  void end(End how, Scope& users);
  void stop();
  /// While set, files and stores do not grow.
  void set_full(bool is_full);
  /// A million times the chance that a call of the disk takes 20 ms.
  void set_slow(std::uint32_t chance);
  /// The wall clock is off by this from now on.
  void set_wall_offset(Duration offset) { clock_.set_wall_offset(offset); }

  fs::FileSystem& files() { return *running_->files; }
  TenantId tenant() const { return tenant_; }
  /// How many chunks its device holds.
  Task<Result<std::size_t>> chunks();
  /// Whether these bytes stand anywhere on its disk or in its stores.
  bool holds(std::string_view word) const;
  Clock& clock() { return clock_; }
  Rng& rng() { return rng_; }

 private:
  /// What a start makes and a power cut takes; each outlives those below it.
  struct Running {
    explicit Running(Executor executor) : scope(executor) {}
    std::unique_ptr<raft::Log> log;
    std::unique_ptr<chunk::Device> device;
    std::optional<chunk::SingleDeviceStore> chunks;
    std::unique_ptr<shard::Node> shards;
    std::unique_ptr<shard::Client> collector_client;
    std::unique_ptr<gc::Collector> collector;
    std::unique_ptr<shard::Client> client;
    MemoryBudget budget{64_MiB};
    std::unique_ptr<fs::FileSystem> files;
    Scope scope;
  };

  Task<Result<>> open(Running& running);
  Task<Result<>> open_shards(Running& running);
  Task<Result<>> open_files(Running& running);
  static Task<> close(Running& running);
  chunk::SecretWrap wrap();

  SimulatedLoop& loop_;
  Options options_;
  SimulatedClock clock_;
  SeededRng rng_;
  SimulatedDisk disk_;
  CrashableKv rows_;
  CrashableKv index_;
  BlockingPool pool_{0};
  std::filesystem::path key_path_;
  keys::KeyFile key_file_;
  keys::InternalProvider provider_;
  keys::KeyService key_service_;
  TenantId tenant_;

  std::unique_ptr<Running> running_;
};

}  // namespace kiseki::sim
