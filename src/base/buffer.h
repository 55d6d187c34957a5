#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/units.h"

namespace kiseki {

/// Read-only memory somebody else owns.
using View = std::span<const std::byte>;
/// Writable memory somebody else owns.
using MutableView = std::span<std::byte>;

inline View as_view(std::string_view text) { return std::as_bytes(std::span(text.data(), text.size())); }
inline std::string_view as_text(View view) {
  return {reinterpret_cast<const char*>(view.data()), view.size()};
}
/// Equality and byte order, as in keys.
bool equal(View a, View b) noexcept;
/// Equality in a time that does not depend on the content.
bool equal_constant_time(View a, View b) noexcept;
std::string to_hex(View view);

/// Owned memory, aligned for direct I/O. Move-only; its content is not initialised.
class Buffer {
 public:
  static constexpr Bytes alignment = 4_KiB;

  Buffer() = default;
  explicit Buffer(Bytes size);
  static Buffer copy_of(View view);

  std::byte* data() noexcept { return memory_.get(); }
  const std::byte* data() const noexcept { return memory_.get(); }
  Bytes size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }
  /// Forgets the end; the memory stays.
  void shrink(Bytes size);
  View view() const noexcept { return {data(), size_}; }
  MutableView span() noexcept { return {data(), size_}; }

 private:
  struct Free {
    void operator()(std::byte* memory) const noexcept;
  };
  std::unique_ptr<std::byte[], Free> memory_;
  Bytes size_ = 0;
};

/// A received or built message that several entries point into.
/// Shared: the network or client side that filled it and the log tail that keeps slices of it.
using FramePtr = std::shared_ptr<const Buffer>;

}  // namespace kiseki
