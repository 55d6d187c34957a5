#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/task.h"
#include "fs/identities.h"
#include "fs/namespaces.h"

namespace kiseki::admin_api {

/// What a node says of itself.
struct NodeReport {
  struct Shard {
    std::uint32_t id = 0;
    std::uint16_t first_slot = 0, last_slot = 0;
    std::uint64_t applied = 0;
    bool leader = false;
  };
  /// Of garbage collection.
  struct Garbage {
    std::uint64_t epoch = 0, rounds = 0, candidates = 0, freed_chunks = 0;
    Bytes freed = 0, pending = 0;
    std::string stalled;  ///< Why the last round did not end.
  };
  std::string version;
  Duration uptime{};
  bool ready = false;
  std::string s3;  ///< Address and port.
  std::size_t cores = 0;
  std::vector<Shard> shards;
  Bytes device_capacity = 0, device_used = 0;
  std::uint64_t device_chunks = 0;
  std::string device_failure;  ///< Why it takes no more writes; empty: it does.
  Bytes log_bytes = 0;
  Bytes key_bytes = 0, unlocked_key_bytes = 0;  ///< Memory that holds keys.
  Garbage garbage;
};

/// Carries out administrators' requests for one tenant. Belongs to the core of `namespaces`.
class Commands {
 public:
  struct Backend {
    fs::Namespaces* namespaces = nullptr;
    fs::Identities* identities = nullptr;
    TenantId tenant;
    std::string region;  ///< Of the namespaces that are made here.
    std::function<Task<NodeReport>()> report;
  };

  explicit Commands(Backend backend) : backend_(std::move(backend)) {}

  /// The reply to a line, whatever the line holds; both without their ends.
  Task<std::string> answer(std::string line);

 private:
  Backend backend_;
};

}  // namespace kiseki::admin_api
