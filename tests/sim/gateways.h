#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/scope.h"
#include "fs/file_system.h"
#include "fs/services.h"
#include "keys/keys.h"
#include "raft/log.h"
#include "shard/node.h"
#include "sim/crashable_kv.h"
#include "sim/simulated_clock.h"
#include "sim/simulated_disk.h"

namespace kiseki::sim {

/// Several file systems with tiny leaves on the shards of one node, over a disk and a store that a power cut
/// robs of everything unsynced. Bodies are small: there is no device.
class Gateways {
 public:
  Gateways(SimulatedLoop& loop, std::uint64_t seed, std::size_t count);
  ~Gateways();

  Result<> start();
  /// `users` end by errors; afterwards nothing runs.
  void power_cut(Scope& users);
  void stop();

  /// Every row under a leaf, and the counters of one, as the store has them.
  std::vector<shard::Row> rows();
  shard::Counters counters(const shard::LeafAddress& leaf);
  /// Of the first gateway.
  fs::Services services();

  std::size_t count() const noexcept { return count_; }
  fs::FileSystem& files(std::size_t gateway) { return *running_->gateways[gateway]->files; }
  Clock& clock() { return clock_; }
  TenantId tenant() const { return tenant_; }

 private:
  /// Wraps by copying: keys are not what is simulated.
  class PlainProvider final : public keys::Provider {
   public:
    Task<Result<std::string>> wrap(TenantId tenant, const crypto::Key256& secret) override;
    Task<Result<crypto::Key256>> unwrap(TenantId tenant, std::string wrapped) override;
  };
  struct Gateway {
    std::unique_ptr<shard::Client> client;
    std::unique_ptr<fs::FileSystem> files;
  };
  /// Each outlives those below it.
  struct Running {
    explicit Running(Executor executor) : scope(executor) {}
    std::unique_ptr<raft::Log> log;
    std::unique_ptr<shard::Node> shards;
    std::vector<std::unique_ptr<Gateway>> gateways;
    Scope scope;
  };

  Task<Result<>> open(Running& running);
  Task<Result<>> add_gateway(Running& running);
  static Task<> close(Running& running);
  fs::Services services_of(shard::Client& client);

  SimulatedLoop& loop_;
  std::size_t count_;
  SimulatedClock clock_;
  SeededRng rng_;
  SimulatedDisk disk_;
  CrashableKv rows_;
  BlockingPool pool_{0};
  crypto::Key256 system_key_;
  PlainProvider provider_;
  keys::KeyService key_service_;
  MemoryBudget budget_{64_MiB};
  TenantId tenant_;
  std::unique_ptr<Running> running_;
};

}  // namespace kiseki::sim
