#pragma once

#include "fs/objects/tree_objects.h"
#include "fs/uploads.h"
#include "fs/uploads/upload_rows.h"

namespace kiseki::fs::detail {

/// One completion: freezes the upload, builds the map of its parts, and puts the object in the upload's
/// place.
class Completion {
 public:
  /// Both outlive it.
  Completion(Tree& tree, PieceStore& store, CompleteUpload request)
      : tree_(tree), store_(store), request_(std::move(request)) {}

  Task<Result<Attributes>> run();

 private:
  Task<Result<Attributes>> attempt();
  Task<Result<>> freeze();
  Task<> thaw();
  Task<Result<Properties>> read_properties();
  Task<Result<Attributes>> build(MapWriter& writer);
  Task<Result<>> walk_parts(MapWriter* writer);
  Result<std::vector<Piece>> check_part(const shard::Row& row, std::size_t index) const;
  Task<Result<>> add_part(MapWriter& writer, const shard::Record& part, std::vector<Piece> pieces);
  Task<Result<Attributes>> link(WrittenBody body, ObjectValue value);
  Task<> clean_up();
  Task<Result<Attributes>> repeated();
  shard::Key pending_key() const;

  Tree& tree_;
  PieceStore& store_;
  CompleteUpload request_;
  Upload upload_;              // as read, then as frozen
  std::vector<PartRun> runs_;  // of the parts that went into the map
};

}  // namespace kiseki::fs::detail
