#include "shard/node/first_boot.h"

#include <algorithm>

#include "shard/machine/machine.h"
#include "shard/node/local_replica.h"
#include "shard/rows/families.h"
#include "shard/rows/replica_row.h"

namespace kiseki::shard::detail {

namespace {

Result<NodeRow> check(View bytes, const Node::Options& options) {
  const auto row = NodeRow::decode(bytes);
  if (!row) return fail(row.error());
  if (row->cluster != options.cluster) {
    return fail(Errc::wrong_format, "the metadata store belongs to another cluster");
  }
  if (row->node != options.id) return fail(Errc::wrong_format, "the metadata store belongs to another node");
  return row;
}

}  // namespace

Task<Result<NodeRow>> establish(const Node::Options& options, kv::KvStore& store, LogState log,
                                BlockingPool& pool) {
  const auto bytes = store.get(family_state, as_view(NodeRow::key()));
  if (!bytes) co_return fail(bytes.error());
  if (*bytes) co_return check(as_view(**bytes), options);
  if (log == LogState::has_groups) {
    co_return fail(Errc::corrupted, "the log has entries of shards, the metadata store is empty");
  }
  const NodeRow row{.cluster = options.cluster, .node = options.id, .data_shards = options.data_shards};
  kv::Batch batch;
  batch.put(family_state, NodeRow::key(), row.encode());
  const bool is_founder = std::ranges::find(options.founders, options.id) != options.founders.end();
  const auto ranges = is_founder ? ranges_of(row.data_shards) : std::vector<SlotRange>{};
  for (std::uint32_t i = 0; i < ranges.size(); ++i) {
    Machine::create(batch, ShardId(i), ranges[i], first_base(options.founders));
    batch.put(family_state, ReplicaRow::key(ShardId(i)),
              ReplicaRow{.id = raft::replica_of(options.id, 0)}.encode());
  }
  KISEKI_CO_TRY(store.write(batch));
  KISEKI_CO_TRY(co_await pool.run([&store] { return store.flush(); }));
  co_return row;
}

}  // namespace kiseki::shard::detail
