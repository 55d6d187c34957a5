#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/scope.h"
#include "sim/simulated_node.h"
#include "sim/text_source.h"

namespace kiseki::sim {

/// Writers that each own some keys of one bucket, and the memory of what was acknowledged and what was asked
/// for and never answered. A check reads everything back and holds it against that memory.
class Workload {
 public:
  static constexpr std::string_view bucket_name = "plaintext-bucket-name";
  static constexpr std::string_view known_word = "plaintext-in-every-object";
  static constexpr std::string_view known_header = "plaintext-in-the-metadata";

  Workload(SimulatedNode& node, std::uint64_t seed) : node_(node), rng_(seed) {}

  /// Makes the bucket, or finds it.
  Task<Result<>> prepare();
  /// Random writes until the scope stops or the node fails.
  Task<> write(Scope& scope, std::size_t writer);
  /// Words of the first thing that is not as it must be; empty: all is well. Afterwards what was read is what
  /// is remembered.
  Task<std::string> check();

  /// Every object, then the bucket with its unfinished uploads.
  Task<Result<>> remove_all();

  std::uint64_t acknowledged() const noexcept { return acknowledged_; }

 private:
  /// Content by number; nothing: no object.
  using Content = std::optional<std::uint64_t>;
  struct Memory {
    Content acknowledged;
    std::vector<Content> unanswered;  ///< Asked for since; may or may not have happened.
  };

  std::string random_key(std::size_t writer);
  Bytes random_size();
  Task<Result<>> put(std::string key);
  Task<Result<>> put_in_parts(std::string key);
  Task<Result<>> copy(std::string from, std::string to);
  Task<Result<>> remove(std::string key);
  void settle(const std::string& key, Content content, bool answered);
  Task<std::string> check_key(std::string key, Memory& memory);
  Task<Result<std::set<std::string>>> list_all();

  SimulatedNode& node_;
  SeededRng rng_;
  fs::Namespace ns_;
  std::map<std::string, Memory> memory_;
  std::uint64_t next_content_ = 1;
  std::map<std::uint64_t, Bytes> sizes_;  // of contents
  std::uint64_t acknowledged_ = 0;
};

/// The bytes of a content: the known word, then what its number says.
std::string content_bytes(std::uint64_t number, Bytes size);

}  // namespace kiseki::sim
