#include "apps/key_ring.h"

namespace kiseki::apps {

std::filesystem::path key_file_of(const Config& config, const DataDirectory& directory) {
  return config.key_file.empty() ? directory.path() / DataDirectory::key_name : config.key_file;
}

Result<keys::KeyFile> open_keys(const Config& config, const DataDirectory& directory, Rng& rng) {
  const std::filesystem::path path = key_file_of(config, directory);
  auto file = keys::KeyFile::open(path);
  if (!file && file.error().code() == Errc::not_found) {
    if (!directory.marker()) return keys::KeyFile::create(path, rng);
    return fail(
        Errc::key_unavailable,
        fmt::format(
            "key file {} is missing, and nothing in {} can be read without it: restore it, or name it "
            "with --key-file; new keys are never made over existing data",
            path.string(), directory.path().string()));
  }
  if (!file) return file;
  if (directory.marker() && directory.marker()->key != file->fingerprint()) {
    return fail(Errc::key_unavailable,
                fmt::format("key file {} belongs to another data directory: {} was sealed with other keys",
                            path.string(), directory.path().string()));
  }
  return file;
}

}  // namespace kiseki::apps
