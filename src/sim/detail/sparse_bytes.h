#pragma once

#include <array>
#include <cstddef>
#include <map>
#include <memory>
#include <string_view>

#include "base/buffer.h"

namespace kiseki::sim::detail {

/// The content of a simulated file. Pages of zeros take no memory; a copy shares pages until one side writes.
class SparseBytes {
 public:
  Bytes size() const noexcept { return size_; }
  /// Cuts, or extends with zeros.
  void resize(Bytes size);
  /// Extends where needed.
  void write(Bytes offset, View from);
  /// The range lies within the size.
  void read(Bytes offset, MutableView into) const;
  void flip_bit(Bytes offset, unsigned bit);
  bool contains(std::string_view needle) const;

 private:
  static constexpr Bytes page_size = 4_KiB;
  using Page = std::array<std::byte, page_size>;

  Page& writable(Bytes index);

  Bytes size_ = 0;
  std::map<Bytes, std::shared_ptr<Page>> pages_;  // shared with copies of this content
};

}  // namespace kiseki::sim::detail
