#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/buffer.h"
#include "base/ids.h"
#include "base/task.h"
#include "crypto/hash.h"
#include "fs/services.h"
#include "fs/tree_limits.h"

namespace kiseki::fs {

/// A namespace: an S3 bucket.
struct Namespace {
  NamespaceId id;
  TenantId tenant;
  std::string name;
  std::uint64_t created_ms = 0;
};

/// What a writer says of an object besides its bytes. Opaque here; sealed with the entry. At most 8 KiB in
/// all.
struct Properties {
  std::string etag;  ///< Without quotes: hex MD5, or hex-N of a multipart object.
  std::vector<std::pair<std::string, std::string>>
      headers;  ///< Lower-case name, value: content-type and the like.
  std::vector<std::pair<std::string, std::string>> metadata;   ///< User metadata: lower-case name, value.
  std::vector<std::pair<std::string, std::string>> checksums;  ///< "crc32c" and the like, base64 value.
};

struct Attributes {
  Bytes size = 0;
  std::uint64_t modified_ms = 0;
  Properties properties;
};

/// Bytes on their way in. Read once, from the start.
class Source {
 public:
  virtual ~Source() = default;
  /// Length if the sender said so.
  virtual std::optional<Bytes> size() const = 0;
  /// Fills as much as it can of `into`, at least one byte; 0 at the end.
  virtual Task<Result<std::size_t>> read(MutableView into) = 0;
  /// After the end: SHA-256 of all that was read, by a source that takes it anyway. A body of one piece is
  /// then not hashed twice.
  virtual std::optional<crypto::Digest256> digest() const { return std::nullopt; }
  /// After the end: every digest the sender gave holds (or the error to answer with), and what to keep.
  virtual Result<Properties> finish() = 0;
};

/// What must hold of the present object for a write to happen; checked in the same commit.
/// `precondition_failed`, or `not_found` for `etag` on an absent one.
struct Condition {
  bool absent = false;              ///< There is none.
  std::optional<std::string> etag;  ///< There is one with this ETag; "*": any.
};

/// An object opened for reading: what it is stays the same however long the reading takes.
class Object {
 public:
  virtual ~Object() = default;
  virtual const Attributes& attributes() const = 0;
  /// Bytes from `offset`, at least one and at most `length`, up to the end of a piece. `out_of_range` beyond
  /// the end; `corrupted` when a stored byte fails its check: nothing of the piece is given out.
  virtual Task<Result<Buffer>> read(Bytes offset, Bytes length) = 0;
};

struct ListRequest {
  std::string prefix;
  bool by_directory = false;  ///< Delimiter '/': what lies below the next '/' after the prefix is one item.
  std::string after;  ///< Only what sorts after it, and not below it when it ends in '/' as a prefix item.
  std::uint32_t limit = 1000;
};

struct ListReply {
  struct Item {
    std::string name;  ///< Whole key, or whole common prefix with its '/'.
    bool is_prefix = false;
    Attributes attributes;
  };
  std::vector<Item> items;  ///< In byte order of the name.
  bool truncated = false;   ///< There is more after the last item.
};

/// Of a directory, over all of its leaves. Not one snapshot of several leaves.
struct DirectoryAttributes {
  std::uint64_t entries = 0;  ///< Directories included.
  std::uint64_t subdirectories = 0;
  Bytes logical = 0;  ///< Of the objects in it, without those below.
  std::uint64_t modified_ms = 0;
  bool is_explicit = false;  ///< Stays when it is empty.
};

struct PartInfo {
  std::uint32_t number = 0;  ///< 1 to 10,000
  Attributes attributes;
};

struct UploadInfo {
  std::string key;
  std::string upload;  ///< Opaque, URL-safe.
  std::uint64_t created_ms = 0;
  Properties properties;
};

struct CompletePart {
  std::uint32_t number = 0;
  std::string etag;
};

/// Namespaces, directories and objects of one core: everything a face needs. Keys are raw S3 keys of 1 to
/// 1,024 bytes, paths whose components may be empty. Nothing here keeps state that a restart would lose.
class FileSystem {
 public:
  static constexpr Bytes part_size_min = 5_MiB;
  static constexpr Bytes part_size_max = 5_GiB;
  static constexpr Bytes object_size_max = 5120_GiB;

  /// `services` outlive it. Reads the tenants; `bootstrap` (identities.h) has run on this store.
  static Task<Result<std::unique_ptr<FileSystem>>> open(Services services, TreeLimits limits = {});
  virtual ~FileSystem() = default;

