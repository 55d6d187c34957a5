#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/core.h"
#include "fs/file_system.h"
#include "fs/identities.h"
#include "s3/access_log.h"
#include "s3/http_server.h"
#include "s3/operation.h"

namespace kiseki::apps {

/// S3 on every core of a node.
class S3Face {
 public:
  /// What one core's requests are served with; all outlive the face.
  struct Place {
    Core* core;
    fs::FileSystem* file_system;
    fs::Identities* identities;
  };

  /// What all cores share; both outlive the face.
  struct Shared {
    MemoryBudget* memory;
    s3::AccessLog* access_log;  ///< None: requests are not logged.
  };

  S3Face(std::vector<Place> places, s3::HttpOptions http, s3::ServiceOptions options, Shared shared);
  ~S3Face();

  /// On the first core, as `stop` is.
  Task<Result<>> start();
  Task<> stop();
  /// "ADDRESS:PORT"
  std::string endpoint() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace kiseki::apps
