#pragma once

#include <memory>
#include <string>

#include "crypto/hash_lanes.h"
#include "s3/access_log.h"
#include "s3/http_server.h"
#include "s3/routes.h"

namespace kiseki::s3 {

/// The S3 face on one core. Every request goes the same way: parse, authenticate, authorise, use case,
/// render.
class Service final : public HttpHandler {
 public:
  struct Ports {
    fs::Namespaces* namespaces = nullptr;
    fs::Objects* objects = nullptr;
    fs::Uploads* uploads = nullptr;
    Credentials* credentials = nullptr;
    Clock* clock = nullptr;
    Rng* rng = nullptr;
    Executor executor;
    MemoryBudget* memory = nullptr;
    AccessLog* access_log = nullptr;  ///< None: off.
  };

  /// All of `ports` outlive it.
  Service(Ports ports, ServiceOptions options);

  Task<> serve(HttpStream& stream) override;
  Task<> refuse_head(HttpStream& stream) override;
  Task<> refuse_connection(HttpStream& stream) override;

 private:
  /// One request under way.
  struct Exchange {
    HttpStream& stream;
    BootTime start;
    AccessRecord record;
    MemoryBudget::Permit memory{};  ///< For the documents of the request and its answer.
  };

  Exchange begin(HttpStream& stream);
  void end(Exchange& exchange);
  Task<S3Result<Reply>> answer(Exchange& exchange);
  Task<S3Result<Reply>> try_answer(Exchange& exchange);
  Task<S3Result<>> take_memory(Exchange& exchange, const Selection& selected, Body& body);
  Task<S3Result<Reply>> perform(Exchange& exchange, const Selection& selected, const Address& address,
                                const Query& query, Identity identity);
  void note_answer(Exchange& exchange, unsigned status) const;
  Task<> respond(Exchange& exchange, HttpResponse head, View body);
  Task<> render(Exchange& exchange, Reply reply);
  Task<> render_object(Exchange& exchange, Reply reply);
  Task<> render_error(Exchange& exchange, S3Error error);
  void report(const Exchange& exchange, const S3Error& error) const;
  std::string next_request_id();

  Ports ports_;
  ServiceOptions options_;
  Authenticator authenticator_;
  crypto::HashLanes lanes_;  // of this core
  std::string host_id_;
  std::uint64_t request_base_;
  std::uint64_t requests_ = 0;
};

}  // namespace kiseki::s3
