#pragma once

#include <map>
#include <string>
#include <vector>

#include "s3/service.h"
#include "s3/testing/memory_files.h"
#include "sim/simulated_clock.h"

namespace kiseki::s3::testing {

inline constexpr const char* example_key = "AKIAIOSFODNN7EXAMPLE";
inline constexpr const char* example_secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
/// 2013-05-24T00:00:00Z, the moment of the examples in the S3 API reference.
inline constexpr std::int64_t example_time = 1'369'353'600;

/// The example key of the S3 API reference, and a second tenant's "OTHER" with the secret "other".
class FixedCredentials final : public Credentials {
 public:
  Task<Result<fs::Credential>> find(std::string access_key) override;
  /// A key of the first tenant whose secret is its id. `policies`: of the user alice.
  void add(std::string id, std::vector<std::string> policies, const std::string& limits = {});

 private:
  std::map<std::string, std::shared_ptr<const fs::KeyRights>>
      limited_;  // as the cache of identities has them
};

/// Keeps every line.
class MemoryAccessLog final : public AccessLog {
 public:
  void append(std::string line) override { lines.push_back(std::move(line)); }
  std::vector<std::string> lines;
};

struct Request {
  std::string method = "GET";
  std::string target = "/";
  std::map<std::string, std::string> fields = {};
  std::string body = {};
  std::string access_key = example_key;
  std::string secret = example_secret;
};

struct Response {
  unsigned status = 0;
  std::map<std::string, std::string> fields;  ///< Lower-case names.
  std::string body;

  std::string field(const std::string& name) const;
  /// Text of the first element of that name.
  std::string element(const std::string& name) const;
};

/// The whole face on virtual time, with sockets that are pairs inside the process.
class Harness {
 public:
  explicit Harness(ServiceOptions options = {});
  ~Harness();

  /// Sends the bytes on one connection, ends sending, and gives back all that comes.
  std::string exchange(std::string bytes);
  /// Signs (with the payload's hash, unless x-amz-content-sha256 is given) and sends.
  Response send(const Request& request);
  /// As it would go over the wire.
  static std::string signed_request(Request request);
  static std::vector<Response> parse(std::string_view bytes, std::string_view method = "GET");

  MemoryFiles& files() noexcept { return files_; }
  FixedCredentials& credentials() noexcept { return credentials_; }
  sim::SimulatedLoop& loop() noexcept { return loop_; }
  sim::SimulatedClock& clock() noexcept { return clock_; }
  std::vector<std::string>& access_lines() noexcept { return access_log_.lines; }
  MemoryBudget& memory() noexcept { return memory_; }
  HttpCore& core() noexcept { return core_; }
  /// Both ends of a connection.
  std::pair<Socket, Socket> connect();

 private:
  sim::SimulatedLoop loop_;
  sim::SimulatedClock clock_{loop_};
  SeededRng rng_{1};
  MemoryFiles files_;
  FixedCredentials credentials_;
  MemoryBudget memory_{32_MiB};
  MemoryAccessLog access_log_;
  HttpOptions http_;
  Service service_;
  HttpCore core_;
};

}  // namespace kiseki::s3::testing
