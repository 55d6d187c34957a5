#pragma once

#include <map>
#include <memory>

#include "base/clock.h"
#include "chunk/chunk_store.h"
#include "chunk/device.h"
#include "chunk/map_store.h"
#include "chunk/pool_map.h"

namespace kiseki::chunk {

/// Pools over many devices, as the map says (PROTOCOLS 8): a chunk is cut into fragments, each goes to the
/// device its group names, and comes back from any k. Belongs to one core.
class PoolStore final : public ChunkStore {
 public:
  /// Map and devices outlive the store.
  PoolStore(MapStore& map, std::map<DeviceId, Device*> devices, Executor executor, Clock& clock);
  /// Stopped.
  ~PoolStore() override;

  /// Reads the map: before anything else, and whenever it may have changed.
  Task<Result<>> refresh();
  /// Calls that nobody waits for any more have ended.
  Task<> stop();

  Result<Profile> profile(PoolId pool) const override;
  Task<Result<PutReply>> put(SealedChunkPtr chunk) override;
  Task<Result<GcEpoch>> touch(NamespaceId ns, ChunkReference reference) override;
  Task<Result<Blocks>> read(NamespaceId ns, ChunkReference reference, BlockRange blocks) override;
  Task<Result<GcEpoch>> epoch() override;

 private:
  struct State;

  /// The chunk is put again, whole, from what is left of it.
  Task<Result<GcEpoch>> restore(NamespaceId ns, ChunkReference reference);

  std::unique_ptr<State> state_;
};

}  // namespace kiseki::chunk
