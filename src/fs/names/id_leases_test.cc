#include "fs/names/id_leases.h"

#include <set>

#include "fs/testing/memory_world.h"

namespace kiseki::fs::detail {
namespace {

/// The first and the last of so many ids.
Task<std::pair<InodeId, InodeId>> take(IdLeases& leases, NamespaceId ns, std::uint64_t count) {
  std::pair<InodeId, InodeId> ends;
  for (std::uint64_t i = 0; i < count; ++i) {
    const auto id = co_await leases.next(ns);
    EXPECT_TRUE(id);
    if (!id) break;
    if (i == 0) ends.first = *id;
    EXPECT_TRUE(i == 0 || id->value() == ends.second.value() + 1);
    ends.second = *id;
  }
  co_return ends;
}

TEST(IdLeases, blocks_of_two_processes_follow_each_other_and_share_no_id) {
  MemoryWorld world;
  Gateway gateway(world);
  const NamespaceId ns = gateway.make_namespace("bucket");
  IdLeases one(world.services(*world.founder)), other(world.services(*world.founder));
  const auto first = world.loop.get(take(one, ns, IdLeases::block));
  const auto second = world.loop.get(take(other, ns, IdLeases::block));
  EXPECT_EQ(second.first.value(), first.second.value() + 1);
  const auto third = world.loop.get(take(one, ns, 1));
  EXPECT_EQ(third.first.value(), second.second.value() + 1);
  EXPECT_EQ(world.loop.get(other.next(ns))->value(), third.first.value() + IdLeases::block);
}

TEST(IdLeases, of_namespaces_are_given_once) {
  MemoryWorld world;
  IdLeases one(world.services(*world.founder)), other(world.services(*world.founder));
  std::set<NamespaceId> given;
  for (int i = 0; i < 5; ++i) {
    given.insert(*world.loop.get(one.next_namespace()));
    given.insert(*world.loop.get(other.next_namespace()));
  }
  EXPECT_EQ(given.size(), 10U);
}

}  // namespace
}  // namespace kiseki::fs::detail
