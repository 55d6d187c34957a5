#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "fs/testing/plain_tree.h"

namespace kiseki::fs {

/// Something that somebody did at the same time as others, and what came of it. Paths have one name or two.
struct RacingCall {
  std::string what;  ///< put, restate, get, remove, mkdir, rmdir, rename
  std::string path;
  std::string to;         ///< rename
  std::string content;    ///< put; of get and restate what was found
  bool is_known = false;  ///< There was an answer.
  std::optional<Errc> error;
};

/// Whether calls that ran at the same time can have led from one state to another with the answers they gave.
/// A call is not one moment: it finds the directories that its names lead to, then changes what is in them,
/// wherever they are by then. An implicit directory that became empty meanwhile may be found or not.
class RaceModel {
 public:
  explicit RaceModel(const PlainTree& before);
  bool explains(std::vector<RacingCall> calls, const PlainTree& after) const;

 private:
  struct Node {
    std::map<std::string, std::string> objects;
    std::map<std::string, int> directories;
    int parent = 0;
    bool is_explicit = false;
    bool is_gone = false;
  };
  using Nodes = std::vector<Node>;
  struct Path {
    std::string parent, name;
  };
  struct Progress {
    RacingCall call;
    int from = -1, to = -1;  // directories found so far
    bool done = false;
  };
  struct State {
    Nodes nodes;
    std::vector<Progress> calls;
  };
  using Followers = std::vector<State>;

  static Path split(const std::string& path);
  static int add(Nodes& nodes, int parent, const std::string& name, bool is_explicit);
  static bool shows(const Nodes& nodes, int node);
  static bool shows(const Nodes& nodes, int parent, const std::string& name);
  static PlainTree plain(const Nodes& nodes);
  static bool search(const State& state, const PlainTree& after);
  /// The states that one step of a call can lead to.
  static Followers step(const State& state, std::size_t call);
  static void resolve(const State& state, std::size_t call, Followers& followers);
  static void apply(const State& state, std::size_t call, Followers& followers);
  static void apply_rename(const State& state, std::size_t call, Followers& followers);
  static void finish(State state, std::size_t call, std::optional<Errc> error, Followers& followers);

  Nodes nodes_;
};

}  // namespace kiseki::fs
