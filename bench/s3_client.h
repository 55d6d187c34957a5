#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/buffer.h"

namespace kiseki::bench {

struct Endpoint {
  std::string host;
  std::uint16_t port = 0;
  std::string access_key, secret_key, region = "us-east-1";
  bool sign_body = true;  ///< A real SHA-256 of every body, or UNSIGNED-PAYLOAD.
};

/// One persistent blocking connection to an S3 server; requests signed with SigV4. Throws on what a benchmark
/// cannot go on from.
class S3Client {
 public:
  explicit S3Client(const Endpoint& endpoint);
  S3Client(const S3Client&) = delete;
  S3Client& operator=(const S3Client&) = delete;
  ~S3Client();

  /// The status; the answer's body is read and thrown away, its length goes to `received`.
  int request(std::string_view method, std::string_view path, View body, Bytes& received);

 private:
  void send_all(std::string_view head, View body);
  int read_answer(bool has_body, Bytes& received);

  Endpoint endpoint_;
  int socket_;
  std::string input_;
};

}  // namespace kiseki::bench
