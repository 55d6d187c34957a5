#pragma once

#include <cstdint>
#include <string_view>

// Faults that tests plant in the product, to prove that a simulator would notice them (docs/simulation.md). A
// build without tests has none: KISEKI_PLANTED is then the constant `false`.

#ifdef KISEKI_PLANTED_FAULTS

namespace kiseki::planted {

/// Whether the fault is planted now; counts that it was met.
bool stands(std::string_view fault) noexcept;

/// Plants one fault for as long as it lives; one at a time.
class Fault {
 public:
  explicit Fault(std::string_view name) noexcept;
  ~Fault();
  Fault(const Fault&) = delete;
  Fault& operator=(const Fault&) = delete;
  /// How often the code met it. 0: the run proved nothing.
  std::uint64_t met() const noexcept;
};

}  // namespace kiseki::planted

/// True while a test plants the fault of this name: "rule what", as in docs/simulation.md.
#define KISEKI_PLANTED(fault) (::kiseki::planted::stands(fault))

#else
#define KISEKI_PLANTED(fault) false
#endif
