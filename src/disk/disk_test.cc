#include "disk/disk.h"

#include <csignal>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/rng.h"
#include "base/scope.h"
#include "disk/detail/posix.h"
#include "disk/detail/transfer.h"

namespace kiseki::disk {
namespace {

namespace fs = std::filesystem;

Buffer pattern(Bytes size, std::uint64_t seed) {
  Buffer buffer(size);
  SeededRng(seed).fill(buffer.span());
  return buffer;
}

class DiskTest : public testing::TestWithParam<Mode> {
 protected:
  void SetUp() override {
    std::string name = "/var/tmp/kiseki-disk-test-XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    root_ = name;
    auto made = make_disk(GetParam(), core_);
    if (!made && GetParam() == Mode::uring) GTEST_SKIP() << made.error().words();
    ASSERT_TRUE(made);
    disk_ = std::move(*made);
  }
  void TearDown() override {
    disk_.reset();
    fs::remove_all(root_);
  }

  /// Runs one coroutine to its end.
  void run(Task<> task) {
    bool done = false;
    asio::co_spawn(core_.executor(), std::move(task), [&](const std::exception_ptr& thrown) {
      EXPECT_EQ(thrown, nullptr);
      done = true;
    });
    core_.loop().restart();
    core_.loop().run();
    ASSERT_TRUE(done);
  }
  /// Runs one call of the disk.
  template <class T>
  T get(Task<T> task) {
    std::optional<T> result;
    run([](Task<T> body, std::optional<T>& out) -> Task<> { out.emplace(co_await std::move(body)); }(
                                                    std::move(task), result));
    return std::move(*result);
  }
  std::unique_ptr<File> create(const std::string& name, Caching caching = Caching::buffered) {
    auto file = get(disk_->open(root_ / name, {caching, Existence::create}));
    EXPECT_TRUE(file) << file.error().to_string();
    return std::move(*file);
  }

