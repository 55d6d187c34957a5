#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/rng.h"
#include "disk/disk.h"
#include "sim/detail/inode.h"

namespace kiseki::sim {

/// A disk in memory that keeps the promises of `disk::Disk` and not more, by seed. A power cut loses, keeps
/// or tears what was not synced, per 512-byte sector; names need `sync_directory`. It outlives its files.
class SimulatedDisk final : public disk::Disk {
 public:
  struct Options {
    Bytes capacity = 1024_GiB;
    Duration latency_min = std::chrono::microseconds(20);
    Duration latency_max = std::chrono::microseconds(200);
    Bytes direct_alignment = 4_KiB;
  };
  /// Chances in a million calls.
  struct Faults {
    std::uint32_t read_errors = 0;
    std::uint32_t write_errors = 0;  ///< Writes, allocations, resizes.
    std::uint32_t sync_errors = 0;   ///< What such a sync covered may be lost for good, as with Linux.
    std::uint32_t read_flips = 0;    ///< A read that returns one wrong bit and no error.
    std::uint32_t slow = 0;
    Duration slow_latency = std::chrono::seconds(2);
  };
  struct Counters {
    std::uint64_t reads = 0, writes = 0, syncs = 0;
  };

  SimulatedDisk(Clock& clock, std::uint64_t seed, Options options);
  SimulatedDisk(Clock& clock, std::uint64_t seed) : SimulatedDisk(clock, seed, Options{}) {}

  Task<Result<std::unique_ptr<disk::File>>> open(std::filesystem::path path,
                                                 disk::OpenOptions options) override;
  Task<Result<>> make_directory(std::filesystem::path path) override;
  Task<Result<std::vector<std::string>>> list(std::filesystem::path directory) override;
  Task<Result<>> rename(std::filesystem::path from, std::filesystem::path to) override;
  Task<Result<>> remove(std::filesystem::path path) override;
  Task<Result<>> sync_directory(std::filesystem::path directory) override;
  Task<Result<disk::SpaceReport>> space(std::filesystem::path path) override;

  /// Power cut. Open files answer `io_error` from now on, calls under way too; a new open sees what survived.
  void crash();
  /// kill -9: as a power cut, but what was completed stays.
  void kill();

  Faults& faults() noexcept { return faults_; }
  const Counters& counters() const noexcept { return counters_; }
  /// May be below what is used: then nothing grows.
  void set_capacity(Bytes capacity) noexcept { options_.capacity = capacity; }
  Bytes used() const;
  /// Turns one stored bit, as wear does.
  void flip_bit(const std::filesystem::path& path, Bytes offset, unsigned bit);
  std::vector<std::filesystem::path> files() const;
  /// The files in which these bytes stand, as a reader of the whole disk would find them.
  std::vector<std::filesystem::path> files_with(std::string_view needle) const;

 private:
  class OpenFile;
  using InodePtr = std::shared_ptr<detail::Inode>;  // shared by names, open files and unsynced name changes
  using Names = std::map<std::filesystem::path, InodePtr>;
  /// A creation (only `to`), a removal (only `from`) or a rename.
  struct NameChange {
    std::filesystem::path from, to;
    InodePtr inode;
    std::uint64_t number = 0;
  };

  /// Time passes; `io_error` when the machine died meanwhile or by `chance`.
  Task<Result<>> pass(std::uint64_t life, std::uint32_t chance);
  bool happens(std::uint32_t chance) { return chance > 0 && rng_.below(1'000'000) < chance; }
  bool has_room(Bytes growth) const { return growth == 0 || used() + growth <= options_.capacity; }
  static void apply(Names& names, const NameChange& change);
  void change_name(NameChange change);
  Result<InodePtr> find_or_create(const std::filesystem::path& path, disk::Existence existence);

  Clock& clock_;
  SeededRng rng_;
  Options options_;
  Faults faults_;
  Counters counters_;
  std::uint64_t life_ = 0;  // number of crashes so far
  std::set<std::filesystem::path> directories_;
  Names names_;
  Names durable_names_;
  std::vector<NameChange> name_changes_;  // not durable yet, oldest first
  std::uint64_t last_name_change_ = 0;
};

}  // namespace kiseki::sim
