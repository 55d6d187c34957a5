#pragma once

#include <memory>

#include "disk/detail/engine.h"
#include "disk/detail/posix.h"
#include "disk/disk.h"

namespace kiseki::disk::detail {

/// Files through an engine, names through its threads.
class PosixDisk final : public Disk {
 public:
  explicit PosixDisk(std::shared_ptr<Engine> engine) : engine_(std::move(engine)) {}

  Task<Result<std::unique_ptr<File>>> open(std::filesystem::path path, OpenOptions options) override;
  Task<Result<>> make_directory(std::filesystem::path path) override;
  Task<Result<std::vector<std::string>>> list(std::filesystem::path directory) override;
  Task<Result<>> rename(std::filesystem::path from, std::filesystem::path to) override;
  Task<Result<>> remove(std::filesystem::path path) override;
  Task<Result<>> sync_directory(std::filesystem::path directory) override;
  Task<Result<SpaceReport>> space(std::filesystem::path path) override;

 private:
  std::shared_ptr<Engine> engine_;  // shared with the open files: they and the disk die in any order
};

}  // namespace kiseki::disk::detail
