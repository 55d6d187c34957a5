#include "raft/detail/meta_codec.h"

#include "base/assert.h"

namespace kiseki::raft::detail {

namespace {

void encode_nodes(Encoder& out, const std::vector<NodeId>& nodes) {
  KISEKI_ASSERT(nodes.size() <= ConfState::members_max);
  out.integer(static_cast<std::uint16_t>(nodes.size()));
  for (const NodeId node : nodes) out.integer(node);
}

std::vector<NodeId> decode_nodes(Decoder& in) {
  const auto count = in.integer<std::uint16_t>();
  if (count > ConfState::members_max) in.reject();
  std::vector<NodeId> nodes;
  for (std::uint16_t i = 0; i < count && !in.failed(); ++i) nodes.push_back(in.integer<NodeId>());
  return nodes;
}

}  // namespace

void encode_meta(Encoder& out, const SnapshotMeta& meta) {
  out.integer(meta.index).integer(meta.term).integer(std::uint8_t{meta.conf.auto_leave});
  encode_nodes(out, meta.conf.voters);
  encode_nodes(out, meta.conf.learners);
  encode_nodes(out, meta.conf.voters_outgoing);
  encode_nodes(out, meta.conf.learners_next);
}

bool decode_flag(Decoder& in) {
  const auto value = in.integer<std::uint8_t>();
  if (value > 1) in.reject();
  return value == 1;
}

SnapshotMeta decode_meta(Decoder& in) {
  SnapshotMeta meta;
  meta.index = in.integer<Index>();
  meta.term = in.integer<Term>();
  meta.conf.auto_leave = decode_flag(in);
  meta.conf.voters = decode_nodes(in);
  meta.conf.learners = decode_nodes(in);
  meta.conf.voters_outgoing = decode_nodes(in);
  meta.conf.learners_next = decode_nodes(in);
  return meta;
}

}  // namespace kiseki::raft::detail
