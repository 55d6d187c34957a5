#include "chunk/single_device_store.h"

namespace kiseki::chunk {

namespace {

constexpr Profile single{};

Result<> check(PoolId pool, ChunkFormat format) {
  if (pool != default_pool) return fail(Errc::not_found, "no such pool");
  if (format.data != single.data || format.parity != single.parity) {
    return fail(Errc::not_supported, "not implemented: a chunk on more than one device");
  }
  return {};
}

}  // namespace

Result<Profile> SingleDeviceStore::profile(PoolId pool) const {
  if (pool != default_pool) return fail(Errc::not_found, "no such pool");
  return single;
}

Task<Result<PutReply>> SingleDeviceStore::put(SealedChunkPtr chunk) {
  KISEKI_CO_TRY(check(chunk->name.pool, chunk->format));
  co_return co_await device_.put(copy_of(std::move(chunk), 0));
}

Task<Result<GcEpoch>> SingleDeviceStore::touch(NamespaceId ns, ChunkReference reference) {
  KISEKI_CO_TRY(check(reference.pool, reference.format));
  co_return co_await device_.touch({name_of(ns, reference), 0}, reference, {});
}

Task<Result<Blocks>> SingleDeviceStore::read(NamespaceId ns, ChunkReference reference, BlockRange blocks) {
  KISEKI_CO_TRY(check(reference.pool, reference.format));
  co_return co_await device_.read({name_of(ns, reference), 0}, reference, blocks);
}

}  // namespace kiseki::chunk
