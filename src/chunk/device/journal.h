#pragma once

#include <deque>
#include <vector>

#include "chunk/device/committer.h"

namespace kiseki::chunk::detail {

/// Writes touches and deletes into the open region: many to a block, some blocks to a flush.
class Journal {
 public:
  Journal(Media& media, Regions& regions, Committer& committer)
      : media_(media), regions_(regions), committer_(committer) {}

  struct Item {
    JournalEntry entry;
    Change change;
  };
  /// On return the entries are durable and their changes visible. After an error some may be; after
  /// `no_space` those have not been written that are not.
  Task<Result<>> write(std::vector<Item> items);

 private:
  /// At most a block of items, in the frame of their caller.
  struct Waiting {
    std::vector<Item> items;
    OneShot<Result<>> done;
  };
  Task<> run();
  Task<Result<>> write_group(std::vector<Waiting*>& group);
  Task<Result<Grant>> allocate(std::size_t& blocks);
  std::vector<Waiting*> take(std::size_t entries_max);
  Buffer encode_blocks(Position position, std::span<const JournalEntry> entries) const;

  Media& media_;
  Regions& regions_;
  Committer& committer_;
  std::deque<Waiting*> queue_;
  bool running_ = false;
};

}  // namespace kiseki::chunk::detail
