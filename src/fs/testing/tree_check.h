#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "fs/testing/memory_client.h"
#include "fs/tree/directory_rows.h"
#include "fs/tree/index_tree.h"
#include "fs/tree/tree.h"

// For tests: what must hold of the rows of a namespace whenever nothing is under way.

namespace kiseki::fs {

/// Walks the rows themselves, without the code that is tested but for opening them.
class TreeCheck {
 public:
  TreeCheck(const MemoryShards& shards, detail::NamespacePtr ns);
  /// `rows`: of the namespace, at least. `counters`: of a leaf.
  using CountersOf = std::function<shard::Counters(const shard::LeafAddress&)>;
  TreeCheck(const std::vector<shard::Row>& rows, CountersOf counters, detail::NamespacePtr ns);

  /// One line for each thing that is wrong; empty when all is well.
  const std::vector<std::string>& problems() const noexcept { return problems_; }
  /// What is left for a sweeper: empty implicit directories, rows that nothing leads to, frozen leaves,
  /// pending rows.
  const std::vector<std::string>& leftovers() const noexcept { return leftovers_; }
  /// Every object by its whole key, with its value after the name.
  const std::map<std::string, std::string>& objects() const noexcept { return objects_; }
  /// How many references the record of an object has.
  std::size_t references(const std::string& key) const { return references_.at(key); }
  /// Explicit ones by their paths, without '/' at the end.
  const std::set<std::string>& directories() const noexcept { return explicit_; }
  std::size_t leaves() const noexcept { return leaves_; }
  std::size_t index_height() const noexcept { return index_height_; }

 private:
  struct Leaf {
    std::optional<detail::Guard> guard;
    std::vector<shard::Row> entries;
  };
  struct Rows {
    std::optional<detail::Header> header;
    std::map<LeafId, Leaf> leaves;
    std::map<std::uint64_t, detail::IndexPage> index;
    bool reached = false;
  };

  void collect(const shard::Row& row);
  /// How many entries it holds.
  std::size_t walk(InodeId id, const std::string& path);
  void walk_entry(const shard::Row& row, const detail::Guard& guard, InodeId parent, const std::string& path);
  void walk_index(const Rows& rows, const std::string& path);
  void compare_counters(InodeId id, LeafId leaf, const Leaf& rows);
  void expect(bool holds, std::string words);

  void check();

  CountersOf counters_;
  detail::NamespacePtr ns_;
  std::map<InodeId, Rows> directories_;
  std::vector<std::string> problems_, leftovers_;
  std::map<std::string, std::string> objects_;
  std::map<std::string, std::size_t> references_;
  std::set<std::string> explicit_;
  std::size_t leaves_ = 0;
  std::size_t index_height_ = 0;
};

}  // namespace kiseki::fs
