#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "apps/config.h"
#include "apps/root_credential.h"
#include "base/result.h"

namespace kiseki::apps {

/// One whole node in this process: every object of every context, built in order and taken down in reverse.
class Node {
 public:
  /// What is wrong with configuration, ports, data directory or keys is said before anything is written.
  /// `failed` is called at most once, from another thread, when the node cannot go on.
  static Result<std::unique_ptr<Node>> start(Config config, std::optional<RootCredential> root,
                                             std::function<void(Error)> failed);
  /// Requests under way are answered, everything is closed. Blocks.
  ~Node();

  std::string s3_endpoint() const;
  std::string admin_endpoint() const;
  const RootAccess& root() const;
  /// The access log goes on in a file newly opened under its path. Any thread.
  void reopen_logs();
  const std::filesystem::path& data() const;

 private:
  struct State;
  explicit Node(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace kiseki::apps
