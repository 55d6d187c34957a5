#pragma once

#include <list>
#include <map>
#include <set>
#include <span>

#include "base/sync.h"
#include "chunk/device.h"
#include "chunk/pool_map.h"

namespace kiseki::chunk::detail {

/// What a device has acknowledged of placement groups (PROTOCOLS 8.3): the newest record of each, and which
/// writes are under way under which epoch. A group with more bits is a child of one with fewer. Of one core.
class GroupLedger {
 public:
  /// A write that was let in; it is under way until this dies.
  class Admission {
   public:
    Admission(Admission&& other) noexcept
        : owner_(std::exchange(other.owner_, nullptr)), place_(other.place_) {}
    Admission& operator=(Admission&& other) = delete;
    ~Admission();

   private:
    friend class GroupLedger;
    struct Write {
      ChunkName chunk;
      GroupEpoch epoch;
    };
    Admission(GroupLedger& owner, std::list<Write>::iterator place) : owner_(&owner), place_(place) {}
    GroupLedger* owner_;
    std::list<Write>::iterator place_;
  };

  /// Groups of one pool. From now on writes of older epochs are refused, those of these wait for `serve`.
  /// `stale` when it knows a newer record of one, and then nothing has changed.
  Result<> learn(std::uint8_t bits, std::span<const GroupRecord> groups);
  /// What was learnt is durable.
  void serve(std::uint8_t bits, std::span<const GroupRecord> groups);
  /// No write that was let in under an older epoch than the newest of its group is under way.
  Task<> drained();

  /// `stale` unless the newest record that covers the chunk is of this version. Without a version: only while
  /// nothing is known of the pool.
  Result<Admission> admit(const ChunkName& chunk, GroupVersion version);

 private:
  struct Place {
    PoolId pool;
    std::uint8_t bits = 0;
    GroupNumber number;
    friend auto operator<=>(const Place&, const Place&) = default;
  };
  struct Known {
    GroupRecord record;
    std::uint8_t bits = 0;
    bool is_served = false;
  };
  const Known* newest(const ChunkName& chunk) const;
  bool is_outdated(const Admission::Write& write) const;

  std::map<Place, Known> known_;
  std::map<PoolId, std::set<std::uint8_t>> bits_;
  std::list<Admission::Write> writes_;
  WaitList ended_;
};

}  // namespace kiseki::chunk::detail
