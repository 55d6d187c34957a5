#include "base/endpoint.h"

#include <fmt/format.h>

#include <boost/asio/ip/address.hpp>

#include "base/encoding.h"

namespace kiseki {

Result<Endpoint> parse_endpoint(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  Endpoint endpoint;
  std::string_view address = text.substr(0, colon == std::string_view::npos ? 0 : colon);
  if (address.size() > 2 && address.front() == '[' && address.back() == ']') {
    address = address.substr(1, address.size() - 2);
  } else if (address.find(':') != std::string_view::npos) {
    address = {};
  }
  boost::system::error_code error;
  const auto parsed = boost::asio::ip::make_address(address, error);
  const std::string_view port = text.substr(colon + 1);
  const auto number = parse_decimal<std::uint16_t>(port);
  if (error || !number) {
    return fail(Errc::invalid_argument,
                fmt::format("'{}' is not ADDRESS:PORT, such as 127.0.0.1:9000 or [::1]:9000", text));
  }
  endpoint.address = address;
  endpoint.port = *number;
  endpoint.is_loopback = parsed.is_loopback();
  return endpoint;
}

}  // namespace kiseki
