#pragma once

#include <compare>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "fs/objects.h"

namespace kiseki::fs {

/// What a namespace should hold and answer, as plainly as it can be said: the model of the property tests.
class PlainTree {
 public:
  using Contents = std::map<std::string, std::string>;

  void put(const std::string& key, std::string content) { objects_[key] = std::move(content); }
  std::optional<std::string> get(const std::string& key) const;
  void remove(const std::string& key) { objects_.erase(key); }
  Result<> make_directory(std::string path);
  Result<> remove_directory(std::string path);
  Result<> rename(std::string from, std::string to);
  /// Names, prefixes with their '/'.
  std::vector<std::string> list(const ListRequest& request) const;

  const Contents& objects() const noexcept { return objects_; }
  /// Explicit ones, without '/'.
  const std::set<std::string>& directories() const noexcept { return directories_; }
  bool has_directory(const std::string& path) const;
  bool is_empty(const std::string& path) const;
  friend bool operator==(const PlainTree&, const PlainTree&) = default;
  PlainTree() = default;
  PlainTree(Contents objects, std::set<std::string> directories)
      : objects_(std::move(objects)), directories_(std::move(directories)) {}

 private:
  Result<> check_parent(const std::string& path) const;
  Result<> rename_object(const std::string& from, const std::string& to, bool to_directory);
  Result<> rename_directory(const std::string& from, const std::string& to);

  Contents objects_;
  std::set<std::string> directories_;
};

}  // namespace kiseki::fs
