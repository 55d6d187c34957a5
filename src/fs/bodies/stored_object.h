#pragma once

#include "fs/bodies/extent_map.h"
#include "fs/objects.h"

namespace kiseki::fs::detail {

/// Where the bytes of an object are, as its entry said at one moment.
struct Content {
  std::string bytes;  ///< All of them: embedded or inline.
  MapWindow window;   ///< Or the pieces, all of them or the first pages' .
};
/// Nothing when the entry was replaced meanwhile: read it again.
Task<Result<std::optional<Content>>> content_of(Tree& tree, EntrySlot slot, ObjectValue value);

/// A reader of a stored body. The map of all bytes that a call asks for is in memory before the first of them
/// is given out, so that they are read to the end whatever happens to the entry; `stale` when the object was
/// replaced before. `tree` and `store` outlive it.
std::unique_ptr<Object> make_reader(Tree& tree, PieceStore& store, NamespacePtr ns,
                                    const shard::Record& record, Attributes attributes, Content content);

/// An object read as a source, for copies: it goes through small reads, so that the piece it fills is all
/// the memory it takes. `object` outlives it.
std::unique_ptr<Source> make_source(Object& object, Properties properties);

}  // namespace kiseki::fs::detail
