#include "apps/listen.h"

#include "base/endpoint.h"

namespace kiseki::apps {

Result<Acceptor> listen(Executor executor, const std::string& endpoint) {
  const auto parsed = parse_endpoint(endpoint);
  if (!parsed) return fail(parsed.error());
  const asio::ip::tcp::endpoint where(asio::ip::make_address(parsed->address), parsed->port);
  Acceptor acceptor(executor);
  boost::system::error_code error;
  acceptor.open(where.protocol(), error);
  if (!error) acceptor.set_option(asio::socket_base::reuse_address(true), error);
  if (!error) acceptor.bind(where, error);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error == asio::error::address_in_use) {
    return fail(Errc::busy, fmt::format("{} is in use by another program", endpoint));
  }
  if (error) return fail(Errc::denied, fmt::format("cannot listen on {}: {}", endpoint, error.message()));
  return acceptor;
}

std::string endpoint_of(const Acceptor& acceptor) {
  boost::system::error_code error;
  const auto where = acceptor.local_endpoint(error);
  const std::string address = where.address().to_string();
  return where.address().is_v6() ? fmt::format("[{}]:{}", address, where.port())
                                 : fmt::format("{}:{}", address, where.port());
}

}  // namespace kiseki::apps
