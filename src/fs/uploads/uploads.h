#pragma once

#include "fs/objects/objects.h"
#include "fs/uploads/upload_rows.h"

namespace kiseki::fs::detail {

/// Multipart uploads (docs/formats/upload.md): the calls of `FileSystem` about them.
class Uploads {
 public:
  static constexpr std::uint32_t part_number_max = 10'000;

  /// Both outlive it. `part_pieces_max`: references that a part's row holds itself; fewer in tests.
  Uploads(Tree& tree, PieceStore& store, std::size_t part_pieces_max = page_pieces_max)
      : tree_(tree), store_(store), part_pieces_max_(part_pieces_max) {}

  Task<Result<std::string>> create(NamespaceId ns, std::string key, Properties properties);
  Task<Result<Attributes>> put_part(NamespaceId ns, std::string key, std::string upload, std::uint32_t number,
                                    Source& source);
  Task<Result<Attributes>> complete(FileSystem::CompleteUpload request);
  Task<Result<>> abort(NamespaceId ns, std::string key, std::string upload);
  Task<Result<std::vector<PartInfo>>> parts(NamespaceId ns, std::string key, std::string upload,
                                            std::uint32_t after, std::uint32_t limit);
  Task<Result<UploadInfo>> find(NamespaceId ns, std::string key, std::string upload);
  Task<Result<std::vector<UploadInfo>>> list(NamespaceId ns, std::string prefix, std::string after_key,
                                             std::string after_upload, std::uint32_t limit);
  /// Every upload of a namespace that is going to be deleted.
  Task<Result<>> abort_all(NamespaceId ns);

 private:
  struct Part {
    std::uint32_t number = 0;
    WrittenBody body;
    ObjectValue value;
  };
  Task<Result<>> link_part(NamespaceId ns, std::string key, std::string upload, Part part);

  Tree& tree_;
  PieceStore& store_;
  std::size_t part_pieces_max_;
};

/// One completion: freezes the upload, builds the map of its parts, and puts the object in the upload's
/// place.
class Completion {
 public:
  /// Both outlive it.
  Completion(Tree& tree, PieceStore& store, FileSystem::CompleteUpload request)
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
  FileSystem::CompleteUpload request_;
  Upload upload_;  // as read, then as frozen
};

}  // namespace kiseki::fs::detail
