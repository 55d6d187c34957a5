#pragma once

#include <string>
#include <vector>

#include "fs/objects.h"

namespace kiseki::fs {

struct PartInfo {
  std::uint32_t number = 0;  ///< 1 to 10,000
  Attributes attributes;
};
struct PartPage {
  std::vector<PartInfo> parts;
  bool more = false;  ///< After the last one; a page may hold fewer than asked for.
};

struct UploadInfo {
  std::string key;
  std::string upload;  ///< Opaque, URL-safe.
  std::uint64_t created_ms = 0;
  Properties properties;
};
struct UploadPage {
  std::vector<UploadInfo> uploads;
  bool more = false;  ///< As of parts.
};

struct CompletePart {
  std::uint32_t number = 0;
  std::string etag;
};
struct CompleteUpload {
  NamespaceId ns;
  std::string key, upload;
  std::vector<CompletePart> parts{};
  std::string etag{};             ///< Of the object.
  Properties::Pairs checksums{};  ///< Of the object, to keep.
  ChecksumType checksum_type = ChecksumType::full_object;
  Condition condition{};
};

/// Multipart uploads.
class Uploads {
 public:
  static constexpr std::uint32_t parts_max = 10'000;
  static constexpr Bytes part_size_min = 5_MiB;
  static constexpr Bytes part_size_max = 5_GiB;

  virtual ~Uploads() = default;

  virtual Task<Result<std::string>> create(NamespaceId ns, std::string key, Properties properties) = 0;
  /// Replaces an earlier part of that number. `not_found` when the upload is not there.
  virtual Task<Result<Attributes>> put_part(NamespaceId ns, std::string key, std::string upload,
                                            std::uint32_t number, Source& source) = 0;
  /// Puts the parts together without moving data. `invalid_argument`: order, a missing part or another ETag;
  /// `out_of_range`: a part but the last is below 5 MiB; `too_large`: the object. Repeating a completed call
  /// answers as the first did while the object stands.
  virtual Task<Result<Attributes>> complete(CompleteUpload request) = 0;
  virtual Task<Result<>> abort(NamespaceId ns, std::string key, std::string upload) = 0;
  /// Parts above number `after`, in order.
  virtual Task<Result<PartPage>> parts(NamespaceId ns, std::string key, std::string upload,
                                       std::uint32_t after, std::uint32_t limit) = 0;
  virtual Task<Result<UploadInfo>> find(NamespaceId ns, std::string key, std::string upload) = 0;
  /// In order of (key, upload id).
  virtual Task<Result<UploadPage>> list(NamespaceId ns, std::string prefix, std::string after_key,
                                        std::string after_upload, std::uint32_t limit) = 0;
};

}  // namespace kiseki::fs
