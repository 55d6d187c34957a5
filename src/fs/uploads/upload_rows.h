#pragma once

#include "fs/bodies/object_value.h"
#include "fs/tree/tree.h"

// The rows of a multipart upload (docs/formats/upload.md).

namespace kiseki::fs::detail {

enum class UploadState : std::uint8_t {
  open = 1,
  frozen = 2,  ///< A completion is under way: whoever puts a part thaws it, and the completion starts again.
};

/// An upload as its own row says.
struct Upload {
  NamespacePtr ns;
  InodeId id;
  std::uint64_t random = 0;  ///< So that nobody guesses the name.
  UploadState state = UploadState::open;
  std::uint64_t created_ms = 0;
  std::string key;
  Stamp version;  ///< As read.

  /// What clients call it: 32 hex digits.
  std::string name() const;
  /// Of its entry in the uploads tree.
  std::string entry_name() const;
};

/// Name of the entry of an upload of `key`.
std::string upload_entry_name(std::string_view key, std::string_view upload);
struct UploadEntryName {
  std::string key, upload;
};
Result<UploadEntryName> split_upload_entry_name(std::string_view name);
/// The id in a client's name; nothing for what is no such name.
std::optional<InodeId> upload_id_of(std::string_view name);

shard::Key upload_key(NamespaceId ns, InodeId upload);
shard::Key part_key(NamespaceId ns, InodeId upload, std::uint32_t number);
std::uint32_t part_number(const shard::Key& key);

/// Sealed, for `upload_key`.
shard::Record make_upload_row(Tree& tree, const Upload& upload);
Result<Upload> open_upload_row(NamespacePtr ns, InodeId id, const shard::Record& record);

/// The upload and rows of its own leaf, from one snapshot. `not_found`: no upload of that name and key.
struct UploadRead {
  Upload upload;
  std::vector<std::optional<shard::Record>> others;
};
Task<Result<UploadRead>> read_upload(Tree& tree, NamespaceId ns, std::string key, std::string name,
                                     std::vector<shard::Key> others);

}  // namespace kiseki::fs::detail
