#include "chunk/placement/placing.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <map>
#include <numeric>
#include <optional>

#include "base/assert.h"
#include "base/codec.h"

namespace kiseki::chunk::detail {

namespace {

constexpr std::size_t groups_a_device = 64;
// Passes over devices that have too few indexes or too many; each leaves fewer.
constexpr int passes_max = 4;

std::uint64_t mixed(std::uint64_t x) noexcept {
  x ^= x >> 30;
  x *= 0xbf58476d1ce4e5b9;
  x ^= x >> 27;
  x *= 0x94d049bb133111eb;
  return x ^ x >> 31;
}

std::uint64_t hash_of(const DeviceId& device) {
  Decoder in(device);
  const auto high = in.integer<std::uint64_t>();
  return mixed(high) ^ in.integer<std::uint64_t>();
}

/// Shares of `total` by weight, none above its cap.
std::vector<double> shares(std::span<const double> weights, std::span<const double> caps, double total) {
  std::vector<double> out(weights.size(), 0);
  std::vector<bool> full(weights.size(), false);
  for (bool changed = true; changed;) {
    changed = false;
    double weight = 0;
    double left = total;
    for (std::size_t i = 0; i < weights.size(); ++i) full[i] ? left -= caps[i] : weight += weights[i];
    for (std::size_t i = 0; i < weights.size(); ++i) {
      if (!full[i]) out[i] = left * weights[i] / weight;
      if (full[i] || out[i] < caps[i]) continue;
      out[i] = caps[i];
      full[i] = changed = true;
    }
  }
  return out;
}

class Placing {
 public:
  Placing(const PoolRecord& pool, std::span<const Site> sites)
      : sites_(sites),
        pool_(pool.id),
        width_(pool.profile.data + pool.profile.parity),
        groups_(std::size_t{1} << pool.group_bits),
        loads_(sites.size(), 0) {
    for (std::size_t i = 0; i < sites.size(); ++i) {
      domains_[sites[i].domain].push_back(i);
      hashes_.push_back(hash_of(sites[i].device));
    }
    allow_sharing();
    set_targets();
  }

  std::vector<DeviceList> run(std::vector<DeviceList> lists) {
    take(lists);
    for (std::size_t group = 0; group < groups_; ++group) fill(group);
    for (int pass = 0; pass < passes_max && even_out(); ++pass) {
    }
    for (std::size_t group = 0; group < groups_; ++group) {
      for (std::size_t index = 0; index < width_; ++index) {
        lists[group][index] = sites_[*places_[group][index]].device;
      }
    }
    return lists;
  }

 private:
  using Place = std::optional<std::size_t>;  // a site, or vacant
  using Group = std::vector<Place>;

  /// How many indexes of a group one domain may have: one where there are enough domains.
  void allow_sharing() {
    for (share_ = 1;; ++share_) {
      std::size_t room = 0;
      for (const auto& [domain, members] : domains_) room += std::min(share_, members.size());
      if (room >= width_) return;
    }
  }

  void set_targets() {
    std::vector<double> weights;
    std::vector<double> caps;
    for (const auto& [domain, members] : domains_) {
      double weight = 0;
      for (const std::size_t site : members) weight += static_cast<double>(sites_[site].weight);
      weights.push_back(weight);
      caps.push_back(static_cast<double>(groups_ * std::min(share_, members.size())));
    }
    const auto of_domains = shares(weights, caps, static_cast<double>(groups_ * width_));
    targets_.resize(sites_.size());
    std::size_t number = 0;
    for (const auto& [domain, members] : domains_) {
      std::vector<double> own;
      for (const std::size_t site : members) own.push_back(static_cast<double>(sites_[site].weight));
      const std::vector<double> whole(members.size(), static_cast<double>(groups_));
      const auto of_members = shares(own, whole, of_domains[number++]);
      for (std::size_t i = 0; i < members.size(); ++i) targets_[members[i]] = of_members[i];
    }
  }

