#include "raft/conf_codec.h"

#include "base/assert.h"
#include "raft/codec/meta_codec.h"

namespace kiseki::raft {

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

void encode_conf(Encoder& out, const ConfState& conf) {
  out.integer(std::uint8_t{conf.auto_leave});
  encode_nodes(out, conf.voters);
  encode_nodes(out, conf.learners);
  encode_nodes(out, conf.voters_outgoing);
  encode_nodes(out, conf.learners_next);
}

ConfState decode_conf(Decoder& in) {
  ConfState conf;
  conf.auto_leave = detail::decode_flag(in);
  conf.voters = decode_nodes(in);
  conf.learners = decode_nodes(in);
  conf.voters_outgoing = decode_nodes(in);
  conf.learners_next = decode_nodes(in);
  return conf;
}

}  // namespace kiseki::raft
