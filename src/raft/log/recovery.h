#pragma once

#include <memory>
#include <vector>

#include "disk/disk.h"
#include "raft/log/replay.h"
#include "raft/log/segment.h"

namespace kiseki::raft::detail {

/// What a directory of segments says.
struct RecoveredLog {
  std::unordered_map<GroupId, ReplayedGroup> groups;
  std::vector<std::unique_ptr<Segment>> segments;  ///< By sequence number, without gaps.
  std::size_t active = 0;    ///< The segment that is written next; those after it are empty.
  Bytes offset = log_block;  ///< There.
  std::uint64_t next_batch = 1;
  std::uint64_t first_live = 1;
  std::uint32_t next_file = 0;
};

/// By the rules of docs/formats/log.md, "Recovery". Files without a header that nobody needs are removed.
Task<Result<RecoveredLog>> recover_log(disk::Disk& disk, std::filesystem::path directory);

}  // namespace kiseki::raft::detail
