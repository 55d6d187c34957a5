#include <gtest/gtest.h>

#include "base/buffer.h"
#include "base/codec.h"
#include "base/core.h"
#include "base/metrics.h"
#include "base/result.h"
#include "base/rng.h"
#include "base/scope.h"
#include "base/sync.h"

namespace kiseki {
namespace {

/// Runs one coroutine to its end on a loop of its own.
void run(asio::io_context& loop, Task<> task) {
  bool done = false;
  asio::co_spawn(loop, std::move(task), [&](const std::exception_ptr& thrown) {
    EXPECT_EQ(thrown, nullptr);
    done = true;
  });
  loop.run();
  EXPECT_TRUE(done);
}

TEST(Error, scopes_stand_in_front_of_the_words) {
  const Error error = Error(Errc::not_found, "short read").in("shard 7").in("get");
  EXPECT_EQ(error.to_string(), "not_found: get: shard 7: short read");
  EXPECT_EQ(class_of(Errc::busy), ErrorClass::retriable);
  EXPECT_EQ(class_of(Errc::corrupted), ErrorClass::permanent);
  EXPECT_EQ(class_of(Errc::denied), ErrorClass::security);
}

TEST(Codec, reads_what_was_written_in_network_order) {
  std::string out;
  Encoder(out).integer<std::uint16_t>(0x0102).integer<std::uint64_t>(7).sized(as_view("abc"));
  EXPECT_EQ(to_hex(as_view(out)), "0102000000000000000700000003616263");
  Decoder in(as_view(out));
  EXPECT_EQ(in.integer<std::uint16_t>(), 0x0102);
  EXPECT_EQ(in.integer<std::uint64_t>(), 7U);
  EXPECT_EQ(as_text(in.sized()), "abc");
  EXPECT_TRUE(in.finish("test"));
}

TEST(Codec, short_input_and_left_over_bytes_are_corrupt) {
  Decoder short_input(as_view("abc"));
  EXPECT_EQ(short_input.integer<std::uint64_t>(), 0U);
  EXPECT_EQ(short_input.finish("test").error().code(), Errc::corrupted);
  Decoder hostile(as_view("\xff\xff\xff\xff"));
  EXPECT_TRUE(hostile.sized().empty());
  EXPECT_FALSE(hostile.finish("test"));
  EXPECT_FALSE(Decoder(as_view("a")).finish("test"));
}

TEST(Buffer, is_aligned_and_compares) {
  Buffer buffer(5000);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(buffer.data()) % Buffer::alignment, 0U);
  EXPECT_TRUE(equal_constant_time(as_view("abc"), as_view("abc")));
  EXPECT_FALSE(equal_constant_time(as_view("abc"), as_view("abd")));
  EXPECT_FALSE(equal(as_view("abc"), as_view("abcd")));
}

TEST(Event, wakes_all_and_times_out) {
  asio::io_context loop{1};
  SystemClock clock(loop);
  run(loop, [](asio::io_context& io, SystemClock& time) -> Task<> {
    Event event;
    EXPECT_FALSE(co_await event.wait_for(time, std::chrono::milliseconds(1)));
    Scope scope(io.get_executor());
    int woken = 0;
    for (int i = 0; i < 3; ++i) {
      scope.spawn([](Event& e, int& count) -> Task<> {
        co_await e.wait();
        ++count;
      }(event, woken));
    }
    scope.spawn([](Event& e, SystemClock& t, int& count) -> Task<> {
      if (co_await e.wait_for(t, std::chrono::seconds(60))) ++count;
    }(event, time, woken));
    co_await time.sleep(std::chrono::milliseconds(1));
    event.set();
    co_await scope.stop();
    EXPECT_EQ(woken, 4);
  }(loop, clock));
}

TEST(Semaphore, serves_in_order_and_gives_up_in_time) {
  asio::io_context loop{1};
  SystemClock clock(loop);
  run(loop, [](SystemClock& time) -> Task<> {
    Semaphore budget(10);
    auto held = co_await budget.acquire(8);
    EXPECT_FALSE(co_await budget.acquire_within(time, std::chrono::milliseconds(1), 4));
    auto small = co_await budget.acquire_within(time, std::chrono::milliseconds(1), 2);
    EXPECT_TRUE(small);
    held.release();
    small.reset();
    auto all = co_await budget.acquire(1000);
    EXPECT_EQ(budget.available(), 0U);
  }(clock));
}

TEST(Scope, stop_ends_sleepers_at_once) {
  asio::io_context loop{1};
  SystemClock clock(loop);
  run(loop, [](asio::io_context& io, SystemClock& time) -> Task<> {
    Scope scope(io.get_executor());
    bool slept = true;
    scope.spawn([](Scope& owner, SystemClock& t, bool& whole) -> Task<> {
      whole = co_await owner.sleep(t, std::chrono::hours(1));
    }(scope, time, slept));
    co_await scope.stop();
    EXPECT_FALSE(slept);
  }(loop, clock));
}

TEST(Core, work_crosses_and_comes_back) {
  Core other;
  other.start();
  BlockingPool pool(1);
  asio::io_context loop{1};
  run(loop, [](Core& core, BlockingPool& blocking) -> Task<> {
    const auto here = std::this_thread::get_id();
    const auto there = co_await on(core.executor(),
                                   []() -> Task<std::thread::id> { co_return std::this_thread::get_id(); }());
    EXPECT_NE(here, there);
    EXPECT_EQ(here, std::this_thread::get_id());
    const auto pooled = co_await blocking.run([] { return std::this_thread::get_id(); });
    EXPECT_NE(here, pooled);
    EXPECT_EQ(here, std::this_thread::get_id());
  }(other, pool));
}

TEST(Rng, seeded_bytes_repeat_and_below_stays_below) {
  SeededRng a(1);
  SeededRng b(1);
  EXPECT_EQ(a.next(), b.next());
  for (int i = 0; i < 1000; ++i) EXPECT_LT(a.below(7), 7U);
  SystemRng system;
  EXPECT_NE(system.next(), system.next());
}

TEST(Metrics, render_in_the_text_format) {
  static metrics::Counter counter("kiseki_test_total", "A test.");
  counter.add(3);
  EXPECT_NE(metrics::render().find("kiseki_test_total 3\n"), std::string::npos);
}

}  // namespace
}  // namespace kiseki
