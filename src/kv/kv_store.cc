#include "kv/kv_store.h"

#include "kv/detail/memory_budget.h"

namespace kiseki::kv {

std::shared_ptr<MemoryBudget> make_memory_budget(Bytes cache, Bytes write_buffers) {
  return std::make_shared<MemoryBudget>(cache, write_buffers);
}

}  // namespace kiseki::kv
