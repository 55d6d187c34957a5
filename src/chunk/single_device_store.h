#pragma once

#include "chunk/chunk_store.h"
#include "chunk/device.h"

namespace kiseki::chunk {

/// The default pool on one device, one copy of each chunk.
class SingleDeviceStore final : public ChunkStore {
 public:
  explicit SingleDeviceStore(Device& device) : device_(device) {}

  Result<Profile> profile(PoolId pool) const override;
  Task<Result<PutReply>> put(SealedChunkPtr chunk) override;
  Task<Result<GcEpoch>> touch(NamespaceId ns, ChunkReference reference) override;
  Task<Result<Blocks>> read(NamespaceId ns, ChunkReference reference, BlockRange blocks) override;
  Task<Result<GcEpoch>> epoch() override { return device_.epoch(); }

 private:
  Device& device_;
};

}  // namespace kiseki::chunk
