#pragma once

#include <vector>

#include "chunk/device/regions.h"

namespace kiseki::chunk::detail {

/// Group flush: writes that are complete when a flush begins share it. Only what is durable becomes visible.
class Committer {
 public:
  Committer(Media& media, Regions& regions) : media_(media), regions_(regions) {}

  /// What stands behind the changes has been written; on return it is durable and the changes are visible.
  /// After an error it may be either, and the device takes no more.
  Task<Result<>> commit(std::vector<Change> changes);
  /// The same of what is to be written at `offset`: in one trip when nothing else waits for a flush.
  Task<Result<>> write_and_commit(Bytes offset, View bytes, std::vector<Change> changes);

 private:
  struct Waiting {
    std::vector<Change> changes;
    Bytes offset = 0;
    View unwritten;  ///< To be written with the flush.
    OneShot<Result<>> done;
  };
  Task<Result<>> wait_for(Waiting& waiting);
  Task<> run();
  Task<Result<>> flush(const std::vector<Waiting*>& group);
  Task<Result<>> apply(const std::vector<Waiting*>& group);
  Task<Result<>> write_index(std::vector<Change> changes);

  Media& media_;
  Regions& regions_;
  std::vector<Waiting*> next_;  // in the frames of their callers
  bool running_ = false;
};

}  // namespace kiseki::chunk::detail
