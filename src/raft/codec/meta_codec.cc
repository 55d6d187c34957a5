#include "raft/codec/meta_codec.h"

#include "raft/conf_codec.h"

namespace kiseki::raft::detail {

void encode_meta(Encoder& out, const SnapshotMeta& meta) {
  out.integer(meta.index).integer(meta.term);
  encode_conf(out, meta.conf);
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
  meta.conf = decode_conf(in);
  return meta;
}

}  // namespace kiseki::raft::detail
