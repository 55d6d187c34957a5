#pragma once

#include <deque>

#include "chunk/detail/committer.h"

namespace kiseki::chunk::detail {

/// Writes touches and deletes into the open region, many to a block.
class Recorder {
 public:
  struct Parts {
    disk::File& file;
    const crypto::Key256& mac;
    Health& health;
    Regions& regions;
    Committer& committer;
    Scope& scope;
  };
  explicit Recorder(Parts parts) : parts_(parts) {}

  /// On return the record is durable and its change visible. `no_space` before anything was written.
  Task<Result<>> record(Record record, Change change);

 private:
  struct Waiting {
    Record record;
    Change change;
    OneShot<Result<>> done;
  };
  Task<> run();
  Task<Result<>> write(std::vector<Waiting*>& group);

  Parts parts_;
  std::deque<Waiting*> queue_;  // in the frames of their callers
  bool running_ = false;
};

}  // namespace kiseki::chunk::detail
