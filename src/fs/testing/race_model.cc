#include "fs/testing/race_model.h"

#include <algorithm>

namespace kiseki::fs {

RaceModel::Path RaceModel::split(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == path.npos) return {{}, path};
  return {path.substr(0, slash), path.substr(slash + 1)};
}

int RaceModel::add(Nodes& nodes, int parent, const std::string& name, bool is_explicit) {
  auto& children = nodes[static_cast<std::size_t>(parent)].directories;
  if (const auto known = children.find(name); known != children.end()) {
    if (is_explicit) nodes[static_cast<std::size_t>(known->second)].is_explicit = true;
    return known->second;
  }
  const int id = static_cast<int>(nodes.size());
  children[name] = id;
  nodes.push_back({.objects = {}, .directories = {}, .parent = parent, .is_explicit = is_explicit});
  return id;
}

RaceModel::RaceModel(const PlainTree& before) {
  nodes_.emplace_back();
  const auto walk = [this](std::string path) {
    int node = 0;
    for (auto slash = path.find('/'); slash != path.npos; slash = path.find('/')) {
      node = add(nodes_, node, path.substr(0, slash), false);
      path.erase(0, slash + 1);
    }
    return std::pair(node, path);
  };
  for (const auto& [key, content] : before.objects()) {
    const auto [node, name] = walk(key);
    nodes_[static_cast<std::size_t>(node)].objects[name] = content;
  }
  for (const auto& path : before.directories()) {
    const auto [node, name] = walk(path);
    add(nodes_, node, name, true);
  }
}

bool RaceModel::shows(const Nodes& nodes, int id) {
  const Node& node = nodes[static_cast<std::size_t>(id)];
  if (id == 0 || node.is_explicit || !node.objects.empty()) return true;
  return std::ranges::any_of(node.directories, [&](const auto& child) { return shows(nodes, child.second); });
}

bool RaceModel::shows(const Nodes& nodes, int parent, const std::string& name) {
  const auto& children = nodes[static_cast<std::size_t>(parent)].directories;
  const auto found = children.find(name);
  return found != children.end() && shows(nodes, found->second);
}

PlainTree RaceModel::plain(const Nodes& nodes) {
  PlainTree::Contents objects;
  std::set<std::string> directories;
  std::vector<std::pair<int, std::string>> next{{0, ""}};
  while (!next.empty()) {
    const auto [id, path] = next.back();
    next.pop_back();
    const Node& node = nodes[static_cast<std::size_t>(id)];
    for (const auto& [name, content] : node.objects) objects[path + name] = content;
    for (const auto& [name, child] : node.directories) {
      if (nodes[static_cast<std::size_t>(child)].is_explicit) directories.insert(path + name);
      next.emplace_back(child, path + name + "/");
    }
  }
  return {std::move(objects), std::move(directories)};
}

bool RaceModel::explains(std::vector<RacingCall> calls, const PlainTree& after) const {
  State state{nodes_, {}};
  for (auto& call : calls) state.calls.push_back({.call = std::move(call)});
  return search(state, after);
}

bool RaceModel::search(const State& state, const PlainTree& after) {
  const auto is_open = [](const Progress& one) { return !one.done; };
  if (std::ranges::none_of(state.calls, is_open)) return plain(state.nodes) == after;
  for (std::size_t i = 0; i < state.calls.size(); ++i) {
    if (state.calls[i].done) continue;
    for (const auto& next : step(state, i)) {
      if (search(next, after)) return true;
    }
  }
  return false;
}

/// `error`: what the call would answer now. Errors of the way are as good as one another.
void RaceModel::finish(State state, std::size_t call, std::optional<Errc> error, Followers& followers) {
  Progress& one = state.calls[call];
  const auto normal = [](std::optional<Errc> code) {
    return code == Errc::not_directory ? std::optional(Errc::not_found) : code;
  };
  if (one.call.is_known && normal(one.call.error) != normal(error)) return;
  one.done = true;
  followers.push_back(std::move(state));
}

RaceModel::Followers RaceModel::step(const State& state, std::size_t call) {
  Followers followers;
  const Progress& one = state.calls[call];
  const bool is_rename = one.call.what == "rename";
  if (!one.call.is_known || (is_rename && one.call.error)) {
    State skipped = state;  // it never happened
    skipped.calls[call].done = true;
    followers.push_back(std::move(skipped));
    if (one.call.is_known) return followers;
  }
  if (one.from < 0 || (is_rename && one.to < 0)) {
    resolve(state, call, followers);
  } else if (is_rename) {
    apply_rename(state, call, followers);
  } else {
    apply(state, call, followers);
  }
  return followers;
}

