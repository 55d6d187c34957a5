#pragma once

#include <vector>

#include "base/scope.h"
#include "chunk/detail/regions.h"

namespace kiseki::chunk::detail {

/// Group flush: writes that are complete when a flush begins share it. Only what is durable becomes visible.
class Committer {
 public:
  struct Parts {
    disk::File& file;
    Index& index;
    Health& health;
    Regions& regions;
    Clock& clock;
    Scope& scope;
  };
  explicit Committer(Parts parts) : parts_(parts) {}

  /// What stands behind the changes has been written; on return it is durable and the changes are visible.
  /// After an error it may be either, and the device takes no more.
  Task<Result<>> commit(std::vector<Change> changes);

 private:
  struct Waiting {
    std::vector<Change> changes;
    OneShot<Result<>> done;
  };
  Task<> run();
  Task<Result<>> apply(const std::vector<Waiting*>& group);
  Task<Result<>> write_index(std::vector<Change> changes);

  Parts parts_;
  std::vector<Waiting*> next_;  // in the frames of their callers
  bool running_ = false;
};

}  // namespace kiseki::chunk::detail
