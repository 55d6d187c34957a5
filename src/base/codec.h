#pragma once

#include <bit>
#include <concepts>
#include <cstring>
#include <string>
#include <type_traits>

#include "base/buffer.h"
#include "base/ids.h"
#include "base/result.h"

namespace kiseki {

/// Appends big-endian fields to a string: the one way disk and wire formats are written.
class Encoder {
 public:
  explicit Encoder(std::string& out) : out_(out) {}

  template <std::unsigned_integral T>
  Encoder& integer(T value) {
    if constexpr (std::endian::native == std::endian::little) value = std::byteswap(value);
    out_.append(reinterpret_cast<const char*>(&value), sizeof value);
    return *this;
  }
  template <class Tag, class Rep>
  Encoder& id(Id<Tag, Rep> value) {
    return integer(value.value());
  }
  template <class E>
    requires std::is_enum_v<E>
  Encoder& enumerator(E value) {
    return integer(static_cast<std::make_unsigned_t<std::underlying_type_t<E>>>(value));
  }
  Encoder& raw(View bytes) {
    out_.append(as_text(bytes));
    return *this;
  }
  /// Length (32 bits), then the bytes.
  Encoder& sized(View bytes) { return integer(static_cast<std::uint32_t>(bytes.size())).raw(bytes); }

 private:
  std::string& out_;
};

/// Reads what `Encoder` wrote from bytes that may be hostile. After the first short read every field is zero
/// or empty and `finish` fails, so a parser checks once at its end.
class Decoder {
 public:
  explicit Decoder(View bytes) : rest_(bytes) {}

  template <std::unsigned_integral T>
  T integer() {
    T value{};
    const View bytes = raw(sizeof value);
    if (bytes.empty()) return T{};
    std::memcpy(&value, bytes.data(), sizeof value);
    return std::endian::native == std::endian::little ? std::byteswap(value) : value;
  }
  template <class I>
  I id() {
    return I(integer<typename I::Representation>());
  }
  View raw(std::size_t size) {
    if (failed_ || size > rest_.size()) {
      failed_ = true;
      return {};
    }
    const View bytes = rest_.first(size);
    rest_ = rest_.subspan(size);
    return bytes;
  }
  View sized() { return raw(integer<std::uint32_t>()); }
  /// Everything not read yet.
  View rest() { return raw(rest_.size()); }

  std::size_t remaining() const noexcept { return rest_.size(); }
  bool failed() const noexcept { return failed_; }
  /// Marks the input as bad, for values that are in range for their type and not for their meaning.
  void reject() noexcept { failed_ = true; }
  /// `corrupted` when a read went past the end, a value was rejected, or bytes are left over.
  Result<> finish(std::string_view what) const;

 private:
  View rest_;
  bool failed_ = false;
};

}  // namespace kiseki
