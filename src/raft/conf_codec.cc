#include "raft/conf_codec.h"

#include "base/assert.h"
#include "raft/codec/meta_codec.h"

namespace kiseki::raft {

namespace {

void encode_replicas(Encoder& out, const std::vector<ReplicaId>& replicas) {
  KISEKI_ASSERT(replicas.size() <= ConfState::members_max);
  out.integer(static_cast<std::uint16_t>(replicas.size()));
  for (const ReplicaId replica : replicas) out.integer(replica);
}

std::vector<ReplicaId> decode_replicas(Decoder& in, std::uint32_t newest) {
  const auto count = in.integer<std::uint16_t>();
  if (count > ConfState::members_max) in.reject();
  std::vector<ReplicaId> replicas;
  for (std::uint16_t i = 0; i < count && !in.failed(); ++i) {
    replicas.push_back(in.integer<ReplicaId>());
    if (number_of(replicas.back()) > newest) in.reject();
  }
  return replicas;
}

}  // namespace

void encode_conf(Encoder& out, const ConfState& conf) {
  out.integer(conf.newest).integer(std::uint8_t{conf.auto_leave});
  encode_replicas(out, conf.voters);
  encode_replicas(out, conf.learners);
  encode_replicas(out, conf.voters_outgoing);
  encode_replicas(out, conf.learners_next);
}

ConfState decode_conf(Decoder& in) {
  ConfState conf;
  conf.newest = in.integer<std::uint32_t>();
  conf.auto_leave = detail::decode_flag(in);
  conf.voters = decode_replicas(in, conf.newest);
  conf.learners = decode_replicas(in, conf.newest);
  conf.voters_outgoing = decode_replicas(in, conf.newest);
  conf.learners_next = decode_replicas(in, conf.newest);
  return conf;
}

}  // namespace kiseki::raft
