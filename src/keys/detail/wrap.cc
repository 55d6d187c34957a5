#include "keys/detail/wrap.h"

#include <cstring>
#include <fmt/format.h>
#include <utility>

#include "base/codec.h"
#include "crypto/aead.h"

namespace kiseki::keys::detail {
namespace {

constexpr std::uint8_t format = 1;

}  // namespace

std::string wrap(const crypto::Key256& key, Rng& rng, View associated, View plaintext) {
  const crypto::Nonce192 nonce = crypto::random_nonce(rng);
  std::string out;
  Encoder(out).integer(format).raw(nonce).raw(crypto::seal_record(key, nonce, associated, plaintext).view());
  return out;
}

Result<std::string> unwrap(const crypto::Key256& key, View associated, View wrapped) {
  Decoder in(wrapped);
  const auto found = in.integer<std::uint8_t>();
  if (!in.failed() && found != format) {
    return fail(Errc::wrong_format, fmt::format("wrapped secret has format {}, not {}", found, format));
  }
  crypto::Nonce192 nonce;
  const View nonce_bytes = in.raw(nonce.size());
  const View sealed = in.rest();
  KISEKI_TRY(in.finish("wrapped secret"));
  std::memcpy(nonce.data(), nonce_bytes.data(), nonce.size());
  return crypto::open_record(key, nonce, associated, sealed);
}

Result<crypto::Key256> take_key(std::string text) {
  const crypto::SecretText secret(std::move(text));
  if (secret.text().size() != crypto::Key256::size) {
    return fail(Errc::corrupted, fmt::format("unwrapped key has {} bytes", secret.text().size()));
  }
  return crypto::Key256::copy_of(as_view(secret.text()));
}

}  // namespace kiseki::keys::detail
