#pragma once

#include <memory>
#include <string>

#include "s3/http_server.h"
#include "s3/routes.h"

namespace kiseki::s3 {

/// The S3 face on one core. Every request goes the same way: parse, authenticate, authorise, use case,
/// render.
class Service final : public HttpHandler {
 public:
  struct Ports {
    fs::FileSystem* files = nullptr;
    Credentials* credentials = nullptr;
    Clock* clock = nullptr;
    Rng* rng = nullptr;
    Executor executor;
  };

  /// All of `ports` outlive it.
  Service(Ports ports, ServiceOptions options);

  Task<> serve(HttpStream& stream) override;
  Task<> refuse_head(HttpStream& stream) override;
  Task<> refuse_connection(HttpStream& stream) override;

 private:
  Task<S3Result<Reply>> answer(HttpStream& stream);
  Task<S3Result<Reply>> perform(HttpStream& stream, Selection selected, const Address& address,
                                const Query& query, Identity identity);
  Task<> render(HttpStream& stream, Reply reply, std::string request_id);
  Task<> render_error(HttpStream& stream, S3Error error, std::string request_id);
  std::string next_request_id();

  Ports ports_;
  ServiceOptions options_;
  Authenticator authenticator_;
  std::string host_id_;
  std::uint64_t request_base_;
  std::uint64_t requests_ = 0;
};

}  // namespace kiseki::s3
