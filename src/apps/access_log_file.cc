#include "apps/access_log_file.h"

#include <cerrno>
#include <fcntl.h>
#include <system_error>
#include <unistd.h>

#include "base/logging.h"
#include "base/metrics.h"

namespace kiseki::apps {

namespace {

/// Lines of so long a time go in one write.
constexpr std::chrono::milliseconds gather = std::chrono::milliseconds(100);

metrics::Counter lines_dropped("kiseki_s3_access_log_dropped_total",
                               "Lines of the access log that its file did not take in time.");

std::string words_of(int error) { return std::generic_category().message(error); }

Result<int> open_file(const std::filesystem::path& path) {
  if (path.empty()) return STDERR_FILENO;
  const int file = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
  if (file < 0) return fail(Errc::io_error, fmt::format("{}: {}", path.string(), words_of(errno)));
  return file;
}

}  // namespace

Result<std::unique_ptr<AccessLogFile>> AccessLogFile::open(std::filesystem::path path) {
  const auto file = open_file(path);
  if (!file) return fail(file.error());
  return std::unique_ptr<AccessLogFile>(new AccessLogFile(std::move(path), *file));
}

AccessLogFile::AccessLogFile(std::filesystem::path path, int file)
    : path_(std::move(path)), file_(file), thread_([this] { run(); }) {}

AccessLogFile::~AccessLogFile() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_one();
  thread_.join();
  if (!path_.empty()) ::close(file_);
}

void AccessLogFile::append(std::string line) {
  bool first = false;
  {
    const std::lock_guard lock(mutex_);
    if (backlog_.size() + line.size() > backlog_max) {
      lines_dropped.add();
      return;
    }
    first = backlog_.empty();
    backlog_ += line;
  }
  if (first) changed_.notify_one();
}

void AccessLogFile::reopen() {
  {
    const std::lock_guard lock(mutex_);
    reopen_ = true;
  }
  changed_.notify_one();
}

void AccessLogFile::run() {
  std::unique_lock lock(mutex_);
  for (bool last = false; !last;) {
    changed_.wait(lock, [this] { return stop_ || reopen_ || !backlog_.empty(); });
    changed_.wait_for(lock, gather, [this] { return stop_ || reopen_; });
    last = stop_;
    const bool anew = std::exchange(reopen_, false);
    const std::string lines = std::exchange(backlog_, {});
    lock.unlock();
    write(lines);
    if (anew) open_anew();
    lock.lock();
  }
}

void AccessLogFile::write(std::string_view lines) const {
  while (!lines.empty()) {
    const ssize_t count = ::write(file_, lines.data(), lines.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) {
      lines_dropped.add(static_cast<std::uint64_t>(std::ranges::count(lines, '\n')));
      return;
    }
    lines.remove_prefix(static_cast<std::size_t>(count));
  }
}

void AccessLogFile::open_anew() {
  if (path_.empty()) return;
  const auto file = open_file(path_);
  if (!file) {
    log::error("s3", "the access log goes on in the old file: {}", file.error().words());
    return;
  }
  ::close(file_);
  file_ = *file;
}

}  // namespace kiseki::apps
