#include "base/metrics.h"

#include <fmt/format.h>
#include <mutex>
#include <variant>

namespace kiseki::metrics {

namespace {

struct Registered {
  const char* name;
  const char* help;
  std::variant<const Counter*, const Gauge*, const Histogram*> metric;
};

struct Registry {
  std::mutex mutex;  // taken at static initialisation and by render alone
  std::vector<Registered> all;
};

Registry& registry() {
  static Registry instance;
  return instance;
}

template <class T>
void enrol(const char* name, const char* help, const T* metric) {
  const std::lock_guard lock(registry().mutex);
  registry().all.push_back({name, help, metric});
}

void append(std::string& out, const char* name, const Counter& counter) {
  out += fmt::format("# TYPE {} counter\n{} {}\n", name, name, counter.value());
}

void append(std::string& out, const char* name, const Gauge& gauge) {
  out += fmt::format("# TYPE {} gauge\n{} {}\n", name, name, gauge.value());
}

void append(std::string& out, const char* name, const Histogram& histogram) {
  out += fmt::format("# TYPE {} histogram\n", name);
  std::uint64_t below = 0;
  for (std::size_t i = 0; i < Histogram::bucket_count; ++i) {
    below += histogram.bucket(i);
    out += fmt::format("{}_bucket{{le=\"{}\"}} {}\n", name, static_cast<double>(16U << i) / 1e6, below);
  }
  out += fmt::format("{0}_bucket{{le=\"+Inf\"}} {1}\n{0}_sum {2}\n{0}_count {1}\n", name, histogram.count(),
                     histogram.sum_seconds());
}

}  // namespace

Counter::Counter(const char* name, const char* help) { enrol(name, help, this); }
Gauge::Gauge(const char* name, const char* help) { enrol(name, help, this); }
Histogram::Histogram(const char* name, const char* help) { enrol(name, help, this); }

void Histogram::observe(Duration duration) noexcept {
  const auto nanoseconds = static_cast<std::uint64_t>(std::max(duration.count(), Duration::rep{0}));
  count_.fetch_add(1, std::memory_order_relaxed);
  nanoseconds_.fetch_add(nanoseconds, std::memory_order_relaxed);
  const auto index = static_cast<std::size_t>(std::bit_width((nanoseconds / 1000) >> 4));
  if (index < bucket_count) buckets_[index].fetch_add(1, std::memory_order_relaxed);
}

double Histogram::sum_seconds() const noexcept {
  return static_cast<double>(nanoseconds_.load(std::memory_order_relaxed)) / 1e9;
}

std::string render() {
  const std::lock_guard lock(registry().mutex);
  std::string out;
  for (const Registered& one : registry().all) {
    out += fmt::format("# HELP {} {}\n", one.name, one.help);
    std::visit([&](const auto* metric) { append(out, one.name, *metric); }, one.metric);
  }
  return out;
}

}  // namespace kiseki::metrics
