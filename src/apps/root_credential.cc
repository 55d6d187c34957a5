#include "apps/root_credential.h"

#include <cstdlib>

namespace kiseki::apps {

namespace {

constexpr std::string_view id_line = "export AWS_ACCESS_KEY_ID=",
                           secret_line = "export AWS_SECRET_ACCESS_KEY=";
constexpr Bytes file_max = 1_KiB;

std::string random_text(Rng& rng, std::string_view alphabet, std::size_t length) {
  std::string text;
  for (std::size_t i = 0; i < length; ++i) text += alphabet[rng.below(alphabet.size())];
  return text;
}

bool is_plain(std::string_view text, std::size_t low, std::size_t high, std::string_view besides) {
  return text.size() >= low && text.size() <= high && std::ranges::all_of(text, [besides](char c) {
           return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                  besides.find(c) != std::string_view::npos;
         });
}

bool is_id(std::string_view text) { return is_plain(text, 3, 128, "_.-"); }
bool is_secret(std::string_view text) { return is_plain(text, 8, 128, "+/=_.-"); }

/// Whatever stood under this id, and every other root credential, goes.
Task<Result<>> replace_roots(const RootCredential& root, fs::Identities& identities, TenantId tenant) {
  auto present = co_await identities.list();
  if (!present) co_return fail(std::move(present).error());
  bool stands = false;
  for (const fs::AccessKey& key : *present) {
    if (!key.is_root && key.id != root.id) continue;
    auto found = co_await identities.find(key.id);
    if (found && key.is_root && key.id == root.id && found->secret.text() == root.secret.text()) {
      stands = true;
    } else {
      KISEKI_CO_TRY(co_await identities.remove(key.id));
    }
  }
  if (stands) co_return Result<>{};
  co_return co_await identities.put(tenant, root.id, std::string(root.secret.text()), true);
}

Task<Result<RootCredential>> read_or_make(const std::filesystem::path& file, disk::Disk& disk) {
  auto text = co_await disk::read_whole(disk, file, file_max);
  if (text) {
    auto root = RootCredential::parse(*text);
    crypto::wipe(std::as_writable_bytes(std::span(*text)));
    if (!root) co_return fail(std::move(root).error().in(file.string()));
    co_return root;
  }
  if (text.error().code() != Errc::not_found) co_return fail(std::move(text).error());
  SystemRng rng;
  RootCredential root = RootCredential::random(rng);
  KISEKI_CO_TRY(co_await disk::replace_whole(disk, file, root.format()));
  co_return root;
}

}  // namespace

Result<std::optional<RootCredential>> RootCredential::from_environment() {
  const char *id = std::getenv("KISEKI_ROOT_ACCESS_KEY"), *secret = std::getenv("KISEKI_ROOT_SECRET_KEY");
  if (id == nullptr && secret == nullptr) return std::nullopt;
  if (id == nullptr || secret == nullptr) {
    return fail(Errc::invalid_argument,
                "KISEKI_ROOT_ACCESS_KEY and KISEKI_ROOT_SECRET_KEY are set together or not at all");
  }
  if (!is_id(id)) {
    return fail(Errc::invalid_argument,
                "KISEKI_ROOT_ACCESS_KEY takes 3 to 128 letters, digits, '_', '.' or '-'");
  }
  if (!is_secret(secret)) {
    return fail(Errc::invalid_argument,
                "KISEKI_ROOT_SECRET_KEY takes 8 to 128 letters, digits or '+', '/', '=', '_', '.', '-'");
  }
  return RootCredential{id, crypto::SecretText(secret)};
}

RootCredential RootCredential::random(Rng& rng) {
  constexpr std::string_view upper = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  constexpr std::string_view mixed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  return {"KI" + random_text(rng, upper, 18), crypto::SecretText(random_text(rng, mixed, 40))};
}

std::string RootCredential::format() const {
  return fmt::format("{}{}\n{}{}\n", id_line, id, secret_line, secret.text());
}

Result<RootCredential> RootCredential::parse(std::string_view text) {
  const std::size_t end = text.find('\n');
  if (text.starts_with(id_line) && end != std::string_view::npos) {
    const std::string_view id = text.substr(id_line.size(), end - id_line.size());
    std::string_view rest = text.substr(end + 1);
    if (rest.starts_with(secret_line) && rest.ends_with('\n')) {
      rest.remove_prefix(secret_line.size());
      rest.remove_suffix(1);
      if (is_id(id) && is_secret(rest))
        return RootCredential{std::string(id), crypto::SecretText(std::string(rest))};
    }
  }
  return fail(Errc::wrong_format, "not a root credential; remove the file to have a new one made");
}

Task<Result<RootAccess>> establish_root(std::optional<RootCredential> given, std::filesystem::path file,
                                        disk::Disk& disk, fs::Identities& identities, TenantId tenant) {
  if (given) {
    KISEKI_CO_TRY(co_await replace_roots(*given, identities, tenant));
    auto removed = co_await disk.remove(file);
    if (!removed && removed.error().code() != Errc::not_found) co_return fail(std::move(removed).error());
    co_return RootAccess{given->id, {}};
  }
  auto root = co_await read_or_make(file, disk);
  if (!root) co_return fail(std::move(root).error());
  KISEKI_CO_TRY(co_await replace_roots(*root, identities, tenant));
  co_return RootAccess{root->id, file};
}

}  // namespace kiseki::apps
