#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"

namespace kiseki::metrics {

/// Rises only. Name as Prometheus wants it: `kiseki_log_flushes_total`. One static object each; the name
/// never holds a tenant's words. Counting is relaxed and safe from any thread.
class Counter {
 public:
  Counter(const char* name, const char* help);
  void add(std::uint64_t amount = 1) noexcept { value_.fetch_add(amount, std::memory_order_relaxed); }
  std::uint64_t value() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

/// Goes both ways.
class Gauge {
 public:
  Gauge(const char* name, const char* help);
  void set(std::int64_t value) noexcept { value_.store(value, std::memory_order_relaxed); }
  void add(std::int64_t amount) noexcept { value_.fetch_add(amount, std::memory_order_relaxed); }
  std::int64_t value() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::int64_t> value_{0};
};

/// A latency histogram: buckets at powers of two of microseconds, 16 µs to 8 s.
class Histogram {
 public:
  static constexpr std::size_t bucket_count = 20;
  Histogram(const char* name, const char* help);
  void observe(Duration duration) noexcept;
  std::uint64_t bucket(std::size_t index) const noexcept {
    return buckets_[index].load(std::memory_order_relaxed);
  }
  std::uint64_t count() const noexcept { return count_.load(std::memory_order_relaxed); }
  double sum_seconds() const noexcept;

 private:
  std::array<std::atomic<std::uint64_t>, bucket_count> buckets_{};
  std::atomic<std::uint64_t> count_{0};
  std::atomic<std::uint64_t> nanoseconds_{0};
};

/// Every metric of the process in the Prometheus text format.
std::string render();

}  // namespace kiseki::metrics
