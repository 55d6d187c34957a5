#include "keys/detail/key_descriptor.h"

#include <fmt/format.h>

#include "base/codec.h"

namespace kiseki::keys::detail {
namespace {

constexpr std::uint8_t format = 1;

std::string wrapped_secret(Decoder& in) {
  const View bytes = in.sized();
  if (bytes.empty() || bytes.size() > KeyDescriptor::wrapped_size_max) in.reject();
  return std::string(as_text(bytes));
}

}  // namespace

std::string KeyDescriptor::encode() const {
  std::string out;
  Encoder to(out);
  to.integer(format).id(tenant).id(ns).sized(as_view(permanent));
  to.integer(static_cast<std::uint32_t>(epochs.size()));
  for (const auto& [epoch, wrapped] : epochs) to.id(epoch).sized(as_view(wrapped));
  return out;
}

Result<KeyDescriptor> KeyDescriptor::parse(View bytes) {
  Decoder in(bytes);
  const auto found = in.integer<std::uint8_t>();
  if (!in.failed() && found != format) {
    return fail(Errc::wrong_format, fmt::format("key descriptor has format {}, not {}", found, format));
  }
  KeyDescriptor made;
  made.tenant = in.id<TenantId>();
  made.ns = in.id<NamespaceId>();
  made.permanent = wrapped_secret(in);
  const auto count = in.integer<std::uint32_t>();
  if (count == 0 || count > epochs_max) in.reject();
  KeyEpoch last{};
  for (std::uint32_t i = 0; i < count && !in.failed(); ++i) {
    const auto epoch = in.id<KeyEpoch>();
    if (epoch <= last) in.reject();
    made.epochs.emplace_hint(made.epochs.end(), epoch, wrapped_secret(in));
    last = epoch;
  }
  KISEKI_TRY(in.finish("key descriptor"));
  return made;
}

}  // namespace kiseki::keys::detail
