#include "bench/limits.h"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <ctime>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include "base/buffer.h"
#include "base/clock.h"
#include "bench/s3_client.h"
#include "crypto/aead.h"
#include "crypto/hash_lanes.h"

namespace kiseki::bench {

namespace {

/// Microseconds of CPU for one call, over at least 100 ms of calls.
template <class F>
double microseconds(F call) {
  call();
  const double start = thread_seconds();
  std::uint64_t calls = 0;
  while (thread_seconds() - start < 0.1) {
    for (int i = 0; i < 8; ++i) call();
    calls += 8;
  }
  return (thread_seconds() - start) * 1e6 / static_cast<double>(calls);
}

double cipher_microseconds(Bytes size) {
  SystemRng rng;
  crypto::BlockCipher cipher(crypto::Key256::random(rng));
  const Buffer plain(size);
  Buffer sealed(size);
  return microseconds([&] {
    for (Bytes at = 0; at < size; at += 64_KiB) {
      const Bytes count = std::min<Bytes>(64_KiB, size - at);
      crypto::Nonce96 nonce{};
      nonce[0] = static_cast<std::byte>(at / 64_KiB);
      cipher.seal(nonce, {}, plain.view().subspan(at, count), sealed.span().subspan(at, count));
    }
  });
}

/// Serves one connection: reads a head and a body of `body` bytes, answers with `answer`; its CPU time for
/// each.
double serve(int listener, Bytes body, const std::string& answer) {
  const int socket = ::accept(listener, nullptr, nullptr);
  const int on = 1;
  ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  std::vector<char> memory(std::max<Bytes>(64_KiB, std::min<Bytes>(body + 4096, 4_MiB)));
  const double start = thread_seconds();
  std::uint64_t requests = 0;
  while (true) {
    Bytes got = 0;
    Bytes wanted = 0;
    do {
      const ssize_t count = ::recv(socket, memory.data(), memory.size(), 0);
      if (count <= 0) {
        ::close(socket);
        return (thread_seconds() - start) * 1e6 / static_cast<double>(std::max<std::uint64_t>(requests, 1));
      }
      if (got == 0) {
        const std::string_view text(memory.data(), static_cast<std::size_t>(count));
        wanted = text.find("\r\n\r\n") + 4 + body;
      }
      got += static_cast<Bytes>(count);
    } while (got < wanted);
    for (Bytes sent = 0; sent < answer.size();) {
      const ssize_t count = ::send(socket, answer.data() + sent, answer.size() - sent, MSG_NOSIGNAL);
      if (count <= 0) break;
      sent += static_cast<Bytes>(count);
    }
    ++requests;
  }
}

}  // namespace

double thread_seconds() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

PassTimes measure_passes(Bytes size) {
  const Buffer data(size);
  crypto::HashLanes lanes;
  return {.hashes = microseconds([&] {
            crypto::LaneHasher hasher(lanes, crypto::LaneDigests::md5_and_sha256);
            hasher.update_now(data.view());
            hasher.finish();
          }),
          .cipher = cipher_microseconds(size)};
}

double records_microseconds(std::size_t count) {
  constexpr Bytes entry_size = 160, associated_size = 100;  // of small objects
  SystemRng rng;
  const auto key = crypto::Key256::random(rng);
  const std::string associated(associated_size, 'a');
  const crypto::Nonce192 nonce = crypto::random_nonce(rng);
  const auto sealed =
      crypto::seal_record(key, nonce, as_view(associated), as_view(std::string(entry_size, 'e')));
  return static_cast<double>(count) *
         microseconds([&] { (void)crypto::open_record(key, nonce, as_view(associated), sealed.view()); });
}

double sink_microseconds(Sink sink, Bytes size) {
  const bool put = sink == Sink::receives;
  const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  ::bind(listener, reinterpret_cast<sockaddr*>(&address), length);
  ::listen(listener, 1);
  ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length);
  const Bytes answer = put ? 0 : size;
  const std::string text =
      fmt::format("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", answer) + std::string(answer, 'x');
  double result = 0;
  std::thread server([&] { result = serve(listener, put ? size : 0, text); });
  {
    S3Client client({"127.0.0.1", ntohs(address.sin_port), "a", "b", "us-east-1", false});
    const Buffer body(put ? size : 0);
    const double until = thread_seconds() + 0.3;
    while (thread_seconds() < until) client.request(put ? "PUT" : "GET", "/b/k", body.view());
  }
  server.join();
  ::close(listener);
  return result;
}

double fdatasync_microseconds(const std::filesystem::path& directory) {
  const std::string path = (directory / "bench.fdatasync").string();
  const int file = ::open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
  std::array<char, 4096> block{};
  std::vector<double> times;
  for (int i = 0; i < 200; ++i) {
    const auto start = std::chrono::steady_clock::now();
    if (::pwrite(file, block.data(), block.size(), 0) < 0 || ::fdatasync(file) != 0) break;
    times.push_back(
        std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count());
  }
  ::close(file);
  ::unlink(path.c_str());
  std::ranges::sort(times);
  return times.empty() ? 0 : times[times.size() / 2];
}

}  // namespace kiseki::bench
