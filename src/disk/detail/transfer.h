#pragma once

#include "base/result.h"
#include "disk/detail/engine.h"

namespace kiseki::disk::detail {

/// One read or write of a whole range, made of as many calls as it takes. Does no I/O: it says what to call
/// next and takes what the call returned.
class Transfer {
 public:
  /// `call` is the whole range; `alignment` holds for every part of it.
  Transfer(Call call, Bytes alignment) : rest_(call), alignment_(alignment) {}

  bool done() const noexcept { return rest_.length == 0; }
  Call next() const noexcept;
  Result<> take(int result);

 private:
  Call rest_;
  Bytes alignment_;
  unsigned fruitless_ = 0;
};

}  // namespace kiseki::disk::detail
