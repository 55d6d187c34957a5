#include "fs/bodies/body_rows.h"

namespace kiseki::fs::detail {

namespace {

constexpr Bytes leaf_span = 64_GiB;

}  // namespace

shard::LeafAddress own_leaf(NamespaceId ns, InodeId container) { return {ns, container, LeafId{0}}; }

shard::Key inline_key(NamespaceId ns, shard::Home home, InodeId file) {
  return shard::key({ns, home.container, home.leaf}, shard::Kind::inline_data, shard::item_of(file.value()));
}

shard::Key body_pending_key(Tree& tree, NamespaceId ns, InodeId file) {
  return shard::key(own_leaf(ns, file), shard::Kind::pending,
                    shard::item_of(tree.services().client->session().value()));
}

shard::LeafAddress page_leaf(NamespaceId ns, InodeId file, Bytes first) {
  return {ns, file, LeafId{static_cast<std::uint32_t>(1 + first / leaf_span)}};
}

}  // namespace kiseki::fs::detail
