#include "gc/collection_row.h"

#include "base/codec.h"

namespace kiseki::gc::detail {

namespace {
constexpr std::uint8_t format = 1;
}

shard::Record CollectionRow::record() const {
  std::string value;
  Encoder(value).integer(format).id(epoch).id(asked);
  shard::Record record;
  record.value = crypto::Sealed::from_store(std::move(value));
  return record;
}

Result<CollectionRow> CollectionRow::decode(const shard::Record& record) {
  Decoder in(record.value.view());
  if (in.integer<std::uint8_t>() != format) return fail(Errc::wrong_format, "collection row");
  CollectionRow row;
  row.epoch = in.id<GcEpoch>();
  row.asked = in.id<GcEpoch>();
  if (row.epoch.is_none() || row.asked >= row.epoch) in.reject();
  KISEKI_TRY(in.finish("collection row"));
  row.version = record.version;
  return row;
}

shard::Key collection_key() { return shard::system_key(shard::Kind::collection, {}); }

}  // namespace kiseki::gc::detail
