// Everything that is parsed from the data file of a device, from bytes an adversary wrote there.

#include "chunk/device/fragment.h"
#include "chunk/device/superblock.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace kiseki;
  using namespace kiseki::chunk::detail;
  static const auto mac = crypto::Key256::copy_of(View(std::array<std::byte, 32>{})).value();
  Buffer block(64_KiB);
  std::memset(block.data(), 0, block.size());
  std::memcpy(block.data(), data, std::min<std::size_t>(size, block.size()));
  const View first = block.view().first(unit);
  static_cast<void>(decode_superblock(first));
  static_cast<void>(decode_journal_block(first, 0, mac));
  if (header_size_at(first)) static_cast<void>(decode_header(block.view(), 0, mac));
  return 0;
}
