#include "keys/detail/key_image.h"

#include <cstring>
#include <fmt/format.h>
#include <utility>

#include "base/codec.h"
#include "crypto/hash.h"

namespace kiseki::keys::detail {
namespace {

constexpr std::string_view magic = "KSEKIKEY";
constexpr std::uint8_t format = 1;
constexpr std::size_t header_size = 64;
constexpr std::size_t tenant_size = 40;
constexpr std::size_t checksum_size = 32;

struct Header {
  std::uint32_t tenant_count = 0;
  View fingerprint;
  View system_key;
};

Result<> check_size(std::size_t found, std::size_t expected) {
  if (found < expected)
    return fail(Errc::corrupted, fmt::format("cut short: {} bytes of {}", found, expected));
  if (found > expected)
    return fail(Errc::corrupted, fmt::format("too long: {} bytes for {}", found, expected));
  return {};
}

/// Checks all that tells another file or version from a damaged one.
Result<Header> parse_header(Decoder& in) {
  if (as_text(in.raw(magic.size())) != magic) return fail(Errc::wrong_format, "not a key file of Kiseki");
  const auto found = in.integer<std::uint8_t>();
  if (in.failed()) return fail(Errc::corrupted, "cut short inside its header");
  if (found != format) {
    return fail(Errc::wrong_format, fmt::format("format {}, this build reads {}", found, format));
  }
  const View zero = in.raw(3);
  Header header{
      .tenant_count = in.integer<std::uint32_t>(), .fingerprint = in.raw(16), .system_key = in.raw(32)};
  if (in.failed()) return fail(Errc::corrupted, "cut short inside its header");
  if (!equal(zero, as_view(std::string_view("\0\0\0", 3))) || header.tenant_count > KeyImage::tenants_max) {
    return fail(Errc::corrupted, "impossible header");
  }
  return header;
}

Result<std::map<TenantId, crypto::Key256>> parse_tenants(Decoder& in, std::uint32_t count) {
  std::map<TenantId, crypto::Key256> tenants;
  TenantId last{};
  for (std::uint32_t i = 0; i < count; ++i) {
    const auto tenant = in.id<TenantId>();
    auto key = crypto::Key256::copy_of(in.raw(crypto::Key256::size));
    if (tenant <= last || !key) return fail(Errc::corrupted, "impossible tenant");
    tenants.emplace_hint(tenants.end(), tenant, std::move(*key));
    last = tenant;
  }
  return tenants;
}

}  // namespace

std::array<std::byte, 16> fingerprint_of(const crypto::Key256& system_key) {
  const auto derived =
      crypto::hkdf_sha256(system_key.view(), {}, as_view("kiseki v1 system key fingerprint"));
  std::array<std::byte, 16> fingerprint;
  std::memcpy(fingerprint.data(), derived.view().data(), fingerprint.size());
  return fingerprint;
}

crypto::SecretText KeyImage::encode() const {
  std::string out;
  out.reserve(header_size + tenant_size * tenants.size() + checksum_size);  // no copy of keys in freed memory
  Encoder to(out);
  to.raw(as_view(magic)).integer(format).raw(as_view(std::string_view("\0\0\0", 3)));
  to.integer(static_cast<std::uint32_t>(tenants.size()))
      .raw(fingerprint_of(system_key))
      .raw(system_key.view());
  for (const auto& [tenant, key] : tenants) to.id(tenant).raw(key.view());
  to.raw(crypto::sha256(as_view(out)));
  return crypto::SecretText(std::move(out));
}

Result<KeyImage> KeyImage::parse(View bytes) {
  if (bytes.empty()) return fail(Errc::corrupted, "cut short: it is empty");
  Decoder in(bytes);
  const auto header = parse_header(in);
  if (!header) return fail(header.error());
  const std::size_t covered = header_size + tenant_size * header->tenant_count;
  KISEKI_TRY(check_size(bytes.size(), covered + checksum_size));
  if (!equal(crypto::sha256(bytes.first(covered)), bytes.last(checksum_size))) {
    return fail(Errc::corrupted, "damaged: its checksum does not match");
  }
  auto system_key = crypto::Key256::copy_of(header->system_key);
  if (!system_key) return fail(std::move(system_key).error());
  if (!equal(fingerprint_of(*system_key), header->fingerprint)) {
    return fail(Errc::corrupted, "its fingerprint is not its system key's");
  }
  auto tenants = parse_tenants(in, header->tenant_count);
  if (!tenants) return fail(std::move(tenants).error());
  return KeyImage{.system_key = std::move(*system_key), .tenants = std::move(*tenants)};
}

}  // namespace kiseki::keys::detail
