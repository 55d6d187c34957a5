#include <array>
#include <future>
#include <gtest/gtest.h>

#include <boost/asio/detached.hpp>
#include <boost/asio/use_future.hpp>

#include "base/buffer.h"
#include "base/codec.h"
#include "base/core.h"
#include "base/encoding.h"
#include "base/endpoint.h"
#include "base/guarded.h"
#include "base/loop_signal.h"
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

/// Takes `amount`, says so, and gives it back when told.
Task<> hold(Semaphore& budget, std::uint64_t amount, std::string& order, Event& end) {
  auto permit = co_await budget.acquire(amount);
  order += std::to_string(amount);
  co_await end.wait();
}

TEST(Semaphore, a_release_wakes_only_those_whose_turn_it_is_and_who_fit) {
  asio::io_context loop{1};
  SystemClock clock(loop);
  run(loop, [](asio::io_context& io, SystemClock& time) -> Task<> {
    Semaphore budget(10);
    std::string order;
    Event end;
    Scope scope(io.get_executor());
    auto held = co_await budget.acquire(10);
    for (const std::uint64_t amount : {3U, 2U, 6U, 1U}) scope.spawn(hold(budget, amount, order, end));
    co_await time.sleep(std::chrono::milliseconds(1));
    held.release();
    // Granted before anybody ran: 3 and 2. The 1 would fit and waits behind the 6.
    EXPECT_EQ(budget.available(), 5U);
    EXPECT_FALSE(budget.try_acquire(1));
    co_await time.sleep(std::chrono::milliseconds(1));
    EXPECT_EQ(order, "32");
    end.set();
    co_await scope.stop();
    EXPECT_EQ(order, "3261");
    EXPECT_EQ(budget.available(), 10U);
  }(loop, clock));
}

TEST(Semaphore, who_gives_up_lets_those_behind_go_on) {
  asio::io_context loop{1};
  SystemClock clock(loop);
  run(loop, [](asio::io_context& io, SystemClock& time) -> Task<> {
    Semaphore budget(10);
    std::string order;
    Event end;
    Scope scope(io.get_executor());
    auto held = co_await budget.acquire(5);
    scope.spawn([](Semaphore& all, SystemClock& t, std::string& into) -> Task<> {
      if (!co_await all.acquire_within(t, std::chrono::milliseconds(2), 9)) into += "-";
    }(budget, time, order));
    scope.spawn(hold(budget, 4, order, end));
    co_await time.sleep(std::chrono::milliseconds(20));
    EXPECT_EQ(order, "-4");
    EXPECT_EQ(budget.available(), 1U);
    end.set();
    co_await scope.stop();
    held.release();
    EXPECT_EQ(budget.available(), 10U);
  }(loop, clock));
}

