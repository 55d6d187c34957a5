#include "bench/s3_client.h"

#include <arpa/inet.h>
#include <array>
#include <ctime>
#include <fmt/format.h>
#include <netinet/tcp.h>
#include <stdexcept>
#include <strings.h>
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
std::string signed_head(const Endpoint& endpoint, std::string_view method, std::string_view target,
                        View body) {
  const std::size_t mark = std::min(target.find('?'), target.size());
  const std::string_view path = target.substr(0, mark);
  const std::string_view query = target.substr(std::min(mark + 1, target.size()));
  const std::string time = time_text("%Y%m%dT%H%M%SZ");
  const std::string day = time.substr(0, 8);
  const std::string digest = endpoint.sign_body ? hex_sha256(body) : "UNSIGNED-PAYLOAD";
  const std::string host = fmt::format("{}:{}", endpoint.host, endpoint.port);
  const std::string_view names = "host;x-amz-content-sha256;x-amz-date";
  const std::string canonical =
      fmt::format("{}\n{}\n{}\nhost:{}\nx-amz-content-sha256:{}\nx-amz-date:{}\n\n{}\n{}", method, path,
                  query, host, digest, time, names, digest);
  const std::string scope = fmt::format("{}/{}/s3/aws4_request", day, endpoint.region);
  const std::string text =
      fmt::format("AWS4-HMAC-SHA256\n{}\n{}\n{}", time, scope, hex_sha256(as_view(canonical)));
  const auto day_key = mac(as_view("AWS4" + endpoint.secret_key), day);
  const auto signing_key = mac(mac(mac(day_key, endpoint.region), "s3"), "aws4_request");
  return fmt::format(
      "{} {} HTTP/1.1\r\nHost: {}\r\nContent-Length: {}\r\nx-amz-content-sha256: {}\r\nx-amz-date: {}\r\n"
      "Authorization: AWS4-HMAC-SHA256 Credential={}/{}, SignedHeaders={}, Signature={}\r\n\r\n",
      method, target, host, body.size(), digest, time, endpoint.access_key, scope, names,
      to_hex(mac(signing_key, text)));
}

/// The value of a field of a response's head; every line of it ends in CRLF.
std::string_view field_of(std::string_view head, std::string_view name) {
  for (std::size_t line = head.find("\r\n") + 2; line < head.size();) {
    const std::string_view text = head.substr(line, head.find("\r\n", line) - line);
    if (text.size() > name.size() + 2 && text[name.size()] == ':' &&
        ::strncasecmp(text.data(), name.data(), name.size()) == 0) {
      return text.substr(name.size() + 2);
    }
    line += text.size() + 2;
  }
  return {};
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

Answer S3Client::request(std::string_view method, std::string_view target, View body) {
  send_all(signed_head(endpoint_, method, target, body), body);
  return read_answer(method != "HEAD");
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

Answer S3Client::read_answer(bool has_body) {
  std::array<char, 256 * 1024> chunk;
  const auto receive = [&](std::size_t most) {
    const ssize_t count = ::recv(socket_, chunk.data(), std::min(chunk.size(), most), 0);
    if (count <= 0) throw std::runtime_error("the server closed the connection");
    return std::string_view(chunk.data(), static_cast<std::size_t>(count));
  };
  input_.clear();
  std::size_t end = std::string::npos;
  while ((end = input_.find("\r\n\r\n")) == std::string::npos) input_ += receive(chunk.size());
  const std::string_view head = std::string_view(input_).substr(0, end + 2);
  Answer answer;
  answer.status = std::atoi(input_.c_str() + 9);
  answer.etag = field_of(head, "etag");
  answer.text = input_.substr(end + 4);
  answer.received = answer.text.size();
  const Bytes length = std::strtoull(std::string(field_of(head, "content-length")).c_str(), nullptr, 10);
  while (has_body && answer.received < length) {
    const std::string_view more = receive(length - answer.received);
    answer.received += more.size();
    if (answer.text.size() < 4_KiB) answer.text += more;
  }
  return answer;
}

}  // namespace kiseki::bench
