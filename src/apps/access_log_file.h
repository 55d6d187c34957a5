#pragma once

#include <condition_variable>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "base/result.h"
#include "base/units.h"
#include "s3/access_log.h"

namespace kiseki::apps {

/// Appends the lines of the access log to a file, or to standard error, on a thread of its own: a slow disk
/// costs lines, never a request its time.
class AccessLogFile final : public s3::AccessLog {
 public:
  /// An empty path: standard error.
  static Result<std::unique_ptr<AccessLogFile>> open(std::filesystem::path path);
  /// Writes what is left.
  ~AccessLogFile() override;

  /// Lines beyond `backlog_max` are dropped and counted.
  void append(std::string line) override;
  /// From now on to a file newly opened under the path: whoever rotates has moved the one before away.
  void reopen();

  static constexpr Bytes backlog_max = 8_MiB;

 private:
  AccessLogFile(std::filesystem::path path, int file);
  void run();
  void write(std::string_view lines) const;
  void open_anew();

  const std::filesystem::path path_;
  int file_;  // of the thread, once it runs
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string backlog_;
  bool reopen_ = false, stop_ = false;
  std::thread thread_;
};

}  // namespace kiseki::apps
