#include "bench/s3_load.h"

#include <atomic>
#include <cstdio>
#include <fmt/format.h>
#include <fstream>
#include <thread>
#include <unistd.h>

#include "base/rng.h"
#include "bench/limits.h"

namespace kiseki::bench {

namespace {

constexpr const char* bucket = "/kiseki-bench";
constexpr std::uint64_t objects = 64;      // behind GET and HEAD
constexpr std::uint64_t listed = 100'000;  // flat, behind LIST
constexpr std::uint64_t removed = 20'000;  // behind DELETE
constexpr Bytes part_size = 5_MiB;
constexpr std::size_t parts = 3;

/// One kind of operation.
struct Work {
  std::string name;
  std::size_t clients = 1;
  Bytes body_size = 0;
  std::function<void(S3Client&, View body, std::uint64_t number)> operation{};
  double limit = 0;  ///< Microseconds of CPU that the machine needs for one.
  std::uint64_t operations_max = std::numeric_limits<std::uint64_t>::max();
};

struct Figures {
  std::vector<double> microseconds;  ///< Sorted.
  double wall = 0, cpu = 0;          ///< Seconds; the latter of the server.

  double at(double share) const {
    if (microseconds.empty()) return 0;
    const auto last = static_cast<double>(microseconds.size() - 1);
    return microseconds[static_cast<std::size_t>(share * last)];
  }
  double count() const { return static_cast<double>(microseconds.size()); }
  double cpu_microseconds() const { return count() > 0 ? cpu * 1e6 / count() : 0; }
};

/// utime + stime of a process, in seconds.
double process_seconds(int pid) {
  std::ifstream file(fmt::format("/proc/{}/stat", pid));
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  const char* rest = text.c_str() + text.rfind(')') + 2;
  unsigned long user = 0, system = 0;
  if (std::sscanf(rest, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2) return 0;
  return static_cast<double>(user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

/// "VmRSS" or "VmHWM" of a process, in MiB.
double process_memory(int pid, std::string_view field) {
  std::ifstream file(fmt::format("/proc/{}/status", pid));
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(field)) return std::strtod(line.c_str() + field.size() + 1, nullptr) / 1024;
  }
  return 0;
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Makes every 4 KiB of a body new, so that nothing deduplicates.
void freshen(Buffer& body, std::uint64_t number) {
  for (Bytes at = 0; at + 16 <= body.size(); at += 4_KiB) {
    std::memcpy(body.data() + at, &number, sizeof number);
    std::memcpy(body.data() + at + 8, &at, sizeof at);
  }
}

/// What the clients of one measurement share.
struct Run {
  std::atomic<std::uint64_t> next{0};
  std::atomic<bool> stop{false};
  std::mutex mutex;
  std::vector<double> microseconds;
  std::string failure;

  void fail(std::string words) {
    const std::lock_guard lock(mutex);
    failure = std::move(words);
    stop = true;
  }
};

void work_until_stopped(const Endpoint& endpoint, const Work& work, Run& run) try {
  S3Client client(endpoint);
  SystemRng rng;
  const std::uint64_t salt = rng.next() >> 16;
  Buffer body(work.body_size);
  rng.fill(body.span());
  std::vector<double> times;
  for (std::uint64_t number = 0; !run.stop && (number = run.next++) < work.operations_max;) {
    freshen(body, number + salt);
    const auto start = std::chrono::steady_clock::now();
    work.operation(client, body.view(), number);
    times.push_back(seconds_since(start) * 1e6);
  }
  const std::lock_guard lock(run.mutex);
  run.microseconds.insert(run.microseconds.end(), times.begin(), times.end());
} catch (const std::exception& error) {
  run.fail(error.what());
}

/// Until the time is over, or all operations are done.
Figures run_work(const LoadOptions& options, const Work& work, double seconds) {
  Run run;
  const double cpu_before = process_seconds(options.pid);
  const auto start = std::chrono::steady_clock::now();
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < work.clients; ++i) {
      threads.emplace_back([&] { work_until_stopped(options.endpoint, work, run); });
    }
    while (!run.stop && seconds_since(start) < seconds && run.next < work.operations_max) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    if (run.next < work.operations_max) run.stop = true;
  }
  if (!run.failure.empty()) throw std::runtime_error(fmt::format("{}: {}", work.name, run.failure));
  std::ranges::sort(run.microseconds);
  return {std::move(run.microseconds), seconds_since(start), process_seconds(options.pid) - cpu_before};
}

void measure_work(const LoadOptions& options, const Work& work) {
  const Figures figures = run_work(options, work, options.seconds);
  const double cpu = figures.cpu_microseconds();
  fmt::print(
      "{:<14} {:>7.0f} op/s | p50 {:>8.0f} p99 {:>8.0f} p99.9 {:>8.0f} max {:>8.0f} us | server CPU {:>8.1f} "
      "us"
      " | limit {:>8.1f} us, share {:>3.0f} % | memory {:>4.0f} MiB\n",
      work.name, figures.count() / figures.wall, figures.at(0.5), figures.at(0.99), figures.at(0.999),
      figures.at(1), cpu, work.limit, cpu > 0 ? 100 * work.limit / cpu : 0,
      process_memory(options.pid, "VmRSS:"));
  std::fflush(stdout);
}

/// Does every operation, unmeasured.
void prepare(const LoadOptions& options, const Work& work) { run_work(options, work, 600); }

Answer expect(Answer answer, int status) {
  if (answer.status != status) throw std::runtime_error(fmt::format("the server answered {}", answer.status));
  return answer;
}

std::string object_path(Bytes size, std::uint64_t number) {
  return fmt::format("{}/{}/{}", bucket, size, number);
}

std::string size_name(const char* method, Bytes size) {
  return size < 1_MiB ? fmt::format("{} {} KiB", method, size / 1_KiB)
                      : fmt::format("{} {} MiB", method, size / 1_MiB);
}

std::size_t clients_for(const LoadOptions& options, Bytes size) {
  return size < 1_MiB ? options.clients : options.clients_of_large;
}

/// What the machine needs for a PUT.
double put_limit(Bytes size) {
  const PassTimes passes = measure_passes(size);
  return passes.hashes + passes.cipher + sink_microseconds(Sink::receives, size);
}

Work put_work(const LoadOptions& options, Bytes size, double limit) {
  const std::uint64_t salt = SystemRng().next() >> 16;
  return {size_name("PUT", size), clients_for(options, size), size,
          [size, salt](S3Client& client, View body, std::uint64_t number) {
            expect(client.request("PUT", object_path(size, salt + number), body), 200);
          },
          limit};
}

void measure_bodies(const LoadOptions& options, Bytes size) {
  measure_work(options, put_work(options, size, put_limit(size)));
  const auto fill = [size](S3Client& client, View body, std::uint64_t number) {
    expect(client.request("PUT", object_path(size, number), body), 200);
  };
  prepare(options, {"fill", clients_for(options, size), size, fill, 0, objects});
  const auto get = [size](S3Client& client, View, std::uint64_t number) {
    if (expect(client.request("GET", object_path(size, number % objects)), 200).received != size) {
      throw std::runtime_error("an answer of another length");
    }
  };
  measure_work(options, {size_name("GET", size), clients_for(options, size), 0, get,
                         measure_passes(size).cipher + sink_microseconds(Sink::sends, size)});
}

/// Of the objects of 4 KiB that are there.
void measure_heads_and_deletes(const LoadOptions& options) {
  const double bare = sink_microseconds(Sink::sends, 0);
  const auto head = [](S3Client& client, View, std::uint64_t number) {
    expect(client.request("HEAD", object_path(4_KiB, number % objects)), 200);
  };
  measure_work(options, {"HEAD", options.clients, 0, head, bare});
  const auto path = [](std::uint64_t number) { return fmt::format("{}/removed/{}", bucket, number); };
  const auto fill = [path](S3Client& client, View body, std::uint64_t number) {
    expect(client.request("PUT", path(number), body), 200);
  };
  prepare(options, {"fill", options.clients, 4_KiB, fill, 0, removed});
  const auto remove = [path](S3Client& client, View, std::uint64_t number) {
    expect(client.request("DELETE", path(number)), 204);
  };
  measure_work(options, {"DELETE", options.clients, 0, remove, bare, removed});
}

void measure_lists(const LoadOptions& options) {
  const auto path = [](std::uint64_t number) { return fmt::format("{}/listed/{:08}", bucket, number); };
  const auto fill = [path](S3Client& client, View body, std::uint64_t number) {
    expect(client.request("PUT", path(number), body), 200);
  };
  prepare(options, {"fill", options.clients, 16, fill, 0, listed});
  std::atomic<Bytes> page{0};
  const auto list = [&page](S3Client& client, View, std::uint64_t number) {
    const std::string after = fmt::format("listed%2F{:08}", number * 1000 % (listed - 1000));
    page = expect(client.request("GET",
                                 fmt::format("{}?list-type=2&max-keys=1000&prefix=listed%2F&start-after={}",
                                             bucket, after)),
                  200)
               .received;
  };
  S3Client once(options.endpoint);
  list(once, {}, 0);
  const double limit = records_microseconds(1000) + sink_microseconds(Sink::sends, page);
  measure_work(options, {"LIST 1000", options.clients, 0, list, limit});
}

/// Whole uploads: begun, a few parts, completed.
void measure_multipart(const LoadOptions& options) {
  const auto upload = [](S3Client& client, View body, std::uint64_t number) {
    const std::string path = fmt::format("{}/multipart/{}", bucket, number);
    const std::string begun = expect(client.request("POST", path + "?uploads="), 200).text;
    const auto from = begun.find("<UploadId>") + 10;
    const std::string id = begun.substr(from, begun.find("</UploadId>") - from);
    std::string document = "<CompleteMultipartUpload>";
    for (std::size_t part = 1; part <= parts; ++part) {
      const Answer sent = expect(
          client.request("PUT", fmt::format("{}?partNumber={}&uploadId={}", path, part, id), body), 200);
      document += fmt::format("<Part><PartNumber>{}</PartNumber><ETag>{}</ETag></Part>", part, sent.etag);
    }
    document += "</CompleteMultipartUpload>";
    expect(client.request("POST", fmt::format("{}?uploadId={}", path, id), as_view(document)), 200);
  };
  measure_work(options,
               {fmt::format("upload {}x{} MiB", parts, part_size / 1_MiB), options.clients_of_large,
                part_size, upload, parts * put_limit(part_size) + 2 * sink_microseconds(Sink::sends, 0)});
}

}  // namespace

void load_s3(const LoadOptions& options) {
  const int made = S3Client(options.endpoint).request("PUT", bucket).status;
  if (made != 200 && made != 409) throw std::runtime_error(fmt::format("no bucket: {}", made));
  fmt::print("fdatasync of 4 KiB here: {:.0f} us (median)\n", fdatasync_microseconds(options.directory));
  LoadOptions single = options;
  single.clients = 1;
  Work alone = put_work(single, 4_KiB, put_limit(4_KiB));
  alone.name = "PUT, 1 client";
  measure_work(single, alone);
  for (const Bytes size : {4_KiB, 64_KiB, 1_MiB, 4_MiB}) measure_bodies(options, size);
  measure_heads_and_deletes(options);
  measure_lists(options);
  measure_multipart(options);
  fmt::print("memory: {:.0f} MiB, {:.0f} MiB at most\n", process_memory(options.pid, "VmRSS:"),
             process_memory(options.pid, "VmHWM:"));
}

}  // namespace kiseki::bench
