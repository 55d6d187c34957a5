#pragma once

#include <functional>
#include <memory>

#include <boost/asio/ip/tcp.hpp>

#include "base/clock.h"
#include "base/result.h"
#include "base/task.h"

namespace kiseki::admin_api {

/// Answers one request: method and target as on the request line.
std::string answer_probe(std::string_view method, std::string_view target, bool ready);

/// HTTP for machines that watch the node: `/healthz` (the process lives), `/readyz` (it serves), `/metrics`
/// (Prometheus text), and nothing else. One request a connection.
class ProbeServer {
 public:
  using Acceptor = asio::basic_socket_acceptor<asio::ip::tcp, Executor>;

  /// `acceptor` listens already; `ready` is asked on its core.
  ProbeServer(Acceptor acceptor, Clock& clock, std::function<bool()> ready);
  ~ProbeServer();

  void start();
  Task<> stop();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace kiseki::admin_api
