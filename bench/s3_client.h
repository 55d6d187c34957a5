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

struct Answer {
  int status = 0;
  Bytes received = 0;  ///< Length of the body.
  std::string text;    ///< Of the body, its beginning.
  std::string etag;    ///< As it came, with quotes.
};

/// One persistent blocking connection to an S3 server; requests signed with SigV4. Throws on what a benchmark
/// cannot go on from.
class S3Client {
 public:
  explicit S3Client(const Endpoint& endpoint);
  S3Client(const S3Client&) = delete;
  S3Client& operator=(const S3Client&) = delete;
  ~S3Client();

  /// `target` is encoded, its query in canonical order ("uploads=" for a name alone).
  Answer request(std::string_view method, std::string_view target, View body = {});

 private:
  void send_all(std::string_view head, View body);
  Answer read_answer(bool has_body);

  Endpoint endpoint_;
  int socket_;
  std::string input_;
};

}  // namespace kiseki::bench
