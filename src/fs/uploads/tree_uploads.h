#pragma once

#include "fs/objects/tree_objects.h"
#include "fs/uploads.h"
#include "fs/uploads/upload_rows.h"

namespace kiseki::fs::detail {

/// Multipart uploads as rows (docs/formats/upload.md).
class TreeUploads final : public Uploads {
 public:
  /// Both outlive it. `part_pieces_max`: references that a part's row holds itself; fewer in tests.
  TreeUploads(Tree& tree, PieceStore& store, std::size_t part_pieces_max = page_pieces_max)
      : tree_(tree), store_(store), part_pieces_max_(part_pieces_max) {}

  Task<Result<std::string>> create(NamespaceId ns, std::string key, Properties properties) override;
  Task<Result<Attributes>> put_part(NamespaceId ns, std::string key, std::string upload, std::uint32_t number,
                                    Source& source) override;
  Task<Result<Attributes>> complete(CompleteUpload request) override;
  Task<Result<>> abort(NamespaceId ns, std::string key, std::string upload) override;
  Task<Result<PartPage>> parts(NamespaceId ns, std::string key, std::string upload, std::uint32_t after,
                               std::uint32_t limit) override;
  Task<Result<UploadInfo>> find(NamespaceId ns, std::string key, std::string upload) override;
  Task<Result<UploadPage>> list(NamespaceId ns, std::string prefix, std::string after_key,
                                std::string after_upload, std::uint32_t limit) override;
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

}  // namespace kiseki::fs::detail
