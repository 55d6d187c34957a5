#include "sim/simulated_disk.h"

#include "base/assert.h"

namespace kiseki::sim {

namespace fs = std::filesystem;

class SimulatedDisk::OpenFile final : public disk::File {
 public:
  OpenFile(SimulatedDisk& owner, InodePtr inode, Bytes alignment)
      : disk_(owner), inode_(std::move(inode)), life_(owner.life_), alignment_(alignment) {}

  Task<Result<>> read(Bytes offset, MutableView into) override;
  Task<Result<>> write(Bytes offset, View from) override;
  Task<Result<>> sync() override;
  Task<Result<>> allocate(Bytes offset, Bytes length) override {
    return change({.size = offset + length}, growth(offset + length));
  }
  Task<Result<>> resize(Bytes size) override { return change({.size = size, .cuts = true}, growth(size)); }
  Bytes size() const override { return inode_->current().size(); }
  Bytes alignment() const override { return alignment_; }

 private:
  Bytes growth(Bytes size) const { return std::max(size, this->size()) - this->size(); }
  Task<Result<>> change(detail::Inode::Change change, Bytes growth);
  bool is_aligned(Bytes offset, View memory) const;

  SimulatedDisk& disk_;
  InodePtr inode_;
  std::uint64_t life_;
  Bytes alignment_;
};

bool SimulatedDisk::OpenFile::is_aligned(Bytes offset, View memory) const {
  const auto address = reinterpret_cast<std::uintptr_t>(memory.data());
  return ((offset | memory.size() | address) & (alignment_ - 1)) == 0;
}

Task<Result<>> SimulatedDisk::OpenFile::read(Bytes offset, MutableView into) {
  KISEKI_ASSERT(is_aligned(offset, into));
  ++disk_.counters_.reads;
  KISEKI_CO_TRY(co_await disk_.pass(life_, disk_.faults_.read_errors));
  if (offset + into.size() > size()) co_return fail(Errc::out_of_range, "read: end of file");
  inode_->current().read(offset, into);
  if (!into.empty() && disk_.happens(disk_.faults_.read_flips)) {
    into[disk_.rng_.below(into.size())] ^= std::byte{1} << disk_.rng_.below(8);
  }
  co_return Result<>{};
}

Task<Result<>> SimulatedDisk::OpenFile::write(Bytes offset, View from) {
  KISEKI_ASSERT(is_aligned(offset, from));
  ++disk_.counters_.writes;
  if (from.empty()) co_return Result<>{};
  co_return co_await change({.offset = offset, .data = std::string(as_text(from))},
                            growth(offset + from.size()));
}

Task<Result<>> SimulatedDisk::OpenFile::change(detail::Inode::Change change, Bytes growth) {
  if (life_ != disk_.life_) co_return fail(Errc::io_error, "the machine died");
  if (!disk_.has_room(growth)) {
    KISEKI_CO_TRY(co_await disk_.pass(life_, 0));
    co_return fail(Errc::no_space, "disk full");
  }
  const auto ticket = inode_->begin(std::move(change));
  auto passed = co_await disk_.pass(life_, disk_.faults_.write_errors);
  if (life_ != disk_.life_) co_return passed;
  if (passed) {
    inode_->complete(ticket);
  } else {
    inode_->abandon(ticket, disk_.rng_);
  }
  co_return passed;
}

Task<Result<>> SimulatedDisk::OpenFile::sync() {
  ++disk_.counters_.syncs;
  const auto begun = inode_->begin_sync();
  auto passed = co_await disk_.pass(life_, disk_.faults_.sync_errors);
  if (life_ != disk_.life_) co_return passed;
  if (passed) {
    inode_->finish_sync(begun);
  } else {
    inode_->fail_sync(begun, disk_.rng_);
  }
  co_return passed;
}

SimulatedDisk::SimulatedDisk(Clock& clock, std::uint64_t seed, Options options)
    : clock_(clock), rng_(seed), options_(options), directories_{"/", "."} {}

Task<Result<>> SimulatedDisk::pass(std::uint64_t life, std::uint32_t chance) {
  if (life != life_) co_return fail(Errc::io_error, "the machine died");
  const auto spread = static_cast<std::uint64_t>((options_.latency_max - options_.latency_min).count());
  Duration latency = options_.latency_min + Duration(rng_.below(spread + 1));
  if (happens(faults_.slow)) latency = faults_.slow_latency;
  co_await clock_.sleep(latency);
  if (life != life_) co_return fail(Errc::io_error, "the machine died");
  if (happens(chance)) co_return fail(Errc::io_error, "injected");
  co_return Result<>{};
}

Result<SimulatedDisk::InodePtr> SimulatedDisk::find_or_create(const fs::path& path,
                                                              disk::Existence existence) {
  if (path.empty()) return fail(Errc::invalid_argument, "empty path");
  if (directories_.contains(path)) return fail(Errc::is_directory, "open");
  if (const auto found = names_.find(path); found != names_.end()) {
    if (existence == disk::Existence::must_not_exist) return fail(Errc::exists, "open");
    return found->second;
  }
  const fs::path parent = path.has_parent_path() ? path.parent_path() : ".";
  if (existence == disk::Existence::must_exist || !directories_.contains(parent)) {
    return fail(Errc::not_found, fmt::format("open {}", path.native()));
  }
  auto inode = std::make_shared<detail::Inode>();
  change_name({.from = {}, .to = path, .inode = inode});
  return inode;
}

Task<Result<std::unique_ptr<disk::File>>> SimulatedDisk::open(fs::path path, disk::OpenOptions options) {
  KISEKI_CO_TRY(co_await pass(life_, 0));
  auto inode = find_or_create(path, options.existence);
  if (!inode) co_return fail(std::move(inode).error());
  const Bytes alignment = options.caching == disk::Caching::direct ? options_.direct_alignment : 1;
  co_return std::make_unique<OpenFile>(*this, std::move(*inode), alignment);
}

Task<Result<>> SimulatedDisk::make_directory(fs::path path) {
  KISEKI_CO_TRY(co_await pass(life_, 0));
  for (auto at = path; !at.empty() && !directories_.contains(at); at = at.parent_path()) {
    if (names_.contains(at)) co_return fail(Errc::not_directory, "mkdir");
    directories_.insert(at);
  }
  co_return Result<>{};
}

Task<Result<std::vector<std::string>>> SimulatedDisk::list(fs::path directory) {
  KISEKI_CO_TRY(co_await pass(life_, 0));
  if (!directories_.contains(directory)) co_return fail(Errc::not_found, "list");
  std::vector<std::string> found;
  for (const auto& [path, inode] : names_) {
    if (path.parent_path() == directory) found.push_back(path.filename());
  }
  for (const auto& path : directories_) {
    if (path != directory && path.parent_path() == directory) found.push_back(path.filename());
  }
  std::ranges::sort(found);
  co_return found;
}

void SimulatedDisk::apply(Names& names, const NameChange& change) {
  std::erase_if(names, [&change](const auto& name) { return name.second == change.inode; });
  if (!change.to.empty()) names[change.to] = change.inode;
}

void SimulatedDisk::change_name(NameChange change) {
  apply(names_, change);
  change.number = ++last_name_change_;
  name_changes_.push_back(std::move(change));
}

Task<Result<>> SimulatedDisk::rename(fs::path from, fs::path to) {
  KISEKI_CO_TRY(co_await pass(life_, 0));
  if (directories_.contains(from)) co_return fail(Errc::not_supported, "rename of a directory");
  const auto found = names_.find(from);
  if (found == names_.end() || !directories_.contains(to.parent_path()))
    co_return fail(Errc::not_found, "rename");
  if (from == to) co_return Result<>{};
  change_name({.from = from, .to = to, .inode = found->second});
  co_return Result<>{};
}

Task<Result<>> SimulatedDisk::remove(fs::path path) {
  KISEKI_CO_TRY(co_await pass(life_, 0));
  if (const auto found = names_.find(path); found != names_.end()) {
    change_name({.from = path, .to = {}, .inode = found->second});
    co_return Result<>{};
  }
  if (!directories_.contains(path)) co_return fail(Errc::not_found, "remove");
  const auto below = [&path](const fs::path& other) { return other != path && other.parent_path() == path; };
  if (std::ranges::any_of(names_, [&](const auto& name) { return below(name.first); }) ||
      std::ranges::any_of(directories_, below)) {
    co_return fail(Errc::not_empty, "remove");
  }
  directories_.erase(path);
  co_return Result<>{};
}

Task<Result<>> SimulatedDisk::sync_directory(fs::path directory) {
  const std::uint64_t covered = last_name_change_;
  KISEKI_CO_TRY(co_await pass(life_, faults_.sync_errors));
  if (!directories_.contains(directory)) co_return fail(Errc::not_found, "sync");
  std::vector<NameChange> rest;
  for (NameChange& change : name_changes_) {
    const bool here = change.from.parent_path() == directory || change.to.parent_path() == directory;
    if (here && change.number <= covered) {
      apply(durable_names_, change);
    } else {
      rest.push_back(std::move(change));
    }
  }
  name_changes_ = std::move(rest);
  co_return Result<>{};
}

Task<Result<disk::SpaceReport>> SimulatedDisk::space(fs::path) {
  KISEKI_CO_TRY(co_await pass(life_, 0));
  const Bytes taken = std::min(used(), options_.capacity);
  co_return disk::SpaceReport{options_.capacity, options_.capacity - taken};
}

void SimulatedDisk::crash() {
  ++life_;
  // A journal keeps a prefix; without one any subset may have got through.
  const bool journal = rng_.below(2) == 0;
  const std::uint64_t prefix = rng_.below(name_changes_.size() + 1);
  for (std::size_t i = 0; i < name_changes_.size(); ++i) {
    if (journal ? i < prefix : rng_.below(2) == 0) apply(durable_names_, name_changes_[i]);
  }
  name_changes_.clear();
  names_ = durable_names_;
  for (const auto& [path, inode] : names_) inode->lose_power(rng_);
}

void SimulatedDisk::kill() {
  ++life_;
  for (const auto& [path, inode] : names_) inode->lose_process(rng_);
}

Bytes SimulatedDisk::used() const {
  Bytes sum = 0;
  for (const auto& [path, inode] : names_) sum += inode->current().size();
  return sum;
}

void SimulatedDisk::flip_bit(const fs::path& path, Bytes offset, unsigned bit) {
  names_.at(path)->flip_bit(offset, bit);
}

std::vector<fs::path> SimulatedDisk::files() const {
  std::vector<fs::path> found;
  for (const auto& [path, inode] : names_) found.push_back(path);
  return found;
}

std::vector<fs::path> SimulatedDisk::files_with(std::string_view needle) const {
  std::vector<fs::path> found;
  for (const auto& [path, inode] : names_) {
    if (inode->current().contains(needle)) found.push_back(path);
  }
  return found;
}

}  // namespace kiseki::sim
