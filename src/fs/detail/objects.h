#pragma once

#include "fs/detail/body.h"
#include "fs/file_system.h"

namespace kiseki::fs::detail {

/// Objects by their keys: the calls of `FileSystem` of the same names.
class Objects {
 public:
  /// All outlive it.
  Objects(Tree& tree, PieceStore& store) : tree_(tree), store_(store) {}

  Task<Result<Attributes>> put(NamespaceId space, std::string key, Source& source, Condition condition);
  Task<Result<Attributes>> stat(NamespaceId space, std::string key);
  Task<Result<std::unique_ptr<Object>>> open(NamespaceId space, std::string key);
  Task<Result<>> remove(NamespaceId space, std::string key, Condition condition);
  Task<Result<Attributes>> copy(FileSystem::CopyRequest request);

 private:
  struct Copying;
  Task<Result<Attributes>> link(NamespaceId space, std::string key, Body body, Properties properties,
                                Condition condition);
  Task<Result<Attributes>> copy_bytes(FileSystem::CopyRequest request);
  Task<Result<std::optional<Attributes>>> try_copy(const FileSystem::CopyRequest& request,
                                                   Attempts& attempts);

  Tree& tree_;
  PieceStore& store_;
};

/// `precondition_failed`, `not_found`; `present`: the object that is there.
Result<> check(const Condition& condition, const std::optional<ObjectValue>& present);
/// 1 to 1,024 bytes, or `invalid_argument`.
Result<> check_key(std::string_view key);
/// The object of a place, if there is one.
Result<std::optional<ObjectValue>> object_of(const Place& place);
Attributes attributes_of(const shard::Record& record, ObjectValue value);

}  // namespace kiseki::fs::detail
