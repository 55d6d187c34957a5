#include "admin_api/admin_server.h"

#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>

#include "admin_api/detail/listener.h"
#include "admin_api/socket_path.h"

namespace kiseki::admin_api {

using Protocol = asio::local::stream_protocol;
using Listener = detail::Listener<Protocol>;

namespace {

Task<> serve(Commands& commands, Listener::Socket& socket) {
  std::string line;
  auto [read_error, size] = co_await asio::async_read_until(
      socket, asio::dynamic_buffer(line, AdminServer::request_max), '\n', asio::as_tuple(use_task));
  if (read_error) co_return;
  line.resize(size - 1);
  std::string reply = co_await commands.answer(std::move(line));
  reply += '\n';
  co_await asio::async_write(socket, asio::buffer(reply), asio::as_tuple(use_task));
}

Result<Listener::Acceptor> listen(const SocketPath& path, Executor executor) {
  Listener::Acceptor acceptor(executor);
  boost::system::error_code error;
  ::unlink(path.text().c_str());
  acceptor.open(Protocol(), error);
  // The mode of a socket's file is that of the socket at bind, less the umask.
  if (!error && ::fchmod(acceptor.native_handle(), S_IRUSR | S_IWUSR) != 0) {
    error.assign(errno, boost::system::system_category());
  }
  if (!error) acceptor.bind(Protocol::endpoint(path.text()), error);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error) return fail(Errc::io_error, fmt::format("{}: {}", socket_name, error.message()));
  return acceptor;
}

}  // namespace

struct AdminServer::State {
  SocketPath path;
  Listener listener;
};

Result<std::unique_ptr<AdminServer>> AdminServer::open(const std::filesystem::path& directory,
                                                       Executor executor, Clock& clock, Commands& commands) {
  auto path = SocketPath::open(directory);
  if (!path) return fail(std::move(path).error());
  auto acceptor = listen(*path, executor);
  if (!acceptor) return fail(std::move(acceptor).error());
  // Deleting a bucket may take a while; an administrator waits for it.
  const Listener::Limits limits{.connections = 16, .lifetime = std::chrono::minutes(10)};
  std::unique_ptr<State> state(new State{
      std::move(*path), Listener(std::move(*acceptor), clock, limits,
                                 [&commands](Listener::Socket& socket) { return serve(commands, socket); })});
  return std::unique_ptr<AdminServer>(new AdminServer(std::move(state)));
}

AdminServer::AdminServer(std::unique_ptr<State> state) : state_(std::move(state)) {}
AdminServer::~AdminServer() = default;

void AdminServer::start() { state_->listener.start(); }

Task<> AdminServer::stop() {
  ::unlink(state_->path.text().c_str());
  co_await state_->listener.stop();
}

}  // namespace kiseki::admin_api
