#include "apps/data_directory.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <sstream>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"

namespace kiseki::apps {

namespace {

constexpr std::string_view title = "kiseki data directory\n";

std::unexpected<Error> system_failure(const std::filesystem::path& path, std::string_view what) {
  const Errc code = errno == EACCES || errno == EPERM || errno == EROFS ? Errc::denied : Errc::io_error;
  return fail(code, fmt::format("data directory {}: {}: {}", path.string(), what, std::strerror(errno)));
}

/// Takes `prefix` and a line's end off `text`; what stands between them.
std::optional<std::string_view> take_line(std::string_view& text, std::string_view prefix) {
  const std::size_t end = text.find('\n');
  if (end == std::string_view::npos || !text.starts_with(prefix)) return std::nullopt;
  const std::string_view value = text.substr(prefix.size(), end - prefix.size());
  text.remove_prefix(end + 1);
  return value;
}

std::optional<std::array<std::byte, 16>> parse_hex(std::optional<std::string_view> text) {
  std::array<std::byte, 16> bytes{};
  if (!text || text->size() != 2 * bytes.size()) return std::nullopt;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    constexpr std::string_view digits = "0123456789abcdef";
    const std::size_t high = digits.find((*text)[2 * i]), low = digits.find((*text)[2 * i + 1]);
    if (high == std::string_view::npos || low == std::string_view::npos) return std::nullopt;
    bytes[i] = static_cast<std::byte>(high << 4 | low);
  }
  return bytes;
}

/// What a first start that was cut short, or a fresh file system, leaves.
bool may_be_there_first(const std::string& name) {
  return name == "lost+found" || name.starts_with(DataDirectory::key_name) ||
         name.starts_with(DataDirectory::marker_name);
}

}  // namespace

std::string Marker::format() const {
  return fmt::format("{}version {}\ncluster {}\nkey {}\n", title, version, to_hex(cluster), to_hex(key));
}

Result<Marker> Marker::parse(std::string_view text) {
  if (!text.starts_with(title)) return fail(Errc::wrong_format, "it is not the marker of a data directory");
  text.remove_prefix(title.size());
  const auto number = take_line(text, "version ");
  if (number != std::to_string(version)) {
    return fail(Errc::wrong_format, fmt::format("its version is '{}', this build reads version {}",
                                                number.value_or("missing"), version));
  }
  const auto cluster = parse_hex(take_line(text, "cluster ")), key = parse_hex(take_line(text, "key "));
  if (!cluster || !key || !text.empty()) return fail(Errc::wrong_format, "it is damaged");
  return Marker{*cluster, *key};
}

Result<DataDirectory> DataDirectory::open(const std::filesystem::path& name) {
  std::error_code error;
  const std::filesystem::path path = std::filesystem::absolute(name, error).lexically_normal();
  const bool made = ::mkdir(path.c_str(), S_IRWXU) == 0;
  if (!made && errno != EEXIST) return system_failure(path, "cannot be made");
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return system_failure(path, "cannot be opened");
  DataDirectory directory(path, descriptor, made);
  KISEKI_TRY(directory.hold());
  KISEKI_TRY(directory.read_marker());
  return directory;
}

Result<> DataDirectory::hold() const {
  if (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return system_failure(path_, "cannot be locked");
    return fail(Errc::busy,
                fmt::format("data directory {}: another kiseki-server is using it", path_.string()));
  }
  if (::faccessat(descriptor_, ".", R_OK | W_OK | X_OK, AT_EACCESS) != 0) {
    return system_failure(path_, "cannot be written");
  }
  return {};
}

Result<> DataDirectory::read_marker() {
  const std::filesystem::path file = path_ / marker_name;
  std::error_code error;
  if (std::filesystem::exists(file, error)) {
    std::ifstream stream(file);
    std::ostringstream text;
    text << stream.rdbuf();
    if (!stream) return fail(Errc::io_error, fmt::format("{}: cannot be read", file.string()));
    auto marker = Marker::parse(text.str());
    if (!marker) return fail(std::move(marker).error().in(file.string()));
    marker_ = *marker;
    return {};
  }
  for (const auto& entry : std::filesystem::directory_iterator(path_, error)) {
    const std::string found = entry.path().filename().string();
    if (!may_be_there_first(found)) {
      return fail(
          Errc::wrong_format,
          fmt::format("{} is not a data directory: it holds '{}' and no {}; name an empty or a new one",
                      path_.string(), found, marker_name));
    }
  }
  if (error) return fail(Errc::io_error, fmt::format("{}: {}", path_.string(), error.message()));
  return {};
}

DataDirectory::DataDirectory(DataDirectory&& other) noexcept
    : path_(std::move(other.path_)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      made_(other.made_),
      marker_(other.marker_) {}

DataDirectory::~DataDirectory() {
  if (descriptor_ < 0) return;
  if (made_) ::rmdir(path_.c_str());
  ::close(descriptor_);
}

}  // namespace kiseki::apps
