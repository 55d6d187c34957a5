#include "fs/identities.h"

#include <algorithm>

#include "base/codec.h"
#include "crypto/hash.h"
#include "fs/names/system_rows.h"

namespace kiseki::fs {

namespace {

using enum shard::Assert::Type;

constexpr std::uint8_t format = 2;
constexpr std::size_t id_size = 20, secret_size = 40;
constexpr std::string_view capitals = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
constexpr std::string_view letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
constexpr Duration cached_for = std::chrono::seconds(1);
constexpr Duration absent_for = std::chrono::seconds(5);
constexpr std::size_t cached_max = 10'000;
constexpr std::uint32_t rows_a_scan = 256;
constexpr int attempts_max = 16;

std::string item_for(std::string_view id) {
  const auto digest = crypto::sha256(as_view(id));
  return std::string(as_text(View(digest).first(16)));
}

shard::Key key_for(std::string_view id) { return shard::system_key(shard::Kind::access_key, item_for(id)); }

/// What is sealed besides the secret is bound to the row, so that a list can open it.
std::string context_of(std::string_view item) { return "access key row " + std::string(item); }

std::string encode(keys::KeyService& keys, const AccessKey& key, std::string_view sealed_secret) {
  std::string about;
  Encoder(about)
      .integer(format)
      .sized(as_view(key.id))
      .id(key.tenant)
      .integer(key.created_ms)
      .integer(static_cast<std::uint8_t>(key.is_root))
      .sized(as_view(key.user))
      .enumerator(key.state)
      .integer(key.expires_ms)
      .sized(as_view(key.limits));
  const std::string sealed_about = keys.seal(as_view(context_of(item_for(key.id))), as_view(about));
  std::string out;
  Encoder(out).integer(format).sized(as_view(sealed_about)).sized(as_view(sealed_secret));
  return out;
}

struct Opened {
  AccessKey key;
  std::string sealed_secret;
};

Result<Opened> decode(const keys::KeyService& keys, std::string_view item, View value) {
  Decoder in(value);
  if (in.integer<std::uint8_t>() != format)
    return fail(Errc::wrong_format, "an access key of another format");
  const View sealed_about = in.sized();
  Opened opened{.key = {}, .sealed_secret = std::string(as_text(in.sized()))};
  KISEKI_TRY(in.finish("access key"));
  const auto about = keys.open(as_view(context_of(item)), sealed_about);
  if (!about) return fail(about.error());
  Decoder fields(as_view(*about));
  if (fields.integer<std::uint8_t>() != format) fields.reject();
  opened.key.id = as_text(fields.sized());
  opened.key.tenant = fields.id<TenantId>();
  opened.key.created_ms = fields.integer<std::uint64_t>();
  opened.key.is_root = fields.integer<std::uint8_t>() != 0;
  opened.key.user = as_text(fields.sized());
  const auto state = fields.integer<std::uint8_t>();
  if (state < 1 || state > 2) fields.reject();
  opened.key.state = static_cast<AccessKey::State>(state);
  opened.key.expires_ms = fields.integer<std::uint64_t>();
  opened.key.limits = as_text(fields.sized());
  KISEKI_TRY(fields.finish("access key"));
  return opened;
}

std::string random_text(Rng& rng, std::string_view alphabet, std::size_t size) {
  std::string text;
  while (text.size() < size) text.push_back(alphabet[rng.below(alphabet.size())]);
  return text;
}

Credential copy_of(const Credential& credential) {
  return {credential.key, crypto::SecretText(std::string(credential.secret.text()))};
}

}  // namespace

iam::IdentitySide KeyRights::side() const noexcept {
  iam::IdentitySide side;
  side.policies = policies;
  if (user && user->boundary) side.boundary = &*user->boundary;
  if (limits) side.session = &*limits;
  return side;
}

Task<Result<Credential>> Identities::create(TenantId tenant, bool is_root) {
  const std::string id = "KSK" + random_text(*services_.rng, capitals, id_size - 3);
  KISEKI_CO_TRY(co_await put(tenant, id, random_text(*services_.rng, letters, secret_size), is_root));
  co_return co_await find(id);
}

/// The user's row says first which keys it has: a crash leaves the name of a key that is not there.
Task<Result<Credential>> Identities::create(TenantId tenant, KeyOptions options) {
  if (!options.limits.empty()) {
    const auto policy = iam::Policy::parse(options.limits, iam::PolicyType::managed);
    if (!policy) co_return fail(Error(policy.error()).in("limits"));
  }
  const std::string id = "KSK" + random_text(*services_.rng, capitals, id_size - 3);
  if (!options.user.empty()) {
    const AccountName user{tenant, AccountItem::Type::user, options.user};
    KISEKI_CO_TRY(co_await accounts_.update(user, [&](AccountItem& item) -> Result<> {
      options.user = item.name;
      if (std::ranges::find(item.keys, id) == item.keys.end()) item.keys.push_back(id);
      return {};
    }));
  }
  AccessKey key;
  key.id = id;
  key.tenant = tenant;
  key.user = options.user;
  key.expires_ms = options.expires_ms;
  key.limits = options.limits;
  const std::string secret = random_text(*services_.rng, letters, secret_size);
  KISEKI_CO_TRY(co_await put_new(key, secret));
  co_return Credential{std::move(key), crypto::SecretText(secret)};
}

Task<Result<>> Identities::put(TenantId tenant, std::string id, std::string secret, bool is_root) {
  if (id.empty() || id.size() > 128 || secret.empty() || secret.size() > 1024) {
    co_return fail(Errc::invalid_argument, "an access key has an id and a secret of a reasonable length");
  }
  AccessKey key;
  key.id = id;
  key.tenant = tenant;
  key.is_root = is_root;
  const auto made = co_await put_new(std::move(key), secret);
  if (made || made.error().code() != Errc::exists) co_return made;
  const auto present = co_await find(id);
  if (!present) co_return fail(present.error());
  const bool same = equal_constant_time(as_view(present->secret.text()), as_view(secret));
  crypto::wipe(std::as_writable_bytes(std::span(secret)));
  if (same && present->key.tenant == tenant) co_return Result<>{};
  co_return fail(Errc::exists, "another secret stands under that access key id");
}

Task<Result<>> Identities::put_new(AccessKey key, std::string secret) {
  key.created_ms = services_.client->time_ms();
  const std::string sealed = services_.keys->seal(as_view(key.id), as_view(secret));
  shard::Transaction transaction;
  transaction.time_ms = key.created_ms;
  transaction.require(absent, key_for(key.id));
  transaction.put(key_for(key.id), detail::system_record(encode(*services_.keys, key, sealed)));
  const auto outcome = co_await services_.client->commit(std::move(transaction));
  made_.add();
  if (!outcome) co_return fail(outcome.error());
  if (outcome->committed()) co_return Result<>{};
  if (outcome->refusal != shard::Refusal::exists) co_return fail(Errc::conflict, "try again");
  co_return fail(Errc::exists, "that access key is there already");
}

Task<Result<Identities::Stored>> Identities::load(std::string id) {
  const auto row = key_for(id);
  shard::ReadRequest request;
  request.gets = {{.key = row}};
  const auto reply = co_await services_.client->read(std::move(request));
  if (!reply) co_return fail(reply.error());
  const auto& record = reply->gets[0].record;
  if (!record) co_return fail(Errc::not_found, "no such access key");
  auto opened = decode(*services_.keys, row.item, record->value.view());
  if (!opened) co_return fail(std::move(opened).error());
  if (opened->key.id != id) co_return fail(Errc::corrupted, "an access key under another id");
  co_return Stored{std::move(opened->key), std::move(opened->sealed_secret), record->version};
}

/// What cannot be read any more allows nothing: the key is refused.
Task<Result<std::shared_ptr<const KeyRights>>> Identities::rights_of(AccessKey key) {
  if (key.user.empty() && key.limits.empty()) co_return std::shared_ptr<const KeyRights>();
  auto rights = std::make_shared<KeyRights>();
  if (!key.user.empty()) {
    auto user = co_await accounts_.policies_of({key.tenant, AccountItem::Type::user, key.user});
    if (!user) co_return fail(std::move(user).error());
    rights->user = std::move(*user);
    rights->principal = rights->user->principal;
    for (const iam::Policy& policy : rights->user->policies) rights->policies.push_back(&policy);
    for (const AccountTag& tag : rights->user->tags) rights->tags.push_back({tag.key, tag.value});
  } else {
    rights->principal = iam::Principal::root_of(iam::account_of(key.tenant), canonical_id(key.tenant));
  }
  if (!key.limits.empty()) {
    auto limits = iam::Policy::parse(key.limits, iam::PolicyType::managed);
    if (!limits) co_return fail(Errc::corrupted, "the limits of an access key are no policy");
    rights->limits = std::move(*limits);
  }
  co_return std::shared_ptr<const KeyRights>(std::move(rights));
}

Task<Result<Credential>> Identities::find(std::string id) {
  const BootTime now = services_.clock->now();
  if (const auto known = cache_.find(id); known != cache_.end()) {
    if (now < known->second.until) co_return copy_of(known->second.credential);
    cache_.erase(known);
  }
  const std::string item = item_for(id);
  if (is_known_absent(item)) co_return fail(Errc::not_found, "no such access key");
  const std::uint64_t keys_made = made_.count();
  auto stored = co_await load(id);
  const bool is_usable =
      stored && stored->key.state == AccessKey::State::active &&
      (stored->key.expires_ms == 0 || services_.client->time_ms() < stored->key.expires_ms);
  if (!stored && stored.error().code() != Errc::not_found) co_return fail(std::move(stored).error());
  if (!is_usable) {
    if (absent_.size() >= cached_max) absent_.clear();
    absent_.insert_or_assign(item, Absent{now + absent_for, keys_made});
    co_return fail(Errc::not_found, "no such access key");
  }
  auto rights = co_await rights_of(stored->key);
  if (!rights) co_return fail(std::move(rights).error());
  stored->key.rights = std::move(*rights);
  stored->key.limits.clear();
  auto secret = services_.keys->open(as_view(id), as_view(stored->sealed_secret));
  if (!secret) co_return fail(std::move(secret).error());
  Credential credential{std::move(stored->key), crypto::SecretText(std::move(*secret))};
  if (cache_.size() >= cached_max) cache_.clear();
  cache_.insert_or_assign(id, Cached{copy_of(credential), now + cached_for});
  co_return credential;
}

Task<Result<>> Identities::set_state(std::string id, AccessKey::State state) {
  const auto row = key_for(id);
  for (int attempt = 0; attempt < attempts_max; ++attempt) {
    auto stored = co_await load(id);
    if (!stored) co_return fail(std::move(stored).error());
    if (stored->key.is_root) co_return fail(Errc::invalid_argument, "a root credential is always active");
    stored->key.state = state;
    shard::Transaction transaction;
    transaction.time_ms = services_.client->time_ms();
    transaction.require(version, row, stored->version);
    transaction.put(row, detail::system_record(encode(*services_.keys, stored->key, stored->sealed_secret)));
    const auto outcome = co_await services_.client->commit(std::move(transaction));
    if (!outcome) co_return fail(outcome.error());
    cache_.erase(id);
    made_.add();
    if (outcome->committed()) co_return Result<>{};
  }
  co_return fail(Errc::busy, "others keep changing that access key");
}

bool Identities::is_known_absent(const std::string& item) {
  const auto known = absent_.find(item);
  if (known == absent_.end()) return false;
  if (services_.clock->now() < known->second.until && made_.count() == known->second.keys_made) return true;
  absent_.erase(known);
  return false;
}

Task<Result<std::vector<AccessKey>>> Identities::list() {
  std::vector<AccessKey> keys;
  std::string from;
  for (bool more = true; more;) {
    shard::ReadRequest request;
    request.scans.push_back(
        {.leaf = {}, .kind = shard::Kind::access_key, .from = from, .rows_max = rows_a_scan});
    const auto reply = co_await services_.client->read(std::move(request));
    if (!reply) co_return fail(reply.error());
    more = reply->scans[0].more;
    for (const auto& row : reply->scans[0].rows) {
      from = row.key.item + '\0';
      auto opened = decode(*services_.keys, row.key.item, row.record.value.view());
      if (!opened) co_return fail(std::move(opened).error());
      keys.push_back(std::move(opened->key));
    }
  }
  std::ranges::sort(keys, {}, &AccessKey::id);
  co_return keys;
}

/// The user's row forgets the key last, also when the key's row went before.
Task<Result<>> Identities::remove(std::string id) {
  const auto row = key_for(id);
  for (int attempt = 0; attempt < attempts_max; ++attempt) {
    const auto stored = co_await load(id);
    if (!stored) co_return fail(stored.error());
    shard::Transaction transaction;
    transaction.time_ms = services_.client->time_ms();
    transaction.require(version, row, stored->version).erase(row);
    const auto outcome = co_await services_.client->commit(std::move(transaction));
    if (!outcome) co_return fail(outcome.error());
    cache_.erase(id);
    if (!outcome->committed()) continue;
    if (stored->key.user.empty()) co_return Result<>{};
    const AccountName user{stored->key.tenant, AccountItem::Type::user, stored->key.user};
    co_return co_await accounts_.update(user, [id](AccountItem& item) -> Result<> {
      std::erase(item.keys, id);
      return {};
    });
  }
  co_return fail(Errc::busy, "others keep changing that access key");
}

}  // namespace kiseki::fs
