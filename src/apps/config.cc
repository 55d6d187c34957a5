#include "apps/config.h"

#include <cstdlib>

#include "apps/config_file.h"
#include "base/encoding.h"

namespace kiseki::apps {

namespace {

template <class T>
Result<> set_number(T& into, std::string_view text, T low, T high) {
  const auto value = parse_decimal<T>(text);
  if (!value || *value < low || *value > high) {
    return fail(Errc::invalid_argument, fmt::format("'{}' is not a number from {} to {}", text, low, high));
  }
  into = *value;
  return {};
}

constexpr std::pair<std::string_view, Bytes> size_units[] = {{"GiB", 1_GiB}, {"MiB", 1_MiB}, {"KiB", 1_KiB}};

std::string show_size(Bytes bytes) {
  for (const auto& [name, unit] : size_units) {
    if (bytes != 0 && bytes % unit == 0) return fmt::format("{}{}", bytes / unit, name);
  }
  return std::to_string(bytes);
}

Result<> set_size(Bytes& into, std::string_view text, Bytes low) {
  std::string_view digits = text;
  Bytes unit = 1;
  for (const auto& [name, bytes] : size_units) {
    if (unit == 1 && digits.ends_with(name)) {
      digits.remove_suffix(name.size());
      unit = bytes;
    }
  }
  Bytes count = 0;
  if (!set_number(count, digits, Bytes{0}, Bytes{1} << 20 << 30) || count > (Bytes{1} << 60) / unit ||
      (count != 0 && count * unit < low)) {
    return fail(
        Errc::invalid_argument,
        fmt::format("'{}' is not a size of at least {}, such as 512MiB or 8GiB", text, show_size(low)));
  }
  into = count * unit;
  return {};
}

template <class E>
using Names = std::initializer_list<std::pair<std::string_view, E>>;
constexpr Names<disk::Mode> disk_modes = {
    {"auto", disk::Mode::automatic}, {"uring", disk::Mode::uring}, {"threads", disk::Mode::threads}};
constexpr Names<AccessLogTo> access_logs = {
    {"off", AccessLogTo::off}, {"file", AccessLogTo::file}, {"stderr", AccessLogTo::standard_error}};
constexpr Names<UnlockedKeys> unlocked_keys = {{"warn", UnlockedKeys::warn},
                                               {"refuse", UnlockedKeys::refuse}};
constexpr Names<s3::PresignedV2Policy> presigned_policies = {{"honoured", s3::PresignedV2Policy::honoured},
                                                             {"refused", s3::PresignedV2Policy::refused}};
constexpr Names<log::Level> log_levels = {{"debug", log::Level::debug},
                                          {"info", log::Level::info},
                                          {"warning", log::Level::warning},
                                          {"error", log::Level::error}};

template <class E>
Result<> set_named(E& into, std::string_view text, const Names<E>& names) {
  std::string known;
  for (const auto& [name, value] : names) {
    if (name == text) {
      into = value;
      return {};
    }
    known += known.empty() ? "" : ", ";
    known += name;
  }
  return fail(Errc::invalid_argument, fmt::format("'{}' is none of {}", text, known));
}

template <class E>
std::string show_named(E value, const Names<E>& names) {
  for (const auto& [name, named] : names) {
    if (named == value) return std::string(name);
  }
  return {};
}

Result<> set_endpoint(std::string& into, const std::string& text) {
  KISEKI_TRY(parse_endpoint(text));
  into = text;
  return {};
}

Result<> set_path(std::filesystem::path& into, const std::string& text) {
  if (text.empty() || text.find('\0') != std::string::npos) {
    return fail(Errc::invalid_argument, "a path is needed");
  }
  into = text;
  return {};
}

Result<> set_region(std::string& into, const std::string& text) {
  const bool fits = !text.empty() && text.size() <= 32 && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
  if (!fits) {
    return fail(Errc::invalid_argument,
                fmt::format("'{}' is not a region: 1 to 32 of lower-case letters, digits and '-'", text));
  }
  into = text;
  return {};
}

Result<> set_domain(std::string& into, const std::string& text) {
  const bool fits = text.size() <= 253 && !text.starts_with('.') && !text.ends_with('.') &&
                    std::ranges::all_of(text, [](char c) {
                      return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
                    });
  if (!fits) {
    return fail(Errc::invalid_argument, fmt::format("'{}' is not a domain name in lower-case letters", text));
  }
  into = text;
  return {};
}

constexpr const char* restart = "a restart";

std::vector<Option> options_of_data() {
  return {
      {"data", "--data", "DIR", "Data directory; made at the first start.",
       "another directory is another node",
       [](Config& c, const std::string& t) { return set_path(c.data, t); },
       [](const Config& c) { return c.data.string(); }},
      {"key_file", "--key-file", "FILE",
       "Keys that open everything; made at the first start, mode 0600. Default: `keys` in the data "
       "directory, where "
       "theft of the disk takes the keys too.",
       "a restart; move the file first, it is never made anew over existing data",
       [](Config& c, const std::string& t) { return set_path(c.key_file, t); },
       [](const Config& c) { return c.key_file.string(); }},
      {"keys.unlocked", "--keys-unlocked", "warn|refuse",
       "When the machine does not let memory of keys be locked (RLIMIT_MEMLOCK): warn and go on, so that "
       "keys may be swapped out, or refuse to start and, later, requests.",
       restart, [](Config& c, const std::string& t) { return set_named(c.unlocked_keys, t, unlocked_keys); },
       [](const Config& c) { return show_named(c.unlocked_keys, unlocked_keys); }},
      {"port_file", "--port-file", "FILE",
       "Written when the node serves: a line `s3 ADDRESS:PORT` and a line `admin ADDRESS:PORT`.", restart,
       [](Config& c, const std::string& t) { return set_path(c.port_file, t); },
       [](const Config& c) { return c.port_file.string(); }},
  };
}

std::vector<Option> options_of_s3() {
  return {
      {"s3.listen", "--s3", "ADDRESS:PORT", "Where S3 is served; port 0 takes a free one.", restart,
       [](Config& c, const std::string& t) { return set_endpoint(c.s3, t); },
       [](const Config& c) { return c.s3; }},
      {"s3.region", "--region", "NAME", "The region that clients sign for.", "a restart; clients must follow",
       [](Config& c, const std::string& t) { return set_region(c.region, t); },
       [](const Config& c) { return c.region; }},
      {"s3.domain", "--domain", "NAME", "Buckets are also reached as BUCKET.NAME; DNS must say so.", restart,
       [](Config& c, const std::string& t) { return set_domain(c.domain, t); },
       [](const Config& c) { return c.domain; }},
      {"s3.presigned_v2", "--presigned-v2", "honoured|refused",
       "URLs that were presigned with Signature Version 2, as boto3 does unless told otherwise.", restart,
       [](Config& c, const std::string& t) { return set_named(c.presigned_v2, t, presigned_policies); },
       [](const Config& c) { return show_named(c.presigned_v2, presigned_policies); }},
      {"s3.connections_max", "--s3-connections-max", "N",
       "Open connections; one more is answered with SlowDown, beyond twice as many not at all.", restart,
       [](Config& c, const std::string& t) { return set_number(c.s3_connections_max, t, 1U, 1'000'000U); },
       [](const Config& c) { return std::to_string(c.s3_connections_max); }},
      {"s3.rate_min", "--s3-rate-min", "SIZE",
       "Bytes a second that a body must move at, either way, over 30 seconds of waiting for the client; a "
       "slower "
       "one ends with RequestTimeout. 0: any that moves within 60 seconds.",
       restart, [](Config& c, const std::string& t) { return set_size(c.s3_rate_min, t, 1); },
       [](const Config& c) { return show_size(c.s3_rate_min); }},
      {"s3.access_log", "--access-log", "off|file|stderr",
       "A line of JSON a request: time, request id, access key, operation, bucket, status, bytes in and out, "
       "times to the first and last byte. SIGHUP opens the file anew.",
       restart, [](Config& c, const std::string& t) { return set_named(c.access_log, t, access_logs); },
       [](const Config& c) { return show_named(c.access_log, access_logs); }},
      {"s3.access_log_file", "--access-log-file", "FILE",
       "Its file; it names buckets in the clear. Default: `access.log` in the data directory.", restart,
       [](Config& c, const std::string& t) { return set_path(c.access_log_file, t); },
       [](const Config& c) { return c.access_log_file.string(); }},
  };
}

std::vector<Option> options_of_the_node() {
  return {
      {"admin.listen", "--admin", "ADDRESS:PORT", "Where /healthz, /readyz and /metrics are served.", restart,
       [](Config& c, const std::string& t) { return set_endpoint(c.admin, t); },
       [](const Config& c) { return c.admin; }},
      {"cores", "--cores", "N", "Threads that serve, one event loop each; 0: one a processor, up to 16.",
       restart, [](Config& c, const std::string& t) { return set_number(c.cores, t, 0U, 256U); },
       [](const Config& c) { return std::to_string(c.cores); }},
      {"disk.io", "--disk-io", "auto|uring|threads",
       "How files are read and written; auto takes io_uring where the kernel grants it.", restart,
       [](Config& c, const std::string& t) { return set_named(c.disk_io, t, disk_modes); },
       [](const Config& c) { return show_named(c.disk_io, disk_modes); }},
      {"device.capacity", "--device-capacity", "SIZE", "Bytes for chunks; 0: 80 % of the file system.",
       "takes effect at the first start",
       [](Config& c, const std::string& t) { return set_size(c.device_capacity, t, 256_MiB); },
       [](const Config& c) { return show_size(c.device_capacity); }},
      {"memory.payload", "--memory-payload", "SIZE",
       "Memory for data on its way, of all cores: an eighth each for small bodies, documents and slow "
       "clients, "
       "the rest for bodies. Beyond it requests wait, then get SlowDown.",
       restart, [](Config& c, const std::string& t) { return set_size(c.payload_memory, t, 32_MiB); },
       [](const Config& c) { return show_size(c.payload_memory); }},
      {"memory.store", "--memory-store", "SIZE", "Memory for caches and write buffers of metadata.", restart,
       [](Config& c, const std::string& t) { return set_size(c.store_memory, t, 16_MiB); },
       [](const Config& c) { return show_size(c.store_memory); }},
      {"gc.interval", "--gc-interval", "SECONDS",
       "Between two rounds that give the space of deleted data back. Space returns after two to three of "
       "them.",
       "a restart; shorter rounds cost writes of long bodies more touches",
       [](Config& c, const std::string& t) { return set_number(c.gc_interval, t, 1U, 86'400U); },
       [](const Config& c) { return std::to_string(c.gc_interval); }},
      {"log.level", "--log-level", "debug|info|warning|error", "What is logged on standard error.", restart,
       [](Config& c, const std::string& t) { return set_named(c.log_level, t, log_levels); },
       [](const Config& c) { return show_named(c.log_level, log_levels); }},
  };
}

std::vector<Option> make_options() {
  std::vector<Option> all = options_of_data();
  for (const auto& more : {options_of_s3(), options_of_the_node()})
    all.insert(all.end(), more.begin(), more.end());
  return all;
}

Result<> apply(Config& config, const Option& option, const std::string& text, const std::string& where) {
  auto done = option.set(config, text);
  if (!done) return fail(std::move(done).error().in(where));
  return {};
}

Result<> apply_file(Config& config, const std::filesystem::path& file) {
  auto values = read_config_file(file);
  if (!values) return fail(std::move(values).error());
  for (const auto& [key, text] : *values) {
    const auto option = std::ranges::find(options(), key, &Option::key);
    if (option == options().end()) {
      return fail(Errc::invalid_argument, fmt::format("{}: unknown key '{}'", file.string(), key));
    }
    KISEKI_TRY(apply(config, *option, text, fmt::format("{}: {}", file.string(), key)));
  }
  return {};
}

Result<> validate(const Config& config) {
  const auto s3 = parse_endpoint(config.s3), admin = parse_endpoint(config.admin);
  if (s3->port != 0 && s3->port == admin->port && s3->address == admin->address) {
    return fail(Errc::invalid_argument, fmt::format("s3.listen and admin.listen are both {}", config.s3));
  }
  return {};
}

/// A pipe inside a cell of a table is written with a backslash.
std::string cell(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '|') escaped += '\\';
    escaped += c;
  }
  return escaped;
}

}  // namespace

std::string Option::environment() const {
  std::string name = "KISEKI_";
  for (const char* at = key; *at != '\0'; ++at) {
    name += *at == '.' ? '_' : static_cast<char>(*at >= 'a' && *at <= 'z' ? *at - 'a' + 'A' : *at);
  }
  return name;
}

const std::vector<Option>& options() {
  static const std::vector<Option> all = make_options();
  return all;
}

Result<Config> load_config(const std::optional<std::filesystem::path>& file, const Values& flags) {
  Config config;
  if (file) KISEKI_TRY(apply_file(config, *file));
  for (const Option& option : options()) {
    const std::string name = option.environment();
    if (const char* text = std::getenv(name.c_str())) KISEKI_TRY(apply(config, option, text, name));
  }
  for (std::size_t i = 0; i < flags.size(); ++i) {
    if (flags[i]) KISEKI_TRY(apply(config, options()[i], *flags[i], options()[i].flag));
  }
  KISEKI_TRY(validate(config));
  return config;
}

std::string config_reference() {
  std::string page =
      "# Configuration\n\n"
      "Written by `kiseki-server config-reference`. An option can be set in a TOML file (`--config FILE`), "
      "in the\n"
      "environment and by a flag; the later of these wins. Unknown keys are errors. Sizes take KiB, MiB and "
      "GiB.\n\n"
      "| key | environment | flag | default | what | cost of a change |\n| --- | --- | --- | --- | --- | --- "
      "|\n";
  const Config defaults;
  for (const Option& option : options()) {
    const std::string value = option.get(defaults);
    page += fmt::format("| `{}` | `{}` | `{} {}` | {} | {} | {} |\n", option.key, option.environment(),
                        option.flag, cell(option.value), value.empty() ? "none" : "`" + value + "`",
                        option.help, option.change);
  }
  page +=
      "\nThe environment also takes `KISEKI_ROOT_ACCESS_KEY` and `KISEKI_ROOT_SECRET_KEY`, together: the "
      "root "
      "credential.\nWithout them the first start makes one and writes it to `root-credential` in the data "
      "directory.\n";
  return page;
}

}  // namespace kiseki::apps
