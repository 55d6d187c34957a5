#include "admin_api/probe_server.h"

#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>

#include "admin_api/detail/listener.h"
#include "base/metrics.h"

namespace kiseki::admin_api {

using Listener = detail::Listener<asio::ip::tcp>;

namespace {

constexpr std::size_t head_max = 8_KiB;

struct Answer {
  std::string_view status;
  std::string_view type;
  std::string body;
};

Answer choose(std::string_view method, std::string_view target, bool ready) {
  constexpr std::string_view plain = "text/plain; charset=utf-8";
  if (method != "GET" && method != "HEAD") return {"405 Method Not Allowed", plain, "GET or HEAD\n"};
  if (target == "/healthz") return {"200 OK", plain, "ok\n"};
  if (target == "/readyz" && ready) return {"200 OK", plain, "ready\n"};
  if (target == "/readyz") return {"503 Service Unavailable", plain, "not ready\n"};
  if (target == "/metrics") return {"200 OK", "text/plain; version=0.0.4", metrics::render()};
  return {"404 Not Found", plain, "/healthz, /readyz, /metrics\n"};
}

Task<> serve(const std::function<bool()>& ready, Listener::Socket& socket) {
  std::string head;
  auto [error, size] = co_await asio::async_read_until(socket, asio::dynamic_buffer(head, head_max),
                                                       "\r\n\r\n", asio::as_tuple(use_task));
  if (error) co_return;
  const std::string_view line = std::string_view(head).substr(0, head.find("\r\n"));
  const std::size_t first = line.find(' '), second = line.find(' ', first + 1);
  if (second == std::string_view::npos) co_return;
  const std::string reply =
      answer_probe(line.substr(0, first), line.substr(first + 1, second - first - 1), ready());
  co_await asio::async_write(socket, asio::buffer(reply), asio::as_tuple(use_task));
}

}  // namespace

std::string answer_probe(std::string_view method, std::string_view target, bool ready) {
  const Answer answer = choose(method, target, ready);
  std::string reply = fmt::format(
      "HTTP/1.1 {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nCache-Control: no-store\r\nConnection: "
      "close\r\n\r\n",
      answer.status, answer.type, answer.body.size());
  if (method != "HEAD") reply += answer.body;
  return reply;
}

struct ProbeServer::State {
  Listener listener;
};

ProbeServer::ProbeServer(Acceptor acceptor, Clock& clock, std::function<bool()> ready)
    : state_(new State{Listener(std::move(acceptor), clock, {},
                                [ready](Listener::Socket& socket) { return serve(ready, socket); })}) {}
ProbeServer::~ProbeServer() = default;

void ProbeServer::start() { state_->listener.start(); }
Task<> ProbeServer::stop() { co_await state_->listener.stop(); }

}  // namespace kiseki::admin_api