void RaceModel::resolve(const State& state, std::size_t call, Followers& followers) {
  const Progress& one = state.calls[call];
  const bool is_first = one.from < 0;
  const std::string parent = split(is_first ? one.call.path : one.call.to).parent;
  State next = state;
  int found = 0;
  if (!parent.empty()) {
    const auto& children = state.nodes[0].directories;
    const auto known = children.find(parent);
    const bool is_there =
        known != children.end() && (shows(state.nodes, known->second) || one.call.what == "put");
    if (!is_there && one.call.what == "put") {
      const int made = add(next.nodes, 0, parent, false);
      next.nodes[static_cast<std::size_t>(made)].objects[split(one.call.path).name] = one.call.content;
      return finish(std::move(next), call, std::nullopt, followers);
    }
    if (!is_there && one.call.what == "remove") return finish(std::move(next), call, std::nullopt, followers);
    if (!is_there) return finish(std::move(next), call, Errc::not_found, followers);
    found = known->second;
  }
  (is_first ? next.calls[call].from : next.calls[call].to) = found;
  followers.push_back(std::move(next));
}

void RaceModel::apply(const State& state, std::size_t call, Followers& followers) {
  const auto& one = state.calls[call];
  const std::string name = split(one.call.path).name;
  State next = state;
  Node& node = next.nodes[static_cast<std::size_t>(one.from)];
  if (node.is_gone) {  // found out, and looked for again
    next.calls[call].from = -1;
    followers.push_back(std::move(next));
    return;
  }
  const auto object = node.objects.find(name);
  const bool has_object = object != node.objects.end();
  const auto fails = [&](Errc code) { finish(state, call, code, followers); };
  if (one.call.what == "get") {
    if (!has_object) return fails(Errc::not_found);
    if (one.call.is_known && object->second != one.call.content) return;
  } else if (one.call.what == "put") {
    node.objects[name] = one.call.content;
  } else if (one.call.what == "restate") {
    if (!has_object) return fails(Errc::not_found);
    if (object->second != one.call.content) return fails(Errc::precondition_failed);
    node.objects[name] += "+";
  } else if (one.call.what == "remove") {
    node.objects.erase(name);
  } else if (one.call.what == "mkdir") {
    if (has_object || shows(state.nodes, one.from, name)) return fails(Errc::exists);
    add(next.nodes, one.from, name, true);
  } else {
    if (!shows(state.nodes, one.from, name)) fails(Errc::not_found);
    if (!node.directories.contains(name)) return;
    Node& directory = next.nodes[static_cast<std::size_t>(node.directories[name])];
    const bool is_empty = directory.objects.empty() &&
                          std::ranges::none_of(directory.directories,
                                               [&](auto& child) { return shows(state.nodes, child.second); });
    if (!is_empty) return fails(Errc::not_empty);
    directory.is_gone = true;
    node.directories.erase(name);
  }
  finish(std::move(next), call, std::nullopt, followers);
}

void RaceModel::apply_rename(const State& state, std::size_t call, Followers& followers) {
  const auto& one = state.calls[call];
  const std::string from_name = split(one.call.path).name, to_name = split(one.call.to).name;
  const auto at = [](State& in, int id) -> Node& { return in.nodes[static_cast<std::size_t>(id)]; };
  State again = state;
  if (at(again, one.from).is_gone || at(again, one.to).is_gone) {
    again.calls[call].from = again.calls[call].to = -1;
    followers.push_back(std::move(again));
    return;
  }
  const bool is_same = one.from == one.to && from_name == to_name;
  const Node& source = state.nodes[static_cast<std::size_t>(one.from)];
  if (source.objects.contains(from_name) && (is_same || !shows(state.nodes, one.to, to_name))) {
    State next = state;
    const std::string content = at(next, one.from).objects[from_name];
    at(next, one.from).objects.erase(from_name);
    at(next, one.to).objects[to_name] = content;
    finish(std::move(next), call, std::nullopt, followers);
  }
  if (!source.directories.contains(from_name)) return;
  const int moved = source.directories.at(from_name);
  if (is_same) return finish(state, call, std::nullopt, followers);
  for (int id = one.to; id != 0; id = state.nodes[static_cast<std::size_t>(id)].parent) {
    if (id == moved) return;
  }
  const Node& target = state.nodes[static_cast<std::size_t>(one.to)];
  if (target.objects.contains(to_name)) return;
  State next = state;
  if (const auto old = target.directories.find(to_name); old != target.directories.end()) {
    Node& replaced = at(next, old->second);
    const bool holds = !replaced.objects.empty() ||
                       std::ranges::any_of(replaced.directories,
                                           [&](auto& child) { return shows(state.nodes, child.second); });
    if (holds) return;
    replaced.is_gone = true;
  }
  at(next, one.from).directories.erase(from_name);
  at(next, one.to).directories[to_name] = moved;
  at(next, moved).parent = one.to;
  finish(std::move(next), call, std::nullopt, followers);
}

}  // namespace kiseki::fs
