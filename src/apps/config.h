#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/endpoint.h"
#include "base/logging.h"
#include "base/result.h"
#include "base/units.h"
#include "crypto/secret.h"
#include "disk/disk.h"
#include "s3/service_options.h"

namespace kiseki::apps {

enum class AccessLogTo : std::uint8_t { off, file, standard_error };
/// What happens when the machine does not let key memory be locked.
enum class UnlockedKeys : std::uint8_t { warn, refuse };

/// Everything a node is told, valid as a whole (docs/configuration.md).
struct Config {
  std::filesystem::path data = "kiseki-data";
  std::filesystem::path key_file;  ///< Empty: `keys` in the data directory.
  UnlockedKeys unlocked_keys = UnlockedKeys::warn;
  std::filesystem::path port_file;
  std::string s3 = "127.0.0.1:9000";
  std::string region = "us-east-1";
  std::string domain;  ///< Empty: buckets are reached by path alone.
  s3::PresignedV2Policy presigned_v2 = s3::PresignedV2Policy::honoured;
  std::uint32_t s3_connections_max = 4096;
  Bytes s3_rate_min = 1_KiB;  ///< A second, of a body; 0: any.
  AccessLogTo access_log = AccessLogTo::off;
  std::filesystem::path access_log_file;  ///< Empty: `access.log` in the data directory.
  std::string admin = "127.0.0.1:9001";
  std::uint32_t cores = 0;  ///< 0: one for each of the machine, up to 16.
  disk::Mode disk_io = disk::Mode::automatic;
  Bytes device_capacity = 0;  ///< 0: 80 % of the file system.
  Bytes payload_memory = 96_MiB;
  Bytes store_memory = 96_MiB;
  std::uint32_t gc_interval = 60;  ///< Seconds between garbage rounds.
  log::Level log_level = log::Level::info;
};

/// One thing that can be set: by TOML key, environment and flag alike.
struct Option {
  const char* key;    ///< In the file: `s3.listen`; in the environment: `KISEKI_S3_LISTEN`.
  const char* flag;   ///< On the command line: `--s3`.
  const char* value;  ///< What stands for the value in help.
  const char* help;
  const char* change;  ///< What changing it costs.
  Result<> (*set)(Config&, const std::string& text);
  std::string (*get)(const Config&);

  std::string environment() const;
};

const std::vector<Option>& options();

/// Values by option, in the order of `options()`.
using Values = std::vector<std::optional<std::string>>;

/// Defaults, then the file if there is one, then the environment, then the flags. Unknown keys and values
/// that do not parse are errors that name where they stand; so is a whole that does not fit together.
Result<Config> load_config(const std::optional<std::filesystem::path>& file, const Values& flags);

/// docs/configuration.md, whole.
std::string config_reference();

}  // namespace kiseki::apps