TEST(Semaphore, what_was_granted_to_a_caller_that_is_gone_comes_back) {
  Semaphore budget(1);
  {
    asio::io_context loop{1};
    const auto waits = [](Semaphore& all) -> Task<> { std::ignore = co_await all.acquire(1); };
    auto held = budget.try_acquire(1);
    asio::co_spawn(loop, waits(budget), asio::detached);
    loop.poll();
    EXPECT_TRUE(budget.has_waiters());
    held.reset();
    EXPECT_EQ(budget.available(), 0U);
    // The loop dies before the caller runs.
  }
  EXPECT_EQ(budget.available(), 1U);
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

TEST(Core, a_crossing_brings_values_and_exceptions_home) {
  Core other;
  other.start();
  BlockingPool pool(1);
  asio::io_context loop{1};
  run(loop, [](Core& core, BlockingPool& blocking) -> Task<> {
    const auto there = core.executor();
    EXPECT_EQ(co_await call_on(there, [] { return 7; }), 7);
    int called = 0;
    co_await call_on(there, [&] { ++called; });
    co_await on(there, [](int& count) -> Task<> {
      // Already there: the second crossing is none.
      const auto here = std::this_thread::get_id();
      const auto inner =
          co_await call_on(co_await asio::this_coro::executor, [] { return std::this_thread::get_id(); });
      EXPECT_EQ(inner, here);
      ++count;
    }(called));
    EXPECT_EQ(called, 2);
    const auto throws = [](auto call) -> Task<bool> {
      try {
        co_await call();
      } catch (const std::bad_alloc&) {
        co_return true;
      }
      co_return false;
    };
    const auto fails = []() -> Task<int> {
      throw std::bad_alloc();
      co_return 1;
    };
    EXPECT_TRUE(co_await throws([&] { return on(there, fails()); }));
    EXPECT_TRUE(co_await throws([&] { return call_on(there, []() -> int { throw std::bad_alloc(); }); }));
    EXPECT_TRUE(co_await throws([&] { return blocking.run([]() -> int { throw std::bad_alloc(); }); }));
  }(other, pool));
}

TEST(Endpoint, is_a_literal_address_and_a_port) {
  EXPECT_TRUE(parse_endpoint("127.0.0.1:0")->is_loopback);
  EXPECT_EQ(parse_endpoint("[::1]:9000")->address, "::1");
  EXPECT_EQ(parse_endpoint("0.0.0.0:65535")->port, 65535);
  for (const auto* wrong : {"", ":", "9000", "::1:9000", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536",
                            "host:1", "127.0.0.1:1 "}) {
    EXPECT_FALSE(parse_endpoint(wrong)) << wrong;
  }
}

TEST(LoopSignal, acts_once_or_more_for_every_signal_and_needs_no_arming) {
  asio::io_context loop{1};
  int acted = 0;
  LoopSignal signal(loop, [&] { ++acted; });
  const auto work = asio::make_work_guard(loop);
  for (int round = 1; round <= 3; ++round) {
    signal.raise();
    signal.raise();
    loop.poll();
    EXPECT_EQ(acted, round);
    loop.poll();
    EXPECT_EQ(acted, round) << "nothing without a signal";
  }
}

TEST(Guarded, a_failed_allocation_is_an_answer) {
  asio::io_context loop{1};
  run(loop, []() -> Task<> {
    const auto fails = []() -> Task<Result<int>> {
      throw std::bad_alloc();
      co_return 1;
    };
    EXPECT_EQ((co_await guarded(fails())).error().code(), Errc::busy);
    Core other;
    other.start();
    EXPECT_EQ((co_await on(other.executor(), fails())).error().code(), Errc::busy);
    BlockingPool pool(1);
    const auto pooled = co_await pool.run([]() -> Result<> { throw std::bad_alloc(); });
    EXPECT_EQ(pooled.error().code(), Errc::busy);
  }());
}

TEST(Core, many_cross_at_once_in_both_directions) {
  std::array<Core, 2> cores;
  for (auto& core : cores) core.start();
  std::array<std::uint64_t, 2> counts{};
  const auto travels = [](Core& there, std::uint64_t& count) -> Task<> {
    for (int i = 0; i < 1000; ++i) co_await call_on(there.executor(), [&] { ++count; });
  };
  std::vector<std::future<void>> all;
  for (std::size_t i = 0; i < 32; ++i) {
    const std::size_t to = i % 2;
    all.push_back(asio::co_spawn(cores[1 - to].executor(), travels(cores[to], counts[to]), asio::use_future));
  }
  for (auto& one : all) one.get();
  EXPECT_EQ(counts[0], 16'000U);
  EXPECT_EQ(counts[1], 16'000U);
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

TEST(Encoding, base64_is_exact) {
  for (const char* text : {"", "AA==", "AAA=", "AAAA", "+/+/"}) {
    const auto bytes = base64_decode(text);
    ASSERT_TRUE(bytes) << text;
    EXPECT_EQ(base64_encode(as_view(*bytes)), text);
  }
  for (const char* bad : {"A", "AA", "AAA", "A===", "====", "AA=A", "AA A", "AA-_"})
    EXPECT_FALSE(base64_decode(bad)) << bad;
}

TEST(Encoding, hex_takes_pairs_of_digits_of_either_case) {
  EXPECT_EQ(to_hex(as_view("\x0a\xff")), "0aff");
  EXPECT_EQ(hex_decode("0aFF"), "\x0a\xff");
  EXPECT_EQ(hex_decode(""), "");
  for (const char* bad : {"0", "0g", " 0", "0x"}) EXPECT_FALSE(hex_decode(bad)) << bad;
}

TEST(Encoding, white_space_is_blanks_and_tabs) {
  EXPECT_EQ(trimmed(" \t a b\t "), "a b");
  EXPECT_EQ(trimmed(" \t"), "");
  EXPECT_EQ(trimmed("\na"), "\na");
}

}  // namespace
}  // namespace kiseki
