#pragma once

#include <string>

#include <boost/asio/ip/tcp.hpp>

#include "base/result.h"
#include "base/task.h"

namespace kiseki::apps {

using Acceptor = asio::basic_socket_acceptor<asio::ip::tcp, Executor>;

/// Listens on "ADDRESS:PORT". The error says which address and why: in use, not allowed, not this machine's.
Result<Acceptor> listen(Executor executor, const std::string& endpoint);
/// Where it listens, as "ADDRESS:PORT".
std::string endpoint_of(const Acceptor& acceptor);

}  // namespace kiseki::apps
