#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/buffer.h"
#include "base/ids.h"
#include "base/task.h"
#include "crypto/hash.h"
#include "fs/properties.h"
#include "fs/stretch.h"

namespace kiseki::fs {

/// What is there of a source, without waiting for its sender.
enum class Arrival : std::uint8_t {
  some,  ///< At least a byte, where there is one.
  rest,  ///< All that is left.
};

/// Bytes on their way in. Read once, from the start.
class Source {
 public:
  virtual ~Source() = default;
  /// Waits for bytes that are not read yet, in memory of the source's own: nobody sets memory aside for bytes
  /// that do not come.
  virtual Task<Result<Arrival>> arrival() { co_return Arrival::some; }
  /// Length if the sender said so.
  virtual std::optional<Bytes> size() const = 0;
  /// Fills as much as it can of `into`, at least one byte; 0 at the end, and when the sender pauses.
  virtual Task<Result<std::size_t>> read(MutableView into) = 0;
  /// The last read ended because its sender paused: memory set aside for him may be wanted elsewhere.
  virtual bool pauses() const { return false; }
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
  /// From now on these bytes are read to the end whatever happens to the object. `stale`: it was replaced
  /// before; `busy`.
  virtual Task<Result<>> hold(Bytes /*offset*/, Bytes /*length*/) { co_return Result<>{}; }
  /// Bytes from `offset`, at least one and at most `length`, up to the end of a piece. Their memory is the
  /// caller's to count. One call at a time. `out_of_range` beyond the end; `corrupted`.
  virtual Task<Result<Stretch>> fetch(Bytes offset, Bytes length) = 0;
  /// The same, open. `corrupted`: nothing is given out.
  Task<Result<Buffer>> read(Bytes offset, Bytes length);
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
    Attributes attributes;  ///< Size, time, ETag and checksums.
  };
  std::vector<Item> items;  ///< In byte order of the name.
  bool truncated = false;   ///< There is more after the last item.
};

/// Within one namespace no data moves; between two it is read and sealed again.
struct CopyRequest {
  NamespaceId from;
  std::string from_key;
  NamespaceId to;
  std::string to_key;
  std::optional<Properties> replace;       ///< New properties, ETag and checksums included.
  std::optional<std::string> source_etag;  ///< As `Condition::etag`, of the source.
  Condition condition;
};

/// Objects by their keys: raw S3 keys of 1 to 1,024 bytes, paths whose components may be empty.
class Objects {
 public:
  static constexpr Bytes size_max = 5120_GiB;

  virtual ~Objects() = default;

  /// Durable on return.
  virtual Task<Result<Attributes>> put(NamespaceId ns, std::string key, Source& source,
                                       Condition condition) = 0;
  /// `not_found`.
  virtual Task<Result<Attributes>> stat(NamespaceId ns, std::string key) = 0;
  virtual Task<Result<std::unique_ptr<Object>>> open(NamespaceId ns, std::string key) = 0;
  /// An absent one is fine, unless `condition` says otherwise.
  virtual Task<Result<>> remove(NamespaceId ns, std::string key, Condition condition) = 0;
  virtual Task<Result<Attributes>> copy(CopyRequest request) = 0;
  virtual Task<Result<ListReply>> list(NamespaceId ns, ListRequest request) = 0;
};

}  // namespace kiseki::fs
