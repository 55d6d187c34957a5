#include "chunk/local_device.h"

#include "chunk/device/index.h"
#include "chunk/device/start.h"

namespace kiseki::chunk {

Task<Result<std::unique_ptr<Device>>> open_local_device(LocalDeviceOptions options, SecretWrap wrap,
                                                        Machinery machinery) {
  detail::Start start(std::move(options), std::move(wrap), machinery);
  co_return co_await start.run();
}

std::vector<std::string> device_index_families() { return detail::Index::families(); }

}  // namespace kiseki::chunk