  Core core_;
  fs::path root_;
  std::unique_ptr<Disk> disk_;
};

TEST_P(DiskTest, reads_back_what_was_written) {
  const auto file = create("a");
  const Buffer data = pattern(100'000, 1);
  ASSERT_TRUE(get(file->write(12'345, data.view())));
  ASSERT_TRUE(get(file->sync()));
  EXPECT_EQ(file->size(), 112'345U);
  EXPECT_EQ(file->alignment(), 1U);
  Buffer back(100'000);
  ASSERT_TRUE(get(file->read(12'345, back.span())));
  EXPECT_TRUE(equal(data.view(), back.view()));
  Buffer hole(12'345);
  ASSERT_TRUE(get(file->read(0, hole.span())));
  EXPECT_TRUE(std::ranges::all_of(hole.view(), [](std::byte b) { return b == std::byte{0}; }));
}

TEST_P(DiskTest, direct_files_keep_their_content) {
  const auto file = create("direct", Caching::direct);
  EXPECT_LE(file->alignment(), 4_KiB);
  const Buffer data = pattern(9_MiB, 2);
  ASSERT_TRUE(get(file->write(4_KiB, data.view())));
  ASSERT_TRUE(get(file->sync()));
  const auto again = get(disk_->open(root_ / "direct", {.caching = Caching::direct}));
  ASSERT_TRUE(again);
  EXPECT_EQ((*again)->size(), 4_KiB + 9_MiB);
  Buffer back(9_MiB);
  ASSERT_TRUE(get((*again)->read(4_KiB, back.span())));
  EXPECT_TRUE(equal(data.view(), back.view()));
}

TEST_P(DiskTest, a_write_and_its_sync_go_together) {
  for (const Caching caching : {Caching::buffered, Caching::direct}) {
    const auto file = create(caching == Caching::direct ? "direct" : "buffered", caching);
    const Buffer data = pattern(3_MiB, 4);
    ASSERT_TRUE(get(file->write_and_sync(8_KiB, data.view())));
    EXPECT_EQ(file->size(), 8_KiB + 3_MiB);
    Buffer back(3_MiB);
    ASSERT_TRUE(get(file->read(8_KiB, back.span())));
    EXPECT_TRUE(equal(data.view(), back.view()));
  }
}

TEST_P(DiskTest, many_writes_with_their_syncs_all_end_right) {
  const auto file = create("linked", Caching::direct);
  const Buffer data = pattern(4_KiB, 5);
  std::size_t ended = 0;
  for (Bytes i = 0; i < 300; ++i) {
    asio::co_spawn(
        core_.executor(),
        [](File& into, Bytes offset, View bytes, std::size_t& count) -> Task<> {
          EXPECT_TRUE(co_await into.write_and_sync(offset, bytes));
          ++count;
        }(*file, i * 4_KiB, data.view(), ended),
        [](const std::exception_ptr& thrown) { EXPECT_EQ(thrown, nullptr); });
  }
  core_.loop().restart();
  core_.loop().run();
  EXPECT_EQ(ended, 300U);
  Buffer back(4_KiB);
  for (Bytes i = 0; i < 300; ++i) {
    ASSERT_TRUE(get(file->read(i * 4_KiB, back.span())));
    EXPECT_TRUE(equal(data.view(), back.view()));
  }
}

TEST_P(DiskTest, has_threads_of_its_own_so_that_no_other_disk_waits_for_its_calls) {
  const auto threads = [] {
    return std::distance(fs::directory_iterator("/proc/self/task"), fs::directory_iterator());
  };
  const auto before = threads();
  const auto other = make_disk(GetParam(), core_);
  EXPECT_GT(threads(), before);
}

TEST_P(DiskTest, a_file_system_without_direct_io_is_served_through_the_cache) {
  if (!fs::exists("/dev/shm")) GTEST_SKIP() << "no tmpfs";
  const fs::path path = "/dev/shm/kiseki-disk-test-" + std::to_string(getpid());
  {
    auto file = get(disk_->open(path, {Caching::direct, Existence::create}));
    ASSERT_TRUE(file) << file.error().to_string();
    const Buffer data = pattern(64_KiB, 3);
    Buffer back(64_KiB);
    ASSERT_TRUE(get((*file)->write(0, data.view())));
    ASSERT_TRUE(get((*file)->sync()));
    ASSERT_TRUE(get((*file)->read(0, back.span())));
    EXPECT_TRUE(equal(data.view(), back.view()));
  }
  ASSERT_TRUE(get(disk_->remove(path)));
}

TEST_P(DiskTest, unaligned_direct_access_is_a_bug) {
  const auto file = create("direct", Caching::direct);
  if (file->alignment() == 1) GTEST_SKIP() << "no direct I/O here";
  const Buffer data = pattern(4_KiB, 4);
  EXPECT_DEATH((void)get(file->write(100, data.view())), "is_aligned");
}

TEST_P(DiskTest, a_read_past_the_end_is_out_of_range) {
  const auto file = create("short", Caching::direct);
  ASSERT_TRUE(get(file->write(0, pattern(4_KiB, 5).view())));
  Buffer into(8_KiB);
  EXPECT_EQ(get(file->read(0, into.span())).error().code(), Errc::out_of_range);
  EXPECT_EQ(get(file->read(1_MiB, into.span())).error().code(), Errc::out_of_range);
  ASSERT_TRUE(get(file->resize(5000)));
  EXPECT_EQ(file->size(), 5000U);
  EXPECT_EQ(get(file->read(0, into.span())).error().code(), Errc::out_of_range);
  EXPECT_TRUE(get(file->read(0, MutableView{})));
}

TEST_P(DiskTest, allocated_space_reads_as_zeros_and_keeps_what_was_there) {
  const auto file = create("grown");
  ASSERT_TRUE(get(file->write(0, as_view("kept"))));
  ASSERT_TRUE(get(file->allocate(0, 1_MiB)));
  EXPECT_EQ(file->size(), 1_MiB);
  EXPECT_EQ(fs::file_size(root_ / "grown"), 1_MiB);
  Buffer back(8);
  ASSERT_TRUE(get(file->read(0, back.span())));
  EXPECT_EQ(as_text(back.view()), std::string_view("kept\0\0\0\0", 8));
}

constexpr Bytes piece = 4_KiB;
constexpr std::uint64_t pieces = 2000;  // more than the ring takes at once

TEST_P(DiskTest, many_overlapping_calls_all_end_right) {
  const auto file = create("busy", Caching::direct);
  run([](File& target, Executor executor) -> Task<> {
    Scope scope(executor);
    std::uint64_t good = 0;
    for (std::uint64_t i = 0; i < pieces; ++i) {
      scope.spawn([](File& f, std::uint64_t index, std::uint64_t& count) -> Task<> {
        const Buffer data = pattern(piece, index);
        if (!co_await f.write(index * piece, data.view())) co_return;
        if (index % 50 == 0 && !co_await f.sync()) co_return;
        Buffer back(piece);
        if (co_await f.read(index * piece, back.span()) && equal(back.view(), data.view())) ++count;
      }(target, i, good));
    }
    co_await scope.stop();
    EXPECT_EQ(good, pieces);
  }(*file, core_.executor()));
  EXPECT_EQ(file->size(), pieces * piece);
}

TEST_P(DiskTest, a_file_that_may_not_grow_has_no_space_and_keeps_its_content) {
  const auto file = create("limited");
  ASSERT_TRUE(get(file->write(0, as_view("kept"))));
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit limited{1_MiB, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limited), 0);
  const auto beyond = get(file->write(1_MiB, as_view("more")));
  const auto across = get(file->write(1_MiB - 4096, pattern(8_KiB, 6).view()));
  const auto linked = get(file->write_and_sync(1_MiB - 4096, pattern(8_KiB, 6).view()));
  const auto allocated = get(file->allocate(0, 2_MiB));
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  EXPECT_EQ(beyond.error().code(), Errc::no_space);
  EXPECT_EQ(across.error().code(), Errc::no_space);
  EXPECT_EQ(linked.error().code(), Errc::no_space);
  EXPECT_EQ(allocated.error().code(), Errc::no_space);
  Buffer back(4);
  ASSERT_TRUE(get(file->read(0, back.span())));
  EXPECT_EQ(as_text(back.view()), "kept");
}

TEST_P(DiskTest, open_honours_existence) {
  EXPECT_EQ(get(disk_->open(root_ / "x", {})).error().code(), Errc::not_found);
  EXPECT_TRUE(get(disk_->open(root_ / "x", {.existence = Existence::must_not_exist})));
  EXPECT_EQ(get(disk_->open(root_ / "x", {.existence = Existence::must_not_exist})).error().code(),
            Errc::exists);
  EXPECT_TRUE(get(disk_->open(root_ / "x", {})));
  struct stat status{};
  ASSERT_EQ(stat((root_ / "x").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
}

TEST_P(DiskTest, names_that_cannot_be_files_are_refused) {
  EXPECT_EQ(get(disk_->open("", {})).error().code(), Errc::invalid_argument);
  EXPECT_EQ(get(disk_->open(root_ / std::string("a\0b", 3), {})).error().code(), Errc::invalid_argument);
  EXPECT_EQ(get(disk_->open(root_ / std::string(300, 'n'), {.existence = Existence::create})).error().code(),
            Errc::invalid_argument);
  EXPECT_EQ(get(disk_->open(root_, {})).error().code(), Errc::is_directory);
  ASSERT_EQ(mkfifo((root_ / "fifo").c_str(), 0600), 0);
  EXPECT_EQ(get(disk_->open(root_ / "fifo", {})).error().code(), Errc::invalid_argument);
  create("file");
  EXPECT_EQ(get(disk_->open(root_ / "file/below", {})).error().code(), Errc::not_directory);
  fs::create_symlink("loop", root_ / "loop");
  EXPECT_EQ(get(disk_->open(root_ / "loop", {})).error().code(), Errc::invalid_argument);
}

TEST_P(DiskTest, directories_are_made_listed_and_emptied) {
  ASSERT_TRUE(get(disk_->make_directory(root_ / "p/q/r")));
  ASSERT_TRUE(get(disk_->make_directory(root_ / "p/q/r")));
  struct stat status{};
  ASSERT_EQ(stat((root_ / "p").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0700U);
  create("p/b");
  create("p/a");
  EXPECT_EQ(get(disk_->list(root_ / "p")).value(), (std::vector<std::string>{"a", "b", "q"}));
  ASSERT_TRUE(get(disk_->rename(root_ / "p/a", root_ / "p/b")));
  ASSERT_TRUE(get(disk_->sync_directory(root_ / "p")));
  EXPECT_EQ(get(disk_->list(root_ / "p")).value(), (std::vector<std::string>{"b", "q"}));
  EXPECT_EQ(get(disk_->remove(root_ / "p")).error().code(), Errc::not_empty);
  ASSERT_TRUE(get(disk_->remove(root_ / "p/b")));
  EXPECT_EQ(get(disk_->remove(root_ / "p/b")).error().code(), Errc::not_found);
  EXPECT_EQ(get(disk_->make_directory(root_ / "p/q/../../p")).has_value(), true);
  create("plain");
  EXPECT_EQ(get(disk_->make_directory(root_ / "plain")).error().code(), Errc::not_directory);
  EXPECT_EQ(get(disk_->make_directory(root_ / "plain/below")).error().code(), Errc::not_directory);
  EXPECT_EQ(get(disk_->list(root_ / "nothing")).error().code(), Errc::not_found);
  const auto space = get(disk_->space(root_));
  ASSERT_TRUE(space);
  EXPECT_GT(space->total, space->available);
}

TEST_P(DiskTest, whole_files_are_replaced_and_bounded) {
  ASSERT_TRUE(get(replace_whole(*disk_, root_ / "w", "first, longer")));
  ASSERT_TRUE(get(replace_whole(*disk_, root_ / "w", "second")));
  EXPECT_EQ(get(read_whole(*disk_, root_ / "w", 6)).value(), "second");
  EXPECT_EQ(get(read_whole(*disk_, root_ / "w", 5)).error().code(), Errc::too_large);
  EXPECT_EQ(get(read_whole(*disk_, root_ / "none", 5)).error().code(), Errc::not_found);
  EXPECT_EQ(get(disk_->list(root_)).value(), std::vector<std::string>{"w"});
  ASSERT_TRUE(get(replace_whole(*disk_, root_ / "w", "")));
  EXPECT_EQ(get(read_whole(*disk_, root_ / "w", 5)).value(), "");
  EXPECT_FALSE(get(replace_whole(*disk_, root_ / "no/where", "x")));
}

TEST_P(DiskTest, open_files_outlive_the_disk) {
  const auto file = create("left");
  disk_.reset();
  ASSERT_TRUE(get(file->write(0, as_view("still here"))));
  ASSERT_TRUE(get(file->sync()));
}

INSTANTIATE_TEST_SUITE_P(Modes, DiskTest, testing::Values(Mode::uring, Mode::threads),
                         [](const auto& info) { return info.param == Mode::uring ? "uring" : "threads"; });

using detail::Call;
using detail::Transfer;

TEST(Transfer, continues_after_short_and_interrupted_calls) {
  Buffer memory(10'000);
  Transfer machine({Call::Kind::read, 3, 100, memory.data(), 10'000}, 1);
  EXPECT_TRUE(machine.take(4000));
  EXPECT_TRUE(machine.take(-EINTR));
  EXPECT_TRUE(machine.take(-EAGAIN));
  EXPECT_EQ(machine.next().offset, 4100U);
  EXPECT_EQ(machine.next().data, memory.data() + 4000);
  EXPECT_EQ(machine.next().length, 6000U);
  EXPECT_TRUE(machine.take(6000));
  EXPECT_TRUE(machine.done());
}

TEST(Transfer, stays_aligned_and_ends_at_the_end_of_the_file) {
  Buffer memory(8192);
  Transfer machine({Call::Kind::read, 3, 0, memory.data(), 8192}, 512);
  EXPECT_TRUE(machine.take(1000));
  EXPECT_EQ(machine.next().offset, 512U);
  EXPECT_EQ(machine.take(100).error().code(), Errc::out_of_range);
}

TEST(Transfer, gives_up_on_calls_that_never_progress) {
  Buffer memory(1);
  Transfer machine({Call::Kind::write, 3, 0, memory.data(), 1}, 1);
  int calls = 0;
  while (machine.take(-EAGAIN) && calls < 1'000'000) ++calls;
  EXPECT_LT(calls, 1'000'000);
  EXPECT_EQ(Transfer({Call::Kind::write, 3, 0, memory.data(), 1}, 1).take(0).error().code(), Errc::io_error);
}

TEST(Errors, of_the_system_keep_their_meaning) {
  EXPECT_EQ(detail::system_error(ENOSPC, "write").code(), Errc::no_space);
  EXPECT_EQ(detail::system_error(EDQUOT, "write").code(), Errc::no_space);
  EXPECT_EQ(detail::system_error(EIO, "write").code(), Errc::io_error);
  EXPECT_EQ(detail::system_error(EMFILE, "open").code(), Errc::busy);
  EXPECT_EQ(detail::system_error(EROFS, "open").code(), Errc::denied);
  EXPECT_EQ(detail::system_error(EIO, "write").words(), "write: Input/output error");
}

}  // namespace
}  // namespace kiseki::disk
