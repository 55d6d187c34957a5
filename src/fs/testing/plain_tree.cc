#include "fs/testing/plain_tree.h"

#include <algorithm>

namespace kiseki::fs {

namespace {

bool take_slash(std::string& path) {
  const bool had = path.ends_with('/');
  if (had) path.pop_back();
  return had;
}

/// The same below another directory.
std::string moved(const std::string& path, const std::string& from, const std::string& to) {
  return path == from ? to : to + path.substr(from.size());
}

}  // namespace

std::optional<std::string> PlainTree::get(const std::string& key) const {
  const auto found = objects_.find(key);
  return found == objects_.end() ? std::nullopt : std::optional(found->second);
}

bool PlainTree::is_empty(const std::string& path) const {
  const std::string below = path + "/";
  const auto object = objects_.lower_bound(below);
  const auto directory = directories_.lower_bound(below);
  return (object == objects_.end() || !object->first.starts_with(below)) &&
         (directory == directories_.end() || !directory->starts_with(below));
}

bool PlainTree::has_directory(const std::string& path) const {
  return directories_.contains(path) || !is_empty(path);
}

Result<> PlainTree::check_parent(const std::string& path) const {
  for (auto slash = path.find('/'); slash != path.npos; slash = path.find('/', slash + 1)) {
    const std::string parent = path.substr(0, slash);
    if (has_directory(parent)) continue;
    return fail(objects_.contains(parent) ? Errc::not_directory : Errc::not_found);
  }
  return {};
}

Result<> PlainTree::make_directory(std::string path) {
  take_slash(path);
  KISEKI_TRY(check_parent(path));
  if (objects_.contains(path) || has_directory(path)) return fail(Errc::exists);
  directories_.insert(path);
  return {};
}

Result<> PlainTree::remove_directory(std::string path) {
  take_slash(path);
  KISEKI_TRY(check_parent(path));
  if (!has_directory(path)) return fail(objects_.contains(path) ? Errc::not_directory : Errc::not_found);
  if (!is_empty(path)) return fail(Errc::not_empty);
  directories_.erase(path);
  return {};
}

Result<> PlainTree::rename(std::string from, std::string to) {
  const bool from_directory = take_slash(from), to_directory = take_slash(to);
  KISEKI_TRY(check_parent(from));
  KISEKI_TRY(check_parent(to));
  if (!from_directory && objects_.contains(from)) return rename_object(from, to, to_directory);
  if (!has_directory(from)) return fail(Errc::not_found);
  return rename_directory(from, to);
}

Result<> PlainTree::rename_object(const std::string& from, const std::string& to, bool to_directory) {
  if (to_directory) return fail(Errc::not_directory);
  if (from == to) return {};
  if (has_directory(to)) return fail(Errc::is_directory);
  objects_[to] = objects_[from];
  objects_.erase(from);
  return {};
}

Result<> PlainTree::rename_directory(const std::string& from, const std::string& to) {
  if (from == to) return {};
  if (objects_.contains(to)) return fail(Errc::not_directory);
  if (to.starts_with(from + "/")) return fail(Errc::invalid_argument);
  if (!is_empty(to)) return fail(Errc::not_empty);
  directories_.erase(to);
  const auto is_within = [&from](const std::string& path) { return path.starts_with(from + "/"); };
  Contents objects;
  for (auto& [key, content] : objects_) objects[is_within(key) ? moved(key, from, to) : key] = content;
  std::set<std::string> directories;
  for (const auto& path : directories_) {
    directories.insert(path == from || is_within(path) ? moved(path, from, to) : path);
  }
  objects_ = std::move(objects);
  directories_ = std::move(directories);
  return {};
}

std::vector<std::string> PlainTree::list(const ListRequest& request) const {
  std::set<std::string> names;
  for (const auto& [key, content] : objects_) {
    if (!key.starts_with(request.prefix)) continue;
    const auto slash = request.by_directory ? key.find('/', request.prefix.size()) : key.npos;
    names.insert(key.substr(0, slash == key.npos ? slash : slash + 1));
  }
  for (const auto& path : directories_) {
    const std::string key = path + "/";
    if (!request.by_directory || !key.starts_with(request.prefix) || key == request.prefix) continue;
    names.insert(key.substr(0, key.find('/', request.prefix.size()) + 1));
  }
  std::vector<std::string> page;
  for (const auto& name : names) {
    const bool is_behind = name <= request.after || (request.after.ends_with('/') && request.by_directory &&
                                                     name.starts_with(request.after));
    if (!is_behind && page.size() < request.limit) page.push_back(name);
  }
  return page;
}

}  // namespace kiseki::fs
