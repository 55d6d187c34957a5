#pragma once

#include <list>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/basic_stream_socket.hpp>

#include "base/clock.h"
#include "base/scope.h"

namespace kiseki::admin_api::detail {

/// Accepts connections on one core until `stop` and serves each for a bounded time; beyond the limit in
/// number a new one is closed at once.
template <class Protocol>
class Listener {
 public:
  using Acceptor = asio::basic_socket_acceptor<Protocol, Executor>;
  using Socket = asio::basic_stream_socket<Protocol, Executor>;
  /// Returns when the connection is served or its socket failed; does not throw.
  using Serve = std::function<Task<>(Socket&)>;

  struct Limits {
    std::size_t connections = 64;
    Duration lifetime = std::chrono::seconds(10);
  };

  /// `acceptor` listens already.
  Listener(Acceptor acceptor, Clock& clock, Limits limits, Serve serve)
      : acceptor_(std::move(acceptor)),
        clock_(clock),
        limits_(limits),
        serve_(std::move(serve)),
        scope_(acceptor_.get_executor()) {}

  void start() { scope_.spawn(accept()); }

  Task<> stop() {
    scope_.request_stop();
    boost::system::error_code ignored;
    acceptor_.close(ignored);
    for (Socket* socket : open_) socket->close(ignored);
    co_await scope_.stop();
  }

 private:
  Task<> accept() {
    while (!scope_.stopping()) {
      auto [error, socket] = co_await acceptor_.async_accept(asio::as_tuple(use_task));
      if (scope_.stopping()) co_return;
      if (error) {  // out of descriptors, or the peer is gone already
        co_await scope_.sleep(clock_, std::chrono::milliseconds(50));
      } else if (open_.size() < limits_.connections) {
        scope_.spawn(serve(std::move(socket)));
      }
    }
  }

  Task<> serve(Socket socket) {
    const auto place = open_.insert(open_.end(), &socket);
    const auto deadline = clock_.at(clock_.now() + limits_.lifetime, [&socket] {
      boost::system::error_code ignored;
      socket.close(ignored);
    });
    co_await serve_(socket);
    clock_.cancel(deadline);
    open_.erase(place);
  }

  Acceptor acceptor_;
  Clock& clock_;
  Limits limits_;
  Serve serve_;
  std::list<Socket*> open_;
  Scope scope_;
};

}  // namespace kiseki::admin_api::detail
