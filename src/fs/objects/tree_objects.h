#pragma once

#include "fs/bodies/body_writer.h"
#include "fs/bodies/stored_object.h"

namespace kiseki::fs::detail {

/// Objects as entries of directory trees and bodies in chunks.
class TreeObjects final : public Objects {
 public:
  /// Both outlive it.
  TreeObjects(Tree& tree, PieceStore& store) : tree_(tree), store_(store) {}

  Task<Result<Attributes>> put(NamespaceId ns, std::string key, Source& source, Condition condition) override;
  Task<Result<Attributes>> stat(NamespaceId ns, std::string key) override;
  Task<Result<std::unique_ptr<Object>>> open(NamespaceId ns, std::string key) override;
  Task<Result<>> remove(NamespaceId ns, std::string key, Condition condition) override;
  Task<Result<Attributes>> copy(CopyRequest request) override;
  Task<Result<ListReply>> list(NamespaceId ns, ListRequest request) override;

 private:
  /// What a put may replace.
  struct Replaced {
    Condition condition;
    std::optional<Stamp> version = {};  ///< This one alone; else `stale`.
  };
  Task<Result<Attributes>> write(NamespaceId ns, std::string key, Source& source, Replaced replaced);
  Task<Result<Attributes>> link(NamespaceId ns, std::string key, WrittenBody body, Properties properties,
                                Replaced replaced);
  Task<Result<Attributes>> copy_bytes(CopyRequest request, Stamp version);

  Tree& tree_;
  PieceStore& store_;
};

/// 1 to 1,024 bytes, or `invalid_argument`.
Result<> check_key(std::string_view key);
/// `precondition_failed`, or `not_found` for an ETag on an absent object.
Result<> check(const Condition& condition, const std::optional<ObjectValue>& present);
/// The object of a place, if there is one.
Result<std::optional<ObjectValue>> object_of(const EntrySlot& slot);
Attributes attributes_of(const shard::Record& record, ObjectValue value);

/// The transaction that puts an object in its place, with its inline row. Whoever sends it frees the old
/// body.
shard::Transaction put_object(Tree& tree, const EntrySlot& slot, const WrittenBody& body, ObjectValue value);
/// After this error of a commit or of what came before it, nothing names the new body. After others it may.
bool surely_not_linked(Errc code) noexcept;

}  // namespace kiseki::fs::detail
