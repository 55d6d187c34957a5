#include "bench/s3_client.h"

#include <arpa/inet.h>
#include <array>
#include <ctime>
#include <fmt/format.h>
#include <netinet/tcp.h>
#include <stdexcept>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "crypto/hash.h"

namespace kiseki::bench {

namespace {

std::string hex_sha256(View bytes) { return to_hex(crypto::sha256(bytes)); }

crypto::Digest256 mac(View key, std::string_view text) { return crypto::hmac_sha256(key, {as_view(text)}); }

std::string time_text(const char* format) {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), format, &parts);
  return text.data();
}

/// The head of a signed request (AWS Signature Version 4).
std::string signed_head(const Endpoint& endpoint, std::string_view method, std::string_view path, View body) {
  const std::string time = time_text("%Y%m%dT%H%M%SZ");
  const std::string day = time.substr(0, 8);
  const std::string digest = endpoint.sign_body ? hex_sha256(body) : "UNSIGNED-PAYLOAD";
  const std::string host = fmt::format("{}:{}", endpoint.host, endpoint.port);
  const std::string_view names = "host;x-amz-content-sha256;x-amz-date";
  const std::string canonical =
      fmt::format("{}\n{}\n\nhost:{}\nx-amz-content-sha256:{}\nx-amz-date:{}\n\n{}\n{}", method, path, host,
                  digest, time, names, digest);
  const std::string scope = fmt::format("{}/{}/s3/aws4_request", day, endpoint.region);
  const std::string text =
      fmt::format("AWS4-HMAC-SHA256\n{}\n{}\n{}", time, scope, hex_sha256(as_view(canonical)));
  const auto day_key = mac(as_view("AWS4" + endpoint.secret_key), day);
  const auto signing_key = mac(mac(mac(day_key, endpoint.region), "s3"), "aws4_request");
  return fmt::format(
      "{} {} HTTP/1.1\r\nHost: {}\r\nContent-Length: {}\r\nx-amz-content-sha256: {}\r\nx-amz-date: {}\r\n"
      "Authorization: AWS4-HMAC-SHA256 Credential={}/{}, SignedHeaders={}, Signature={}\r\n\r\n",
      method, path, host, body.size(), digest, time, endpoint.access_key, scope, names,
      to_hex(mac(signing_key, text)));
}

}  // namespace

S3Client::S3Client(const Endpoint& endpoint)
    : endpoint_(endpoint), socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(endpoint.port);
  if (socket_ < 0 || inet_pton(AF_INET, endpoint.host.c_str(), &address.sin_addr) != 1 ||
      ::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    throw std::runtime_error(fmt::format("cannot connect to {}:{}", endpoint.host, endpoint.port));
  }
  const int on = 1;
  ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

S3Client::~S3Client() { ::close(socket_); }

int S3Client::request(std::string_view method, std::string_view path, View body, Bytes& received) {
  send_all(signed_head(endpoint_, method, path, body), body);
  return read_answer(method != "HEAD", received);
}

void S3Client::send_all(std::string_view head, View body) {
  while (!head.empty() || !body.empty()) {
    std::array<iovec, 2> parts{
        {{const_cast<char*>(head.data()), head.size()}, {const_cast<std::byte*>(body.data()), body.size()}}};
    const ssize_t count = ::writev(socket_, parts.data(), parts.size());
    if (count <= 0) throw std::runtime_error("the server closed the connection");
    const auto sent = static_cast<std::size_t>(count);
    const std::size_t of_head = std::min(sent, head.size());
    head.remove_prefix(of_head);
    body = body.subspan(sent - of_head);
  }
}

int S3Client::read_answer(bool has_body, Bytes& received) {
  std::array<char, 256 * 1024> chunk;
  input_.clear();
  std::size_t end = std::string::npos;
  while ((end = input_.find("\r\n\r\n")) == std::string::npos) {
    const ssize_t count = ::recv(socket_, chunk.data(), chunk.size(), 0);
    if (count <= 0) throw std::runtime_error("the server closed the connection");
    input_.append(chunk.data(), static_cast<std::size_t>(count));
  }
  Bytes length = 0;
  const std::string_view head = std::string_view(input_).substr(0, end);
  for (const std::string_view name : {"\r\nContent-Length: ", "\r\ncontent-length: "}) {
    if (const auto at = head.find(name); at != std::string_view::npos) {
      length = std::strtoull(head.data() + at + name.size(), nullptr, 10);
    }
  }
  received = input_.size() - end - 4;
  while (has_body && received < length) {
    const ssize_t count = ::recv(socket_, chunk.data(), std::min<Bytes>(chunk.size(), length - received), 0);
    if (count <= 0) throw std::runtime_error("the answer ended early");
    received += static_cast<Bytes>(count);
  }
  return std::atoi(input_.c_str() + 9);
}

}  // namespace kiseki::bench
