// Measures a running server by its S3 face, or shards alone, and prints each figure beside what the machine
// itself needs for the same bytes in the same run: hashes, cipher, a bare HTTP sink, fdatasync.

#include <atomic>
#include <cstdio>
#include <fmt/format.h>
#include <fstream>
#include <thread>
#include <unistd.h>

#include <CLI/CLI.hpp>

#include "base/rng.h"
#include "bench/commits.h"
#include "bench/cores.h"
#include "bench/limits.h"
#include "bench/s3_client.h"

namespace kiseki::bench {
namespace {

struct Options {
  Endpoint endpoint;
  int pid = 0;
  std::filesystem::path directory = ".";
  std::size_t clients = 16;
  double seconds = 3;
};

/// utime + stime of a process, in seconds.
double process_seconds(int pid) {
  std::ifstream file(fmt::format("/proc/{}/stat", pid));
  std::string text((std::istreambuf_iterator<char>(file)), {});
  const char* rest = text.c_str() + text.rfind(')') + 2;
  unsigned long user = 0;
  unsigned long system = 0;
  if (std::sscanf(rest, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2) return 0;
  return static_cast<double>(user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

struct Figures {
  double operations_per_second, cpu_microseconds, median_microseconds, slow_microseconds;
};

/// A body of which every 4 KiB are new, so that nothing deduplicates.
void freshen(Buffer& body, std::uint64_t number) {
  for (Bytes at = 0; at + 16 <= body.size(); at += 4_KiB) {
    std::memcpy(body.data() + at, &number, sizeof number);
    std::memcpy(body.data() + at + 8, &at, sizeof at);
  }
}

Figures load(const Options& options, Bytes size, bool put, std::size_t keys, std::uint64_t salt) {
  std::atomic<std::uint64_t> next{0};
  std::atomic<bool> stop{false};
  std::vector<std::vector<double>> times(options.clients);
  std::vector<std::jthread> threads;
  const double cpu_before = process_seconds(options.pid);
  const auto start = std::chrono::steady_clock::now();
  for (std::size_t worker = 0; worker < options.clients; ++worker) {
    threads.emplace_back([&, worker] {
      S3Client client(options.endpoint);
      SystemRng rng;
      Buffer body(put ? size : 0);
      rng.fill(body.span());
      while (!stop) {
        const std::uint64_t number = next++;
        freshen(body, number + salt);
        const auto begin = std::chrono::steady_clock::now();
        Bytes received = 0;
        const int status =
            client.request(put ? "PUT" : "GET",
                           fmt::format("/kiseki-bench/{}/{}", size, put ? number + salt : number % keys),
                           body.view(), received);
        if (status != 200) throw std::runtime_error(fmt::format("the server answered {}", status));
        if (!put && received != size) throw std::runtime_error("an answer of another length");
        times[worker].push_back(
            std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begin).count());
      }
    });
  }
  std::this_thread::sleep_for(std::chrono::duration<double>(options.seconds));
  stop = true;
  threads.clear();
  const double wall = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const double cpu = process_seconds(options.pid) - cpu_before;
  std::vector<double> all;
  for (const auto& some : times) all.insert(all.end(), some.begin(), some.end());
  std::ranges::sort(all);
  const auto count = static_cast<double>(all.size());
  return {count / wall, cpu * 1e6 / count, all[all.size() / 2], all[all.size() * 99 / 100]};
}

void row(const Options& options, Bytes size, bool put) {
  const Limits limits = measure(size, put);
  constexpr std::size_t keys = 64;
  if (!put) {
    S3Client client(options.endpoint);
    SystemRng rng;
    Buffer body(size);
    rng.fill(body.span());
    for (std::size_t i = 0; i < keys; ++i) {
      freshen(body, i);
      Bytes received = 0;
      client.request("PUT", fmt::format("/kiseki-bench/{}/{}", size, i), body.view(), received);
    }
  }
  const Figures figures = load(options, size, put, keys, put ? SystemRng().next() >> 16 : 0);
  const double sum = limits.sha256 + limits.md5 + limits.cipher + limits.sink;
  fmt::print(
      "{} {:>5} KiB | {:>8.0f} op/s  p50 {:>7.0f} us  p99 {:>8.0f} us | server CPU {:>8.1f} us/op | limits: "
      "sha256 {:>7.1f} md5 {:>7.1f} cipher {:>7.1f} sink {:>7.1f} = {:>8.1f} us | share {:>3.0f} %\n",
      put ? "PUT" : "GET", size / 1024, figures.operations_per_second, figures.median_microseconds,
      figures.slow_microseconds, figures.cpu_microseconds, limits.sha256, limits.md5, limits.cipher,
      limits.sink, sum, 100 * sum / figures.cpu_microseconds);
  std::fflush(stdout);
}

void run(const Options& options) {
  Bytes received = 0;
  S3Client(options.endpoint).request("PUT", "/kiseki-bench", {}, received);
  fmt::print("fdatasync of 4 KiB here: {:.0f} us (median)\n", fdatasync_microseconds(options.directory));
  Options single = options;
  single.clients = 1;
  const Figures alone = load(single, 4_KiB, true, 1, SystemRng().next() >> 16);
  fmt::print("PUT 4 KiB, one client: p50 {:.0f} us\n", alone.median_microseconds);
  for (const Bytes size : {4_KiB, 64_KiB, 4_MiB}) {
    row(options, size, true);
    row(options, size, false);
  }
}

}  // namespace
}  // namespace kiseki::bench

int main(int argc, char** argv) {
  using namespace kiseki::bench;
  CLI::App app("Measures Kiseki beside the limits of the machine it runs on");
  app.require_subcommand(1);
  Options options;
  auto* s3 = app.add_subcommand("s3", "a running server, by its S3 face");
  s3->add_option("--host", options.endpoint.host, "IPv4 address of the S3 face")->default_val("127.0.0.1");
  s3->add_option("--port", options.endpoint.port, "TCP port of the S3 face")->required();
  s3->add_option("--access-key", options.endpoint.access_key)->required()->envname("AWS_ACCESS_KEY_ID");
  s3->add_option("--secret-key", options.endpoint.secret_key)->required()->envname("AWS_SECRET_ACCESS_KEY");
  s3->add_option("--pid", options.pid, "process whose CPU time is counted")->required();
  s3->add_option("--directory", options.directory,
                 "where fdatasync is measured: the disk of the data directory");
  s3->add_option("--clients", options.clients)->default_val(16);
  s3->add_option("--seconds", options.seconds, "of every measurement")->default_val(3);
  bool unsigned_body = false;
  s3->add_flag("--unsigned", unsigned_body, "send UNSIGNED-PAYLOAD instead of a body digest");
  CommitOptions commits;
  auto* shards = app.add_subcommand("commits", "the shards of a node in this process");
  shards->add_option("--directory", commits.directory, "on the disk to measure")->required();
  shards->add_option("--clients", commits.clients)->default_val(64);
  shards->add_option("--seconds", commits.seconds, "of every measurement")->default_val(5);
  const auto* crossings = app.add_subcommand("cores", "the way from core to core and back");
  CLI11_PARSE(app, argc, argv);
  options.endpoint.sign_body = !unsigned_body;
  try {
    if (s3->parsed()) run(options);
    if (shards->parsed()) measure_commits(commits);
    if (crossings->parsed()) measure_cores();
  } catch (const std::exception& error) {
    fmt::print(stderr, "kiseki-bench: {}\n", error.what());
    return 1;
  }
}
