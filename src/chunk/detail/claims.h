#pragma once

#include <map>

#include "base/chunk_reference.h"
#include "base/sync.h"

namespace kiseki::chunk::detail {

/// One writer a chunk id at a time, in order of arrival: what two writers of one id found would contradict.
class Claims {
 public:
  class Claim {
   public:
    Claim(Claims& owner, const ChunkId& id) : owner_(&owner), id_(id) {}
    Claim(Claim&& other) noexcept : owner_(std::exchange(other.owner_, nullptr)), id_(other.id_) {}
    Claim& operator=(Claim&&) = delete;
    ~Claim() {
      if (owner_ != nullptr) owner_->release(id_);
    }

   private:
    Claims* owner_;
    ChunkId id_;
  };

  Task<Claim> acquire(ChunkId id) {
    const auto [held, fresh] = held_.try_emplace(id);
    if (!fresh) co_await held->second.wait();
    co_return Claim(*this, id);
  }

 private:
  void release(const ChunkId& id) {
    const auto held = held_.find(id);
    KISEKI_ASSERT(held != held_.end());
    if (held->second.empty()) {
      held_.erase(held);
    } else {
      held->second.wake_one();  // the next one holds it from now on
    }
  }

  std::map<ChunkId, WaitList> held_;
};

}  // namespace kiseki::chunk::detail
