#include "base/codec.h"
#include "keys/detail/wrap.h"
#include "keys/keys.h"

namespace kiseki::keys {
namespace {

std::string associated_of(TenantId tenant) {
  std::string out = "kiseki v1 tenant wrap";
  Encoder(out).id(tenant);
  return out;
}

}  // namespace

Task<Result<std::string>> InternalProvider::wrap(TenantId tenant, const crypto::Key256& secret) {
  const auto key = file_.tenant_key(tenant);
  if (!key) co_return fail(key.error());
  co_return detail::wrap(**key, rng_, as_view(associated_of(tenant)), secret.view());
}

Task<Result<crypto::Key256>> InternalProvider::unwrap(TenantId tenant, std::string wrapped) {
  const auto key = file_.tenant_key(tenant);
  if (!key) co_return fail(key.error());
  auto opened = detail::unwrap(**key, as_view(associated_of(tenant)), as_view(wrapped));
  if (!opened) co_return fail(std::move(opened).error().in("tenant's wrap"));
  co_return detail::take_key(std::move(*opened));
}

}  // namespace kiseki::keys
