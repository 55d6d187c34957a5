#pragma once

#include <optional>
#include <string>

#include "base/rng.h"
#include "fs/file_system.h"
#include "fs/testing/plain_tree.h"

namespace kiseki::sim {

/// Works on names of its own, in directories of its own and in others that it shares with everybody: so it
/// knows what each call must answer and what must be there, whatever others do.
class NamespaceUser {
 public:
  NamespaceUser(std::size_t number, std::uint64_t seed) : number_(number), rng_(seed) {}

  struct Outcome {
    bool stopped = false;  ///< The node is going down; what the last call came to is unknown.
    std::string words;     ///< What went wrong.
  };
  /// One call. `shrinks`: rather takes away than adds.
  Task<Outcome> act(fs::FileSystem& files, fs::Namespace ns, bool shrinks);
  /// What is there is what was acknowledged; the last call has happened or not.
  Task<std::string> check(fs::FileSystem& files, fs::Namespace ns);

  std::uint64_t done() const noexcept { return done_; }

 private:
  std::string own(std::string_view letter, std::uint64_t among);
  std::string draw_parent();
  std::string draw_name();
  std::string draw_directory();
  Task<Result<>> put(fs::FileSystem& files, fs::Namespace ns, std::string key);
  Task<Result<>> rename(fs::FileSystem& files, fs::Namespace ns, std::string from, std::string to);
  Task<Result<fs::PlainTree>> observe(fs::FileSystem& files, fs::Namespace ns);

  std::size_t number_;
  SeededRng rng_;
  fs::PlainTree model_, before_;  // after the last call as it should be, and before it
  std::string did_;
  Result<> expected_;
  std::uint64_t done_ = 0;
};

}  // namespace kiseki::sim
