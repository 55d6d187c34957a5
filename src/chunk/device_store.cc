#include "chunk/chunk_store.h"
#include "chunk/detail/start.h"

namespace kiseki::chunk {

Task<Result<std::unique_ptr<DeviceStore>>> DeviceStore::open(Options options, SecretWrap wrap,
                                                             Services services) {
  detail::Start start(std::move(options), std::move(wrap), services);
  co_return co_await start.run();
}

std::vector<std::string> DeviceStore::index_families() { return detail::Index::families(); }

}  // namespace kiseki::chunk
