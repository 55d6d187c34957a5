#pragma once

#include "base/core.h"
#include "base/scope.h"
#include "chunk/device/health.h"
#include "chunk/device/index.h"
#include "crypto/secret.h"
#include "disk/disk.h"

namespace kiseki::chunk::detail {

/// What the pieces of an open device share: its data file and index, and what tells whether they may be
/// written. All of it outlives the pieces.
struct Media {
  disk::File& file;
  kv::KvStore& store;  ///< Under the index.
  Index& index;
  const crypto::Key256& mac;
  Health& health;
  BlockingPool& pool;
  Clock& clock;
  Scope& scope;
};

}  // namespace kiseki::chunk::detail
