#pragma once

#include <memory>
#include <rocksdb/cache.h>
#include <rocksdb/write_buffer_manager.h>

#include "base/units.h"

namespace kiseki::kv {

class MemoryBudget {
 public:
  MemoryBudget(Bytes cache_size, Bytes write_buffers)
      : cache(rocksdb::NewLRUCache(cache_size, 4)),
        buffers(std::make_shared<rocksdb::WriteBufferManager>(write_buffers)) {}

  // Shared by RocksDB itself between the databases that use them.
  const std::shared_ptr<rocksdb::Cache> cache;
  const std::shared_ptr<rocksdb::WriteBufferManager> buffers;
};

}  // namespace kiseki::kv
