#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/buffer.h"
#include "base/ids.h"
#include "base/result.h"

// The fence index of one directory, without I/O: pages of (separator, child), a hint of where leaves begin
// (PROTOCOLS 2.3). Pages that an operation needs are loaded first: it names the one it misses.

namespace kiseki::fs::detail {

/// A page: children in the order of their separators. A child is a leaf at height 0, else a page.
struct IndexPage {
  std::uint8_t height = 0;
  std::map<std::string, std::uint64_t, std::less<>> children;

  std::string encode() const;
  static Result<IndexPage> decode(View bytes);
  Bytes encoded_size() const;
};

/// Pages by number; the root is 0 for ever, whatever its height.
class IndexTree {
 public:
  static constexpr std::uint64_t root = 0;

  struct Node {
    IndexPage page;
    Stamp version;  ///< As read; 0: new.
    bool changed = false;
    bool erased = false;
  };
  using NewNumber = std::function<std::uint64_t()>;

  /// Splits pages above `page_max` bytes.
  explicit IndexTree(Bytes page_max) : page_max_(page_max) {}

  bool has(std::uint64_t number) const { return nodes_.contains(number); }
  /// A page as read. The root may be absent: an empty page without a version.
  void load(std::uint64_t number, IndexPage page, Stamp version);

  /// What a descent found, or the page to load before asking again.
  struct Found {
    std::optional<std::uint64_t> missing;
    std::optional<LeafId> leaf;  ///< Of the last separator ≤ the key; none: the index knows none.
    std::string separator;       ///< With `leaf`.
  };
  Found floor(std::string_view key) const;
  /// Of the last separator < the key.
  Found below(std::string_view key) const;

  /// The page to load before `insert` or `erase` of this separator.
  std::optional<std::uint64_t> missing_for(std::string_view separator) const;
  /// `separator` leads to `leaf`. The pages of the descent are loaded.
  void insert(std::string separator, LeafId leaf, const NewNumber& number);
  /// Forgets the separator if it leads to `leaf`.
  void erase(std::string_view separator, LeafId leaf);

  const std::map<std::uint64_t, Node>& nodes() const noexcept { return nodes_; }
  bool changed() const;

 private:
  std::vector<std::uint64_t> descent(std::string_view separator) const;
  Found last_before(std::uint64_t number, std::string_view key, bool inclusive) const;
  void split(std::vector<std::uint64_t> path, const NewNumber& number);
  std::uint64_t add(IndexPage page, const NewNumber& number);
  void grow_root(const NewNumber& number);

  Bytes page_max_;
  std::map<std::uint64_t, Node> nodes_;
};

}  // namespace kiseki::fs::detail
