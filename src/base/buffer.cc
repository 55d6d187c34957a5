#include "base/buffer.h"

#include <cstdlib>
#include <cstring>
#include <new>

#include "base/assert.h"

namespace kiseki {

bool equal(View a, View b) noexcept {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size()) == 0);
}

bool equal_constant_time(View a, View b) noexcept {
  if (a.size() != b.size()) return false;
  unsigned difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference |= std::to_integer<unsigned>(a[i]) ^ std::to_integer<unsigned>(b[i]);
  }
  return difference == 0;
}

std::string to_hex(View view) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string text;
  text.reserve(view.size() * 2);
  for (const std::byte value : view) {
    text += digits[std::to_integer<unsigned>(value) >> 4];
    text += digits[std::to_integer<unsigned>(value) & 15U];
  }
  return text;
}

Buffer::Buffer(Bytes size) : size_(size) {
  if (size == 0) return;
  void* memory = std::aligned_alloc(alignment, round_up(size, alignment));
  if (memory == nullptr) throw std::bad_alloc();
  memory_.reset(static_cast<std::byte*>(memory));
}

Buffer Buffer::copy_of(View view) {
  Buffer buffer(view.size());
  if (!view.empty()) std::memcpy(buffer.data(), view.data(), view.size());
  return buffer;
}

void Buffer::shrink(Bytes size) {
  KISEKI_ASSERT(size <= size_);
  size_ = size;
}

void Buffer::Free::operator()(std::byte* memory) const noexcept { std::free(memory); }

}  // namespace kiseki
