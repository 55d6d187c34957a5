#include "chunk/placement/placing.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <map>
#include <set>

#include "base/codec.h"
#include "base/rng.h"

namespace kiseki::chunk::detail {
namespace {

DeviceId device(std::uint64_t number) {
  SeededRng rng(number);
  DeviceId id;
  rng.fill(id);
  return id;
}

/// Devices 0 to count - 1, each of this weight, `per_domain` of them in one domain.
std::vector<Site> equal_sites(std::size_t count, std::size_t per_domain = 1) {
  std::vector<Site> sites;
  for (std::size_t i = 0; i < count; ++i) {
    sites.push_back({device(i), static_cast<std::uint32_t>(i / per_domain), 1_GiB});
  }
  return sites;
}

PoolRecord pool_of(Profile profile, std::size_t devices) {
  PoolRecord pool{.id = PoolId(1), .name = "p", .profile = profile};
  pool.group_bits = group_bits_for(devices, profile);
  return pool;
}

std::vector<DeviceList> placed(const PoolRecord& pool, std::span<const Site> sites,
                               std::vector<DeviceList> before = {}) {
  auto lists = place(pool, std::move(before), sites);
  EXPECT_TRUE(lists) << lists.error().to_string();
  return lists ? std::move(*lists) : std::vector<DeviceList>();
}

std::map<DeviceId, std::size_t> loads(std::span<const DeviceList> lists) {
  std::map<DeviceId, std::size_t> out;
  for (const DeviceList& list : lists) {
    for (const DeviceId& one : list) ++out[one];
  }
  return out;
}

/// How far the device with the most, or the least, is from its share by weight: 0.05 is 5 %.
double spread(std::span<const DeviceList> lists, std::span<const Site> sites) {
  double weight = 0;
  for (const Site& site : sites) weight += static_cast<double>(site.weight);
  auto found = loads(lists);
  double worst = 0;
  for (const Site& site : sites) {
    const double share =
        static_cast<double>(lists.size() * lists[0].size()) * static_cast<double>(site.weight) / weight;
    worst = std::max(worst, std::abs(static_cast<double>(found[site.device]) / share - 1));
  }
  return worst;
}

/// Indexes that another device has, of all.
double moved(std::span<const DeviceList> before, std::span<const DeviceList> after) {
  std::size_t other = 0;
  for (std::size_t group = 0; group < before.size(); ++group) {
    for (std::size_t index = 0; index < before[group].size(); ++index) {
      if (before[group][index] != after[group][index]) ++other;
    }
  }
  return static_cast<double>(other) / static_cast<double>(before.size() * before[0].size());
}

void check_lists(const PoolRecord& pool, std::span<const DeviceList> lists) {
  ASSERT_EQ(lists.size(), std::size_t{1} << pool.group_bits);
  for (const DeviceList& list : lists) {
    ASSERT_EQ(list.size(), std::size_t{pool.profile.data} + pool.profile.parity);
    ASSERT_EQ(std::set<DeviceId>(list.begin(), list.end()).size(), list.size());
  }
}

TEST(Placing, numbers_of_groups_follow_the_devices) {
  EXPECT_EQ(group_bits_for(1, {1, 0}), 8);
  EXPECT_EQ(group_bits_for(6, {4, 2}), 8);
  EXPECT_EQ(group_bits_for(24, {4, 2}), 8);
  EXPECT_EQ(group_bits_for(25, {4, 2}), 9);
  EXPECT_EQ(group_bits_for(100, {1, 1}), 12);
  EXPECT_EQ(group_bits_for(1'000'000, {1, 0}), 20);
}

TEST(Placing, a_group_is_the_leading_bits_of_an_id) {
  ChunkId id{std::byte{0xab}, std::byte{0xcd}, std::byte{0xef}};
  EXPECT_EQ(group_of(id, 8), GroupNumber(0xab));
  EXPECT_EQ(group_of(id, 12), GroupNumber(0xabc));
  EXPECT_EQ(group_of(id, 20), GroupNumber(0xabcde));
}

TEST(Placing, equal_devices_get_equal_shares) {
  for (const auto& [profile, count] : std::vector<std::pair<Profile, std::size_t>>{{{1, 0}, 1},
                                                                                   {{1, 0}, 7},
                                                                                   {{1, 2}, 5},
                                                                                   {{4, 2}, 6},
                                                                                   {{4, 2}, 7},
                                                                                   {{4, 2}, 24},
                                                                                   {{8, 3}, 11},
                                                                                   {{8, 3}, 40},
                                                                                   {{28, 4}, 32},
                                                                                   {{28, 4}, 50}}) {
    const auto pool = pool_of(profile, count);
    const auto sites = equal_sites(count);
    const auto lists = placed(pool, sites);
    check_lists(pool, lists);
    EXPECT_LE(spread(lists, sites), 0.05) << count << " devices, k = " << int{profile.data};
  }
}

TEST(Placing, shares_follow_weights) {
  SeededRng rng(3);
  for (int round = 0; round < 20; ++round) {
    auto sites = equal_sites(20);
    for (Site& site : sites) site.weight = (1 + rng.below(3)) * 1_GiB;
    const auto pool = pool_of({4, 2}, sites.size());
    const auto lists = placed(pool, sites);
    check_lists(pool, lists);
    EXPECT_LE(spread(lists, sites), 0.08);
  }
}

TEST(Placing, a_device_too_large_for_its_share_is_in_every_group) {
  auto sites = equal_sites(7);
  sites[3].weight = 100_GiB;
  const auto lists = placed(pool_of({4, 2}, 7), sites);
  EXPECT_EQ(loads(lists)[sites[3].device], lists.size());
}

TEST(Placing, adding_one_of_n_devices_moves_little) {
  for (const Profile profile : {Profile{1, 1}, Profile{4, 2}, Profile{8, 3}}) {
    const std::size_t width = profile.data + profile.parity;
    for (std::size_t n = width + 1; n < 40; n += 4) {
      const auto pool = pool_of(profile, n);
      const auto sites = equal_sites(n);
      const auto before = placed(pool, std::span(sites).first(n - 1));
      const auto after = placed(pool, sites, before);
      check_lists(pool, after);
      EXPECT_LE(moved(before, after), 1.2 / static_cast<double>(n)) << n;
      EXPECT_LE(spread(after, sites), 0.05) << n;
    }
  }
}

TEST(Placing, losing_one_device_moves_what_it_had_and_little_else) {
  for (std::size_t n = 8; n < 40; n += 4) {
    const auto pool = pool_of({4, 2}, n);
    const auto sites = equal_sites(n);
    const auto before = placed(pool, sites);
    const auto after = placed(pool, std::span(sites).first(n - 1), before);
    check_lists(pool, after);
    EXPECT_LE(moved(before, after), 1.2 / static_cast<double>(n)) << n;
    EXPECT_LE(spread(after, std::span(sites).first(n - 1)), 0.05) << n;
  }
}

TEST(Placing, nothing_moves_when_nothing_changed) {
  const auto pool = pool_of({8, 3}, 30);
  const auto sites = equal_sites(30, 2);
  const auto lists = placed(pool, sites);
  EXPECT_EQ(placed(pool, sites, lists), lists);
}

TEST(Placing, a_device_that_stays_keeps_its_index) {
  SeededRng rng(4);
  const auto pool = pool_of({4, 2}, 12);
  auto sites = equal_sites(12);
  auto lists = placed(pool, sites);
  std::uint64_t made = 12;
  for (int round = 0; round < 30; ++round) {
    sites.erase(sites.begin() + static_cast<std::ptrdiff_t>(rng.below(sites.size())));
    sites.push_back({device(made), static_cast<std::uint32_t>(made), 1_GiB});
    ++made;
    const auto after = placed(pool, sites, lists);
    for (std::size_t group = 0; group < lists.size(); ++group) {
      for (std::size_t index = 0; index < lists[group].size(); ++index) {
        const auto at = std::ranges::find(after[group], lists[group][index]);
        if (at == after[group].end()) continue;
        EXPECT_EQ(static_cast<std::size_t>(at - after[group].begin()), index);
      }
    }
    lists = after;
    EXPECT_LE(spread(lists, sites), 0.05);
  }
}

TEST(Placing, two_indexes_never_share_a_domain_while_there_are_enough) {
  const auto pool = pool_of({4, 2}, 24);
  const auto sites = equal_sites(24, 4);  // six nodes of four devices
  const auto lists = placed(pool, sites);
  EXPECT_EQ(sharing_groups(lists, sites), 0U);
  EXPECT_LE(spread(lists, sites), 0.05);
  // A node fails: five are left, and each group has one node twice, no more.
  const auto fewer = std::span(sites).first(20);
  const auto relaxed = placed(pool, fewer, lists);
  check_lists(pool, relaxed);
  EXPECT_EQ(sharing_groups(relaxed, fewer), relaxed.size());
  // It comes back, and no group shares one any more.
  EXPECT_EQ(sharing_groups(placed(pool, sites, relaxed), sites), 0U);
}

TEST(Placing, random_pools_keep_their_domains_apart_and_their_shares) {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    SeededRng rng(seed);
    const Profile profile{static_cast<std::uint8_t>(1 + rng.below(8)),
                          static_cast<std::uint8_t>(rng.below(4))};
    const std::size_t width = profile.data + profile.parity;
    const std::size_t domains = width + rng.below(6);
    std::vector<Site> sites;
    for (std::uint32_t domain = 0; domain < domains; ++domain) {
      for (std::uint64_t i = 0; i <= rng.below(4); ++i) {
        sites.push_back({device(seed * 1000 + sites.size()), domain, (4 + rng.below(5)) * 1_GiB});
      }
    }
    const auto pool = pool_of(profile, sites.size());
    auto lists = placed(pool, sites);
    check_lists(pool, lists);
    EXPECT_EQ(sharing_groups(lists, sites), 0U) << seed;
    sites.push_back({device(seed * 1000 + 999), static_cast<std::uint32_t>(domains), 6_GiB});
    const auto after = placed(pool, sites, lists);
    check_lists(pool, after);
    EXPECT_EQ(sharing_groups(after, sites), 0U) << seed;
  }
}

TEST(Placing, too_few_devices_are_refused) {
  const auto pool = pool_of({4, 2}, 5);
  EXPECT_EQ(place(pool, {}, equal_sites(5)).error().code(), Errc::invalid_argument);
}

TEST(Placing, sites_are_the_devices_of_the_pool_that_are_written) {
  PoolRecord pool = pool_of({1, 1}, 4);
  std::vector<DeviceRecord> devices;
  for (std::uint64_t i = 0; i < 8; ++i) {
    devices.push_back({.id = device(i), .node = NodeId(1 + i / 2), .pool = PoolId(1), .weight = 1_GiB});
  }
  devices[1].state = DeviceState::suspect;
  devices[2].state = DeviceState::failed;
  devices[3].state = DeviceState::draining;
  devices[4].pool = PoolId(2);
  devices[5].weight = 0;
  const std::vector<NodeRecord> nodes{{NodeId(1), "a"}, {NodeId(4), "a"}};
  auto sites = sites_of(pool, devices, nodes);
  ASSERT_EQ(sites.size(), 4U);
  EXPECT_TRUE(std::ranges::is_sorted(sites, {}, &Site::device));
  const auto domains = [&](DomainLevel level) {
    pool.level = level;
    std::set<std::uint32_t> out;
    for (const Site& site : sites_of(pool, devices, nodes)) out.insert(site.domain);
    return out.size();
  };
  EXPECT_EQ(domains(DomainLevel::device), 4U);
  EXPECT_EQ(domains(DomainLevel::node), 2U);
  EXPECT_EQ(domains(DomainLevel::rack), 1U);
}

}  // namespace
}  // namespace kiseki::chunk::detail
