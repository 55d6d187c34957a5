#include <fmt/format.h>

#include "keys/detail/key_image.h"
#include "keys/detail/secret_file.h"
#include "keys/keys.h"

namespace kiseki::keys {
namespace {

Error scoped(Error error, const std::filesystem::path& path) {
  return std::move(error).in(fmt::format("key file {}", path.native()));
}

Result<detail::KeyImage> read_image(const std::filesystem::path& path) {
  auto content = detail::read_secret_file(path, detail::KeyImage::size_max);
  if (!content && content.error().code() == Errc::not_found) {
    return fail(Errc::not_found, fmt::format("there is no key file at {}", path.native()));
  }
  if (!content) return fail(std::move(content).error().in("key file"));
  auto image = detail::KeyImage::parse(as_view(content->text()));
  if (!image) return fail(scoped(std::move(image).error(), path));
  return image;
}

}  // namespace

struct KeyFile::State {
  std::filesystem::path path;
  detail::KeyImage image;
};

KeyFile::KeyFile(std::unique_ptr<State> state)
    : state_(std::move(state)), fingerprint_(detail::fingerprint_of(state_->image.system_key)) {}
KeyFile::KeyFile(KeyFile&&) noexcept = default;
KeyFile& KeyFile::operator=(KeyFile&&) noexcept = default;
KeyFile::~KeyFile() = default;

Result<KeyFile> KeyFile::create(std::filesystem::path path, Rng& rng) {
  detail::KeyImage image{.system_key = crypto::Key256::random(rng), .tenants = {}};
  auto written = detail::write_secret_file(path, as_view(image.encode().text()), detail::Placement::only_new);
  if (!written && written.error().code() == Errc::exists) {
    return fail(Errc::exists, fmt::format("{} exists; keys are never overwritten", path.native()));
  }
  if (!written) return fail(std::move(written).error().in("key file"));
  return KeyFile(std::make_unique<State>(std::move(path), std::move(image)));
}

Result<KeyFile> KeyFile::open(std::filesystem::path path) {
  auto image = read_image(path);
  if (!image) return fail(std::move(image).error());
  return KeyFile(std::make_unique<State>(std::move(path), std::move(*image)));
}

const crypto::Key256& KeyFile::system_key() const noexcept { return state_->image.system_key; }

Result<const crypto::Key256*> KeyFile::tenant_key(TenantId tenant) const {
  const auto found = state_->image.tenants.find(tenant);
  if (found != state_->image.tenants.end()) return &found->second;
  return fail(Errc::key_unavailable, fmt::format("the key file has no key of tenant {}", tenant.value()));
}

Result<> KeyFile::add_tenant(TenantId tenant, Rng& rng) {
  if (tenant.is_none()) return fail(Errc::invalid_argument, "tenant 0 is nobody");
  auto& tenants = state_->image.tenants;
  if (tenants.contains(tenant)) {
    return fail(Errc::exists, fmt::format("tenant {} has a key already", tenant.value()));
  }
  if (tenants.size() == detail::KeyImage::tenants_max)
    return fail(Errc::out_of_range, "the key file is full");
  KISEKI_TRY(check_unchanged());
  const auto added = tenants.emplace(tenant, crypto::Key256::random(rng)).first;
  auto written = detail::write_secret_file(state_->path, as_view(state_->image.encode().text()),
                                           detail::Placement::replace);
  if (written) return {};
  tenants.erase(added);
  return fail(std::move(written).error().in("key file"));
}

// Replacing a file that somebody else extended would destroy the keys they added.
Result<> KeyFile::check_unchanged() const {
  const auto there = read_image(state_->path);
  if (!there) return fail(there.error());
  if (there->encode().text() == state_->image.encode().text()) return {};
  return fail(Errc::conflict, fmt::format("{} was changed by another process", state_->path.native()));
}

}  // namespace kiseki::keys
