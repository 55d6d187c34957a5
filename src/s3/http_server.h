#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/core.h"
#include "base/scope.h"
#include "s3/http_stream.h"

namespace kiseki::s3 {

/// What answers requests, on the core of their connections.
class HttpHandler {
 public:
  virtual ~HttpHandler() = default;
  /// Answers one request. Not answering, or answering in part, ends the connection.
  virtual Task<> serve(HttpStream& stream) = 0;
  /// Answers a request whose head is at fault (`stream.fault()`).
  virtual Task<> refuse_head(HttpStream& stream) = 0;
  /// Answers, with at most one response, a connection beyond the limit.
  virtual Task<> refuse_connection(HttpStream& stream) = 0;
};

struct HttpOptions {
  std::string address = "127.0.0.1:9000";         ///< ADDR:PORT; IPv6 in brackets; port 0: any free one.
  std::size_t connections_max = 4096;             ///< Of the process; one more is answered with 503.
  Duration stop_grace = std::chrono::seconds(5);  ///< For requests under way when the server stops.
  HttpLimits limits;
};

/// An HTTP/1.1 server: one acceptor on the first core, connections spread over all of them.
class HttpServer {
 public:
  /// A core and the handler for its connections; both outlive the server.
  struct Place {
    Core* core;
    HttpHandler* handler;
  };

  HttpServer(std::vector<Place> places, HttpOptions options);
  /// Stopped, or never started.
  ~HttpServer();

  /// Listens and starts to accept. `invalid_argument` for an address that is none; `io_error` with the
  /// system's words when it cannot be had. Called on the first core, or before its loop runs.
  Result<> start();
  /// Where it listens: "127.0.0.1:9000".
  std::string endpoint() const;
  /// No new connections; requests under way get the grace. Called on the first core.
  Task<> stop();

 private:
  class Acceptor;
  std::unique_ptr<Acceptor> acceptor_;
};

/// The connections of one core. Every call on that core.
class HttpCore {
 public:
  /// All outlive it.
  HttpCore(Executor executor, Clock& clock, HttpHandler& handler, const HttpOptions& options);

  /// How a new connection is met.
  enum class Admission : std::uint8_t { served, refused };
  /// `ended` is called when the connection has ended. `peer`: the address it comes from.
  void adopt(Socket socket, Admission admission, std::move_only_function<void()> ended,
             std::string peer = {});
  Task<> stop();

 private:
  struct Connection;
  Task<> run(std::unique_ptr<Connection> connection);
  Task<> serve(Connection& connection);
  Task<> tick();
  void renew_time();

  Clock& clock_;
  HttpHandler& handler_;
  const HttpOptions& options_;
  HttpTime time_;
  std::vector<Connection*> connections_;
  bool stopping_ = false;
  bool ticking_ = false;
  Scope ticker_;
  Scope scope_;
};

}  // namespace kiseki::s3
