#include "crypto/secret.h"

#include <fstream>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <thread>

namespace kiseki::crypto {
namespace {

/// The flags of the mapping that holds `address` (proc_pid_smaps(5)); empty where the kernel does not tell.
std::string flags_of(const void* address) {
  std::ifstream maps("/proc/self/smaps");
  std::string line;
  bool inside = false;
  while (std::getline(maps, line)) {
    std::uintptr_t first = 0;
    std::uintptr_t last = 0;
    if (std::sscanf(line.c_str(), "%lx-%lx ", &first, &last) == 2) {
      const auto at = reinterpret_cast<std::uintptr_t>(address);
      inside = first <= at && at < last;
    }
    if (inside && line.starts_with("VmFlags:")) return line + " ";
  }
  return {};
}

TEST(Key256, lives_in_memory_kept_out_of_swap_dumps_and_children) {
  SeededRng rng(1);
  const Key256 key = Key256::random(rng);
  const std::string flags = flags_of(key.view().data());
  if (flags.empty()) GTEST_SKIP() << "this kernel shows no VmFlags in /proc/self/smaps";
  EXPECT_NE(flags.find(" dd "), std::string::npos) << flags;
  EXPECT_NE(flags.find(" dc "), std::string::npos) << flags;
  // Sanitizers make mlock a no-op and a limit may refuse it: what happens to a page of our own is the
  // measure.
  void* const page = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(page, MAP_FAILED);
  ::mlock(page, 4096);
  const bool lockable = flags_of(page).find(" lo ") != std::string::npos;
  ::munmap(page, 4096);
  EXPECT_EQ(flags.find(" lo ") != std::string::npos, lockable) << flags;
}

TEST(Key256, is_zeroed_when_it_dies_or_is_assigned_over) {
  SeededRng rng(2);
  const std::string zeros(24, '\0');
  // The first bytes of a free slot link it to the next.
  const std::byte* place = nullptr;
  {
    const Key256 key = Key256::random(rng);
    place = key.view().data() + 8;
    EXPECT_FALSE(equal({place, 24}, as_view(zeros)));
  }
  EXPECT_TRUE(equal({place, 24}, as_view(zeros)));
  Key256 target = Key256::random(rng);
  Key256 source = Key256::random(rng);
  const Key256 expected = source.clone();
  place = target.view().data() + 8;
  target = std::move(source);
  EXPECT_TRUE(equal({place, 24}, as_view(zeros)));
  EXPECT_TRUE(equal(target.view(), expected.view()));
}

TEST(Key256, is_copied_only_from_32_bytes) {
  EXPECT_EQ(Key256::copy_of(as_view("short")).error().code(), Errc::invalid_argument);
  const std::string bytes(32, 'k');
  EXPECT_TRUE(equal(Key256::copy_of(as_view(bytes))->view(), as_view(bytes)));
}

TEST(Key256, keeps_every_key_apart_when_arenas_and_threads_are_many) {
  const auto work = [](std::uint64_t seed) {
    SeededRng rng(seed);
    std::vector<Key256> keys;
    for (int i = 0; i < 3000; ++i) keys.push_back(Key256::random(rng));
    SeededRng again(seed);
    for (const Key256& key : keys) EXPECT_TRUE(equal(key.view(), Key256::random(again).view()));
  };
  std::thread other(work, 10);
  work(11);
  other.join();
}

TEST(SecretText, moves_and_leaves_nothing_behind) {
  SecretText one(std::string("a secret"));
  const View place = as_view(one.text());  // a short string stands inside its object
  SecretText two(std::move(one));
  EXPECT_EQ(two.text(), "a secret");
  EXPECT_TRUE(equal(place, as_view(std::string(8, '\0'))));
  SecretText three(std::string("another"));
  three = std::move(two);
  EXPECT_EQ(three.text(), "a secret");
}

}  // namespace
}  // namespace kiseki::crypto
