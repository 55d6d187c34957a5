#pragma once

#include <map>

#include "base/sync.h"
#include "chunk/device.h"

namespace kiseki::chunk::detail {

/// One writer a fragment at a time, in order of arrival: what two writers of one found would contradict. Who
/// claims several does so in rising order of keys.
class Claims {
 public:
  class Claim {
   public:
    Claim(Claims& owner, const FragmentKey& key) : owner_(&owner), key_(key) {}
    Claim(Claim&& other) noexcept : owner_(std::exchange(other.owner_, nullptr)), key_(other.key_) {}
    Claim& operator=(Claim&&) = delete;
    ~Claim() {
      if (owner_ != nullptr) owner_->release(key_);
    }

   private:
    Claims* owner_;
    FragmentKey key_;
  };

  Task<Claim> acquire(FragmentKey key) {
    const auto [held, fresh] = held_.try_emplace(key);
    if (!fresh) co_await held->second.wait();
    co_return Claim(*this, key);
  }

 private:
  void release(const FragmentKey& key) {
    const auto held = held_.find(key);
    KISEKI_ASSERT(held != held_.end());
    if (held->second.empty()) {
      held_.erase(held);
    } else {
      held->second.wake_one();  // the next one holds it from now on
    }
  }

  std::map<FragmentKey, WaitList> held_;
};

}  // namespace kiseki::chunk::detail
