#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>

namespace kiseki {

/// An identifier: compared, hashed, stored; no arithmetic and no implicit way in or out.
template <class Tag, class Rep>
class Id {
 public:
  using Representation = Rep;

  constexpr Id() = default;
  constexpr explicit Id(Rep value) : value_(value) {}
  constexpr Rep value() const noexcept { return value_; }
  constexpr bool is_none() const noexcept { return value_ == Rep{}; }
  friend constexpr auto operator<=>(const Id&, const Id&) = default;

 private:
  Rep value_{};
};

}  // namespace kiseki

template <class Tag, class Rep>
struct std::hash<kiseki::Id<Tag, Rep>> {
  std::size_t operator()(const kiseki::Id<Tag, Rep>& id) const noexcept {
    return std::hash<Rep>{}(id.value());
  }
};
