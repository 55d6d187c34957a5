#include "s3/http_server.h"

#include <boost/asio/ip/tcp.hpp>

#include "base/endpoint.h"
#include "base/logging.h"
#include "base/metrics.h"
#include "s3/time_format.h"

namespace kiseki::s3 {

namespace {

using tcp = asio::ip::tcp;
constexpr auto token = asio::as_tuple(use_task);
/// How late a wait for a peer may end.
constexpr Duration tick_interval = std::chrono::milliseconds(100);
/// After the process ran out of descriptors: long enough for some to come back.
constexpr Duration accept_pause = std::chrono::milliseconds(100);

metrics::Gauge connections_open("kiseki_s3_connections", "Open S3 connections.");
metrics::Counter connections_refused("kiseki_s3_connections_refused_total",
                                     "S3 connections beyond the limit.");

metrics::Counter connections_failed("kiseki_s3_connections_out_of_memory_total",
                                    "S3 connections ended because memory could not be had.");

Result<tcp::endpoint> endpoint_of(std::string_view text) {
  const auto parsed = parse_endpoint(text);
  if (!parsed) return fail(parsed.error());
  return tcp::endpoint(asio::ip::make_address(parsed->address), parsed->port);
}

}  // namespace

struct HttpCore::Connection {
  HttpStream stream;
  Admission admission;
  std::move_only_function<void()> ended;
};

HttpCore::HttpCore(Executor executor, Clock& clock, HttpHandler& handler, const HttpOptions& options)
    : clock_(clock), handler_(handler), options_(options), ticker_(executor), scope_(executor) {}

void HttpCore::renew_time() {
  time_.now = clock_.now();
  time_.date = http_date(unix_seconds(clock_.wall()));
}

void HttpCore::adopt(Socket socket, Admission admission, std::move_only_function<void()> ended,
                     std::string peer) {
  if (stopping_) {
    ended();
    return;
  }
  if (!ticking_) {
    ticking_ = true;
    renew_time();
    ticker_.spawn(tick());
  }
  auto connection = std::unique_ptr<Connection>(new Connection{
      HttpStream(std::move(socket), std::move(peer), {time_, options_.limits}), admission, std::move(ended)});
  connections_.push_back(connection.get());
  scope_.spawn(run(std::move(connection)));
}

Task<> HttpCore::run(std::unique_ptr<Connection> connection) {
  connections_open.add(1);
  try {
    co_await serve(*connection);
    co_await connection->stream.close();
  } catch (const std::bad_alloc&) {
    connections_failed.add();
    connection->stream.abort();
  }
  std::erase(connections_, connection.get());
  connections_open.add(-1);
  connection->ended();
}

Task<> HttpCore::serve(Connection& connection) {
  HttpStream& stream = connection.stream;
  for (;;) {
    const NextRequest next = co_await stream.next_request();
    if (next == NextRequest::ended) co_return;
    if (next == NextRequest::refused) {
      co_await handler_.refuse_head(stream);
      co_return;
    }
    if (connection.admission == Admission::refused) {
      co_await handler_.refuse_connection(stream);
      co_return;
    }
    co_await handler_.serve(stream);
    if (!co_await stream.finish()) co_return;
  }
}

Task<> HttpCore::tick() {
  while (co_await ticker_.sleep(clock_, tick_interval)) {
    renew_time();
    for (Connection* connection : connections_) connection->stream.expire();
  }
}

Task<> HttpCore::stop() {
  stopping_ = true;
  for (Connection* connection : connections_) connection->stream.stop_when_idle();
  const BootTime end = clock_.now() + options_.stop_grace;
  while (!connections_.empty() && clock_.now() < end) {
    co_await clock_.sleep(std::chrono::milliseconds(10));
  }
  for (Connection* connection : connections_) connection->stream.abort();
  co_await scope_.stop();
  co_await ticker_.stop();
}

/// Lives on the first core; counts the connections of all.
class HttpServer::Acceptor {
 public:
  Acceptor(std::vector<Place> places, HttpOptions options)
      : options_(std::move(options)),
        places_(std::move(places)),
        acceptor_(places_.at(0).core->executor()),
        scope_(places_.at(0).core->executor()) {
    for (const Place& place : places_) {
      cores_.push_back(
          std::make_unique<HttpCore>(place.core->executor(), place.core->clock(), *place.handler, options_));
    }
  }

  Result<> start() {
    auto endpoint = endpoint_of(options_.address);
    if (!endpoint) return fail(std::move(endpoint).error());
    boost::system::error_code error;
    acceptor_.open(endpoint->protocol(), error);
    if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor_.bind(*endpoint, error);
    if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
    if (error)
      return fail(Errc::io_error, fmt::format("listen on {}: {}", options_.address, error.message()));
    scope_.spawn(accept());
    return {};
  }

  std::string endpoint() const {
    boost::system::error_code error;
    const auto local = acceptor_.local_endpoint(error);
    const char* const format = local.address().is_v6() ? "[{}]:{}" : "{}:{}";
    return fmt::format(fmt::runtime(format), local.address().to_string(), local.port());
  }

  Task<> stop() {
    boost::system::error_code ignored;
    acceptor_.close(ignored);
    co_await scope_.stop();
    for (std::size_t i = 0; i < cores_.size(); ++i) {
      co_await on(places_[i].core->executor(), cores_[i]->stop());
    }
  }

 private:
  Task<> accept() {
    for (std::size_t next = 0; acceptor_.is_open(); next = (next + 1) % cores_.size()) {
      const Executor target = places_[next].core->executor();
      auto [error, socket] = co_await acceptor_.async_accept(target, token);
      if (!acceptor_.is_open()) co_return;
      if (error) {
        if (error != asio::error::connection_aborted) {
          log::warning("s3", "accept: {}", error.message());
          co_await scope_.sleep(places_[0].core->clock(), accept_pause);
        }
        continue;
      }
      hand_over(std::move(socket), *cores_[next], target);
    }
  }

  template <class Accepted>
  void hand_over(Accepted socket, HttpCore& core, const Executor& target) {
    boost::system::error_code ignored;
    socket.set_option(tcp::no_delay(true), ignored);
    const std::string peer = socket.remote_endpoint(ignored).address().to_string();
    auto admission = HttpCore::Admission::served;
    if (count_.fetch_add(1) >= options_.connections_max) {
      connections_refused.add();
      admission = HttpCore::Admission::refused;
      // Beyond twice the limit not even an answer is affordable.
      if (count_.load() > 2 * options_.connections_max) {
        count_.fetch_sub(1);
        return;
      }
    }
    asio::post(target, [this, &core, admission, peer, moved = Socket(std::move(socket))]() mutable {
      core.adopt(std::move(moved), admission, [this] { count_.fetch_sub(1); }, std::move(peer));
    });
  }

  HttpOptions options_;
  std::vector<Place> places_;
  std::vector<std::unique_ptr<HttpCore>> cores_;
  asio::basic_socket_acceptor<tcp, Executor> acceptor_;
  Scope scope_;
  std::atomic<std::size_t> count_{0};
};

HttpServer::HttpServer(std::vector<Place> places, HttpOptions options)
    : acceptor_(std::make_unique<Acceptor>(std::move(places), std::move(options))) {}
HttpServer::~HttpServer() = default;

Result<> HttpServer::start() { return acceptor_->start(); }
std::string HttpServer::endpoint() const { return acceptor_->endpoint(); }
Task<> HttpServer::stop() { co_await acceptor_->stop(); }

}  // namespace kiseki::s3
