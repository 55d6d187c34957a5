#pragma once

#include "base/clock.h"
#include "base/core.h"
#include "base/memory_budget.h"
#include "base/rng.h"
#include "chunk/chunk_store.h"
#include "keys/keys.h"
#include "shard/client.h"

namespace kiseki::fs {

/// What a file system of one core stands on; all outlive it.
struct Services {
  Executor executor;
  Clock* clock = nullptr;
  Rng* rng = nullptr;
  shard::Client* client = nullptr;  ///< Of this core.
  chunk::ChunkStore* chunks = nullptr;
  keys::KeyService* keys = nullptr;
  MemoryBudget* memory = nullptr;  ///< Of the process, for bodies on their way in.
};

}  // namespace kiseki::fs