  /// `exists` when the tenant has one of that name; `invalid_argument` for a bad name.
  virtual Task<Result<Namespace>> create_namespace(TenantId tenant, std::string name) = 0;
  virtual Task<Result<Namespace>> find_namespace(TenantId tenant, std::string name) = 0;
  /// In byte order of the names.
  virtual Task<Result<std::vector<Namespace>>> list_namespaces(TenantId tenant) = 0;
  /// `not_empty` while an object is in it. Open multipart uploads go with it.
  virtual Task<Result<>> remove_namespace(TenantId tenant, std::string name) = 0;

  /// Durable on return.
  virtual Task<Result<Attributes>> put(Namespace ns, std::string key, Source& source,
                                       Condition condition) = 0;
  /// `not_found`.
  virtual Task<Result<Attributes>> stat(Namespace ns, std::string key) = 0;
  virtual Task<Result<std::unique_ptr<Object>>> open_object(Namespace ns, std::string key) = 0;
  /// An absent one is fine, unless `condition` says otherwise.
  virtual Task<Result<>> remove(Namespace ns, std::string key, Condition condition) = 0;
  /// Within one namespace no data moves; between two it is read and sealed again. `replace`: new properties
  /// (the ETag stays). `source_etag`: as `Condition::etag`, of the source.
  struct CopyRequest {
    Namespace from;
    std::string from_key;
    Namespace to;
    std::string to_key;
    std::optional<Properties> replace;
    std::optional<std::string> source_etag;
    Condition condition;
  };
  virtual Task<Result<Attributes>> copy(CopyRequest request) = 0;
  virtual Task<Result<ListReply>> list(Namespace ns, ListRequest request) = 0;

  /// As POSIX has them. Paths: names joined by '/', none of them empty, "." or ".."; `invalid_argument`.
  /// `not_found`, `not_directory`: the way to the last name. A directory that was made so stays when it is
  /// empty; one that holds nothing and was not is not there.
  /// `exists`: a directory or an object of that name.
  virtual Task<Result<>> make_directory(Namespace ns, std::string path) = 0;
  /// `not_found`, `not_directory`, `not_empty`.
  virtual Task<Result<>> remove_directory(Namespace ns, std::string path) = 0;
  virtual Task<Result<DirectoryAttributes>> stat_directory(Namespace ns, std::string path) = 0;
  /// Of an object, or of a directory with all below: the directory when `from` ends in '/' or no object has
  /// the name. Replaces an object by an object, an empty directory by a directory. `not_found`;
  /// `is_directory`, `not_directory`: the other is of the other type; `not_empty`; `invalid_argument`: a
  /// directory into itself.
  virtual Task<Result<>> rename(Namespace ns, std::string from, std::string to) = 0;

  virtual Task<Result<std::string>> create_upload(Namespace ns, std::string key, Properties properties) = 0;
  /// Replaces an earlier part of that number. `not_found` when the upload is not there.
  virtual Task<Result<Attributes>> put_part(Namespace ns, std::string key, std::string upload,
                                            std::uint32_t number, Source& source) = 0;
  struct CompleteUpload {
    Namespace ns;
    std::string key, upload;
    std::vector<CompletePart> parts{};
    std::string etag{};                                            ///< Of the object.
    std::vector<std::pair<std::string, std::string>> checksums{};  ///< Of the object, to keep.
    Condition condition{};
  };
  /// Puts the parts together without moving data. `invalid_argument`: order, a missing part or another ETag;
  /// `too_large`/`out_of_range`: a part but the last is below 5 MiB. Repeating a completed call answers as
  /// the first did while the object stands.
  virtual Task<Result<Attributes>> complete_upload(CompleteUpload request) = 0;
  virtual Task<Result<>> abort_upload(Namespace ns, std::string key, std::string upload) = 0;
  virtual Task<Result<std::vector<PartInfo>>> list_parts(Namespace ns, std::string key, std::string upload,
                                                         std::uint32_t after, std::uint32_t limit) = 0;
  virtual Task<Result<UploadInfo>> find_upload(Namespace ns, std::string key, std::string upload) = 0;
  /// In order of (key, upload id).
  virtual Task<Result<std::vector<UploadInfo>>> list_uploads(Namespace ns, std::string prefix,
                                                             std::string after_key, std::string after_upload,
                                                             std::uint32_t limit) = 0;

  /// Removes what crashes and emptied directories leave behind, until `stop`. On one core of a node.
  virtual Task<> sweep() = 0;
  virtual Task<> stop() = 0;
};

}  // namespace kiseki::fs