  /// The lists that stand, without devices that may not be written, and without those of a domain that has
  /// more than it may.
  void take(std::vector<DeviceList>& lists) {
    std::map<DeviceId, std::size_t> by_id;
    for (std::size_t i = 0; i < sites_.size(); ++i) by_id.emplace(sites_[i].device, i);
    lists.resize(groups_);
    places_.assign(groups_, Group(width_));
    for (std::size_t group = 0; group < groups_; ++group) {
      lists[group].resize(width_);
      for (std::size_t index = 0; index < width_; ++index) {
        const auto found = by_id.find(lists[group][index]);
        if (found != by_id.end() && fits(group, found->second)) put(group, index, found->second);
      }
    }
  }

  /// Weighted rendezvous: the lower, the sooner the group belongs to the site.
  double distance(std::size_t group, std::size_t site) const {
    const std::uint64_t hash = mixed(hashes_[site] ^ mixed(std::uint64_t{pool_.value()} << 32 | group));
    const double uniform = (static_cast<double>(hash >> 11) + 0.5) * 0x1p-53;
    return -std::log(uniform) / static_cast<double>(sites_[site].weight);
  }

  double lack(std::size_t site) const { return targets_[site] - static_cast<double>(loads_[site]); }
  double tolerance(std::size_t site) const { return std::max(1.0, targets_[site] / 50); }

  /// Whether the site may have an index of the group, beside the others or in the place of one of them.
  bool fits(std::size_t group, std::size_t site, Place instead = std::nullopt) const {
    std::size_t of_domain = 0;
    for (const Place& place : places_[group]) {
      if (!place || place == instead) continue;
      if (*place == site) return false;
      if (sites_[*place].domain == sites_[site].domain) ++of_domain;
    }
    return of_domain < share_;
  }

  void put(std::size_t group, std::size_t index, std::size_t site) {
    Place& place = places_[group][index];
    if (place) --loads_[*place];
    place = site;
    ++loads_[site];
  }

  void fill(std::size_t group) {
    for (std::size_t index = 0; index < width_; ++index) {
      if (!places_[group][index]) put(group, index, choose(group));
    }
  }

  /// The nearest site that has room; without one, that which is least beyond its share.
  std::size_t choose(std::size_t group) const {
    Place nearest;
    Place emptiest;
    double least = 0;
    for (std::size_t site = 0; site < sites_.size(); ++site) {
      if (!fits(group, site)) continue;
      if (!emptiest || lack(site) > lack(*emptiest)) emptiest = site;
      if (lack(site) <= 0) continue;
      const double far = distance(group, site);
      if (nearest && far >= least) continue;
      nearest = site;
      least = far;
    }
    if (nearest) return *nearest;
    KISEKI_ASSERT(emptiest);  // a domain with room has a device that the group does not name
    return *emptiest;
  }

  /// Whether anything moved.
  bool even_out() {
    bool moved = false;
    for (std::size_t site = 0; site < sites_.size(); ++site) {
      if (lack(site) > tolerance(site)) moved = attract(site) || moved;
    }
    for (std::size_t site = 0; site < sites_.size(); ++site) {
      if (-lack(site) > tolerance(site)) moved = repel(site) || moved;
    }
    return moved;
  }

  /// Groups in the order in which they belong to the site.
  std::vector<std::size_t> nearest_groups(std::size_t site) const {
    std::vector<double> distances(groups_);
    for (std::size_t group = 0; group < groups_; ++group) distances[group] = distance(group, site);
    std::vector<std::size_t> order(groups_);
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::ranges::sort(order, {}, [&](std::size_t group) { return std::pair(distances[group], group); });
    return order;
  }

  /// Gives the site indexes of those that have more than their share.
  bool attract(std::size_t site) {
    bool moved = false;
    for (const std::size_t group : nearest_groups(site)) {
      if (lack(site) < 0.5) break;
      std::optional<std::size_t> from;
      for (std::size_t index = 0; index < width_; ++index) {
        const Place& place = places_[group][index];
        if (lack(*place) >= 0 || !fits(group, site, place)) continue;
        if (!from || lack(*place) < lack(*places_[group][*from])) from = index;
      }
      if (!from) continue;
      put(group, *from, site);
      moved = true;
    }
    return moved;
  }

