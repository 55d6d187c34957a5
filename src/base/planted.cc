#include "base/planted.h"

#ifdef KISEKI_PLANTED_FAULTS

#include <atomic>

#include "base/assert.h"

namespace kiseki::planted {

namespace {

// Simulations run on one thread; tests with threads may ask meanwhile.
std::atomic<const std::string_view*> planted = nullptr;
std::atomic<std::uint64_t> times_met = 0;
std::string_view planted_name;

}  // namespace

bool stands(std::string_view fault) noexcept {
  const auto* name = planted.load(std::memory_order_acquire);
  if (name == nullptr || *name != fault) return false;
  ++times_met;
  return true;
}

Fault::Fault(std::string_view name) noexcept {
  KISEKI_ASSERT(planted.load() == nullptr);
  planted_name = name;
  times_met = 0;
  planted.store(&planted_name, std::memory_order_release);
}

Fault::~Fault() { planted.store(nullptr, std::memory_order_release); }

std::uint64_t Fault::met() const noexcept { return times_met; }

}  // namespace kiseki::planted

#endif
