#include "fs/stretch.h"

#include <cstring>

#include "base/assert.h"
#include "base/sync.h"
#include "fs/objects.h"

namespace kiseki::fs {

namespace {

/// What is opened before other coroutines get a turn.
constexpr Bytes slice_size = 256_KiB;

}  // namespace

Result<View> Stretch::first(Bytes length) {
  KISEKI_ASSERT(length <= size_);
  if (const Bytes end = skipped_ + length; opened_ < end) {
    const auto opened = opener_->open(bytes_.span(), opened_, end);
    if (!opened) return fail(opened.error());
    opened_ = *opened;
  }
  return bytes_.view().subspan(skipped_, length);
}

Buffer Stretch::release() {
  KISEKI_ASSERT(opened_ >= skipped_ + size_);
  Buffer bytes = std::move(bytes_);
  if (skipped_ > 0) std::memmove(bytes.data(), bytes.data() + skipped_, size_);
  bytes.shrink(size_);
  size_ = skipped_ = opened_ = 0;
  return bytes;
}

Task<Result<Buffer>> Object::read(Bytes offset, Bytes length) {
  auto stretch = co_await fetch(offset, length);
  if (!stretch) co_return fail(std::move(stretch).error());
  for (Bytes end = 0; end < stretch->size();) {
    if (end > 0) co_await yield_turn();
    end = std::min(end + slice_size, stretch->size());
    if (const auto opened = stretch->first(end); !opened) co_return fail(opened.error());
  }
  co_return stretch->release();
}

}  // namespace kiseki::fs
