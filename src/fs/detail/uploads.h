#pragma once

#include "fs/detail/objects.h"

namespace kiseki::fs::detail {

/// Multipart uploads (docs/formats/upload.md): the calls of `FileSystem` about them.
class Uploads {
 public:
  /// All outlive it.
  Uploads(Tree& tree, PieceStore& store, Objects& objects) : tree_(tree), store_(store), objects_(objects) {}

  Task<Result<std::string>> create(NamespaceId space, std::string key, Properties properties);
  Task<Result<Attributes>> put_part(NamespaceId space, std::string key, std::string upload,
                                    std::uint32_t number, Source& source);
  Task<Result<Attributes>> complete(NamespaceId space, std::string key, std::string upload,
                                    std::vector<CompletePart> parts, std::string etag, Condition condition);
  Task<Result<>> abort(NamespaceId space, std::string key, std::string upload);
  Task<Result<std::vector<PartInfo>>> parts(NamespaceId space, std::string key, std::string upload,
                                            std::uint32_t after, std::uint32_t limit);
  Task<Result<UploadInfo>> find(NamespaceId space, std::string key, std::string upload);
  Task<Result<std::vector<UploadInfo>>> list(NamespaceId space, std::string prefix, std::string after_key,
                                             std::string after_upload, std::uint32_t limit);
  /// Before a namespace goes.
  Task<Result<>> abort_all(NamespaceId space);

 private:
  Tree& tree_;
  PieceStore& store_;
  Objects& objects_;
};

}  // namespace kiseki::fs::detail