  /// Takes indexes of the site to those that have less than their share.
  bool repel(std::size_t site) {
    bool moved = false;
    auto groups = nearest_groups(site);
    std::ranges::reverse(groups);
    for (const std::size_t group : groups) {
      if (-lack(site) < 0.5) break;
      const auto at = std::ranges::find(places_[group], Place(site));
      if (at == places_[group].end()) continue;
      Place to;
      for (std::size_t other = 0; other < sites_.size(); ++other) {
        if (lack(other) <= 0 || !fits(group, other, site)) continue;
        if (!to || lack(other) > lack(*to)) to = other;
      }
      if (!to) continue;
      put(group, static_cast<std::size_t>(at - places_[group].begin()), *to);
      moved = true;
    }
    return moved;
  }

  std::span<const Site> sites_;
  PoolId pool_;
  std::size_t width_, groups_;
  std::size_t share_ = 1;
  std::map<std::uint32_t, std::vector<std::size_t>> domains_;
  std::vector<std::uint64_t> hashes_;
  std::vector<double> targets_;
  std::vector<std::size_t> loads_;
  std::vector<Group> places_;
};

bool is_written(DeviceState state) noexcept {
  return state == DeviceState::active || state == DeviceState::suspect;
}

}  // namespace

std::vector<Site> sites_of(const PoolRecord& pool, std::span<const DeviceRecord> devices,
                           std::span<const NodeRecord> nodes) {
  std::map<NodeId, std::string> racks;
  for (const NodeRecord& node : nodes) racks[node.id] = node.rack;
  const auto domain_of = [&](const DeviceRecord& device) -> std::string {
    const std::string node = std::to_string(device.node.value());
    if (pool.level == DomainLevel::device) return std::string(as_text(device.id));
    if (pool.level == DomainLevel::node) return node;
    const auto rack = racks.find(device.node);
    return rack == racks.end() || rack->second.empty() ? "node " + node : "rack " + rack->second;
  };
  std::map<std::string, std::uint32_t> numbers;
  std::vector<Site> sites;
  for (const DeviceRecord& device : devices) {
    if (device.pool != pool.id || !is_written(device.state) || device.weight == 0) continue;
    const auto number = static_cast<std::uint32_t>(numbers.size());
    sites.push_back({device.id, numbers.try_emplace(domain_of(device), number).first->second, device.weight});
  }
  std::ranges::sort(sites, {}, &Site::device);
  return sites;
}

std::uint8_t group_bits_for(std::size_t devices, Profile profile) noexcept {
  const std::size_t width = profile.data + profile.parity;
  const std::size_t groups = (groups_a_device * devices + width - 1) / width;
  const auto bits = static_cast<std::uint8_t>(std::bit_width(std::bit_ceil(groups)) - 1);
  return std::clamp(bits, PoolRecord::group_bits_min, PoolRecord::group_bits_max);
}

GroupNumber group_of(const ChunkId& chunk, std::uint8_t group_bits) noexcept {
  const auto leading = Decoder(chunk).integer<std::uint32_t>();
  return GroupNumber(leading >> (32 - group_bits));
}

Result<std::vector<DeviceList>> place(const PoolRecord& pool, std::vector<DeviceList> lists,
                                      std::span<const Site> sites) {
  const std::size_t width = pool.profile.data + pool.profile.parity;
  if (sites.size() < width) {
    return fail(Errc::invalid_argument, fmt::format("{} devices, the profile {}+{} needs {}", sites.size(),
                                                    pool.profile.data, pool.profile.parity, width));
  }
  return Placing(pool, sites).run(std::move(lists));
}

std::size_t sharing_groups(std::span<const DeviceList> lists, std::span<const Site> sites) {
  std::map<DeviceId, std::uint32_t> domains;
  for (const Site& site : sites) domains[site.device] = site.domain;
  std::size_t count = 0;
  for (const DeviceList& list : lists) {
    std::vector<std::uint32_t> used;
    for (const DeviceId& device : list) {
      if (const auto found = domains.find(device); found != domains.end()) used.push_back(found->second);
    }
    std::ranges::sort(used);
    if (std::ranges::adjacent_find(used) != used.end()) ++count;
  }
  return count;
}

}  // namespace kiseki::chunk::detail
