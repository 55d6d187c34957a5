#pragma once

#include <cstddef>
#include <list>
#include <map>
#include <utility>

namespace kiseki::fs::detail {

/// A bounded map that forgets what was not asked for the longest.
template <class Key, class Value>
class LeastRecent {
 public:
  explicit LeastRecent(std::size_t entries_max) : entries_max_(entries_max) {}

  /// Null when it is not there; valid until the next `put` or `erase`.
  const Value* find(const Key& key) {
    const auto found = places_.find(key);
    if (found == places_.end()) return nullptr;
    entries_.splice(entries_.begin(), entries_, found->second);
    return &found->second->second;
  }
  void put(const Key& key, Value value) {
    erase(key);
    entries_.emplace_front(key, std::move(value));
    places_[key] = entries_.begin();
    if (entries_.size() > entries_max_) erase(Key(entries_.back().first));
  }
  void erase(const Key& key) {
    const auto found = places_.find(key);
    if (found == places_.end()) return;
    entries_.erase(found->second);
    places_.erase(found);
  }

 private:
  using Entries = std::list<std::pair<Key, Value>>;

  std::size_t entries_max_;
  Entries entries_;  // latest first
  std::map<Key, typename Entries::iterator> places_;
};

}  // namespace kiseki::fs::detail
