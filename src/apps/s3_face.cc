#include "apps/s3_face.h"

#include "base/rng.h"
#include "s3/credentials.h"
#include "s3/service.h"

namespace kiseki::apps {

namespace {

/// S3 on one core.
struct CoreFace {
  CoreFace(const S3Face::Place& place, const s3::ServiceOptions& options, const S3Face::Shared& shared)
      : credentials(*place.identities),
        service({.namespaces = &place.file_system->namespaces(),
                 .objects = &place.file_system->objects(),
                 .uploads = &place.file_system->uploads(),
                 .credentials = &credentials,
                 .clock = &place.core->clock(),
                 .rng = &rng,
                 .executor = place.core->executor(),
                 .memory = shared.memory,
                 .access_log = shared.access_log},
                options) {}

  SystemRng rng;
  s3::StoredCredentials credentials;
  s3::Service service;
};

}  // namespace

struct S3Face::State {
  std::vector<std::unique_ptr<CoreFace>> faces;
  std::unique_ptr<s3::HttpServer> server;
};

S3Face::S3Face(std::vector<Place> places, s3::HttpOptions http, s3::ServiceOptions options, Shared shared)
    : state_(new State) {
  std::vector<s3::HttpServer::Place> handlers;
  for (const Place& place : places) {
    state_->faces.push_back(std::make_unique<CoreFace>(place, options, shared));
    handlers.push_back({place.core, &state_->faces.back()->service});
  }
  state_->server = std::make_unique<s3::HttpServer>(std::move(handlers), std::move(http));
}

S3Face::~S3Face() = default;

Task<Result<>> S3Face::start() {
  auto started = state_->server->start();
  if (!started) co_return fail(std::move(started).error().in("s3.listen"));
  co_return Result<>{};
}

Task<> S3Face::stop() { co_await state_->server->stop(); }

std::string S3Face::endpoint() const { return state_->server->endpoint(); }

}  // namespace kiseki::apps
