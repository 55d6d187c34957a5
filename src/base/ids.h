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

// The identifiers that several contexts speak of (docs/formats/keys.md).

using TenantId = Id<struct TenantTag, std::uint64_t>;
/// A bucket, an export, or a tenant's root directory. 0 is the system's own.
using NamespaceId = Id<struct NamespaceTag, std::uint64_t>;
/// A directory or a file: the inode number users see. Never reused. 0 none, 1 root directory, 2 uploads tree.
using InodeId = Id<struct InodeTag, std::uint64_t>;
/// A name range of one directory; 0 is the first.
using LeafId = Id<struct LeafTag, std::uint32_t>;
/// A shard's commit stamp: 48 bits of Unix milliseconds, 16 bits of counter. 0 is before every commit.
using Stamp = Id<struct StampTag, std::uint64_t>;
using ShardId = Id<struct ShardTag, std::uint32_t>;
using SessionId = Id<struct SessionTag, std::uint64_t>;
/// Version of a namespace's root secret; the first is 1.
using KeyEpoch = Id<struct KeyEpochTag, std::uint32_t>;
/// Round of garbage collection; the first is 1.
using GcEpoch = Id<struct GcEpochTag, std::uint64_t>;

}  // namespace kiseki

template <class Tag, class Rep>
struct std::hash<kiseki::Id<Tag, Rep>> {
  std::size_t operator()(const kiseki::Id<Tag, Rep>& id) const noexcept {
    return std::hash<Rep>{}(id.value());
  }
};
