#include <algorithm>
#include <fmt/format.h>

#include "base/codec.h"
#include "crypto/hash.h"
#include "keys/detail/key_descriptor.h"
#include "keys/detail/wrap.h"
#include "keys/keys.h"

namespace kiseki::keys {

using detail::KeyDescriptor;

namespace {

enum class Purpose : std::uint8_t { permanent = 1, epoch_root = 2 };

/// Where a wrapped secret stands; part of what its wrap authenticates.
struct Place {
  TenantId tenant;
  NamespaceId ns;
  Purpose purpose;
  KeyEpoch epoch;

  std::string associated() const {
    std::string out = "kiseki v1 descriptor";
    Encoder(out).enumerator(purpose).id(tenant).id(ns).id(epoch);
    return out;
  }
  std::string words() const {
    return fmt::format("key descriptor of namespace {}, epoch {}", ns.value(), epoch.value());
  }
};

Place permanent_place(TenantId tenant, NamespaceId ns) {
  return {.tenant = tenant, .ns = ns, .purpose = Purpose::permanent, .epoch = {}};
}

Place epoch_place(TenantId tenant, NamespaceId ns, KeyEpoch epoch) {
  return {.tenant = tenant, .ns = ns, .purpose = Purpose::epoch_root, .epoch = epoch};
}

crypto::Key256 wrap_key(const crypto::Key256& system_key) {
  return crypto::hkdf_sha256(system_key.view(), {}, as_view("kiseki v1 descriptor wrap"));
}

crypto::Key256 seal_key(const crypto::Key256& system_key) {
  return crypto::hkdf_sha256(system_key.view(), {}, as_view("kiseki v1 system seal"));
}

std::string seal_associated(View context) {
  std::string out = "kiseki v1 seal";
  Encoder(out).raw(context);
  return out;
}

crypto::Key256 derive(const crypto::Key256& secret, std::string info, NamespaceId ns) {
  Encoder(info).id(ns);
  return crypto::hkdf_sha256(secret.view(), {}, as_view(info));
}

crypto::Key256 derive(const crypto::Key256& root, std::string info, NamespaceId ns, KeyEpoch epoch) {
  Encoder(info).id(ns).id(epoch);
  return crypto::hkdf_sha256(root.view(), {}, as_view(info));
}

Result<KeyDescriptor> parse_for(TenantId tenant, NamespaceId ns, View bytes) {
  auto parsed = KeyDescriptor::parse(bytes);
  if (parsed && (parsed->tenant != tenant || parsed->ns != ns)) {
    return fail(Errc::corrupted, fmt::format("key descriptor of namespace {} is another's", ns.value()));
  }
  return parsed;
}

/// A new random secret, wrapped by the provider and then by the system key.
Task<Result<std::string>> new_wrapped(const crypto::Key256& system_key, Provider& provider, Rng& rng,
                                      Place place) {
  const crypto::Key256 secret = crypto::Key256::random(rng);
  auto inner = co_await provider.wrap(place.tenant, secret);
  if (!inner) co_return fail(std::move(inner).error().in(place.words()));
  co_return detail::wrap(wrap_key(system_key), rng, as_view(place.associated()), as_view(*inner));
}

/// Without the outer wrap: what the provider made.
Result<std::string> open_outer(const crypto::Key256& system_key, const Place& place, View wrapped) {
  auto inner = detail::unwrap(wrap_key(system_key), as_view(place.associated()), wrapped);
  if (!inner) return fail(std::move(inner).error().in(place.words()));
  return inner;
}

Task<Result<crypto::Key256>> open_both(const crypto::Key256& system_key, Provider& provider, Place place,
                                       std::string wrapped) {
  auto inner = open_outer(system_key, place, as_view(wrapped));
  if (!inner) co_return fail(std::move(inner).error());
  auto secret = co_await provider.unwrap(place.tenant, std::move(*inner));
  if (!secret) co_return fail(std::move(secret).error().in(place.words()));
  co_return secret;
}

}  // namespace

KeyService::KeyService(const crypto::Key256& system_key, Provider& provider, Rng& rng)
    : system_key_(system_key), provider_(provider), rng_(rng) {}

Task<Result<std::string>> KeyService::create(TenantId tenant, NamespaceId ns) {
  KeyDescriptor made{.tenant = tenant, .ns = ns, .permanent = {}, .epochs = {}};
  auto permanent = co_await new_wrapped(system_key_, provider_, rng_, permanent_place(tenant, ns));
  if (!permanent) co_return fail(std::move(permanent).error());
  made.permanent = std::move(*permanent);
  constexpr KeyEpoch first{1};
  auto root = co_await new_wrapped(system_key_, provider_, rng_, epoch_place(tenant, ns, first));
  if (!root) co_return fail(std::move(root).error());
  made.epochs.emplace(first, std::move(*root));
  co_return made.encode();
}

Task<Result<std::string>> KeyService::rotate(TenantId tenant, NamespaceId ns, std::string descriptor) {
  auto parsed = parse_for(tenant, ns, as_view(descriptor));
  if (!parsed) co_return fail(std::move(parsed).error());
  const auto& [last, last_wrapped] = *parsed->epochs.rbegin();
  // An epoch is not added to a descriptor that this system key does not open.
  KISEKI_CO_TRY(open_outer(system_key_, epoch_place(tenant, ns, last), as_view(last_wrapped)));
  if (last.value() >= KeyDescriptor::epochs_max) {
    co_return fail(Errc::out_of_range, fmt::format("namespace {} has used up its key epochs", ns.value()));
  }
  const KeyEpoch next(last.value() + 1);
  auto root = co_await new_wrapped(system_key_, provider_, rng_, epoch_place(tenant, ns, next));
  if (!root) co_return fail(std::move(root).error());
  parsed->epochs.emplace(next, std::move(*root));
  co_return parsed->encode();
}

Task<Result<std::shared_ptr<const NamespaceKeys>>> KeyService::unlock(TenantId tenant, NamespaceId ns,
                                                                      std::string descriptor) {
  const auto parsed = parse_for(tenant, ns, as_view(descriptor));
  if (!parsed) co_return fail(parsed.error());
  const auto permanent =
      co_await open_both(system_key_, provider_, permanent_place(tenant, ns), parsed->permanent);
  if (!permanent) co_return fail(permanent.error());
  std::map<KeyEpoch, NamespaceKeys::Epoch> epochs;
  for (const auto& [epoch, wrapped] : parsed->epochs) {
    const auto root = co_await open_both(system_key_, provider_, epoch_place(tenant, ns, epoch), wrapped);
    if (!root) co_return fail(root.error());
    epochs.emplace(epoch, NamespaceKeys::Epoch{.metadata = derive(*root, "kiseki v1 metadata", ns, epoch),
                                               .data = derive(*root, "kiseki v1 data", ns, epoch)});
  }
  co_return std::make_shared<const NamespaceKeys>(ns, derive(*permanent, "kiseki v1 chunk id", ns),
                                                  derive(*permanent, "kiseki v1 handle", ns),
                                                  std::move(epochs));
}

std::string KeyService::seal(View context, View plaintext) {
  return detail::wrap(seal_key(system_key_), rng_, as_view(seal_associated(context)), plaintext);
}

Result<std::string> KeyService::open(View context, View sealed) const {
  return detail::unwrap(seal_key(system_key_), as_view(seal_associated(context)), sealed);
}

std::array<std::byte, 16> KeyService::token(View name) const {
  const auto key = crypto::hkdf_sha256(system_key_.view(), {}, as_view("kiseki v1 names"));
  const auto digest = crypto::hmac_sha256(key.view(), {name});
  std::array<std::byte, 16> token;
  std::copy_n(digest.begin(), token.size(), token.begin());
  return token;
}

}  // namespace kiseki::keys
