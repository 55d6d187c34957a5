#include "fs/names/sealer.h"

#include "base/assert.h"

namespace kiseki::fs::detail {

namespace {
constexpr std::uint8_t cipher_xaes = 1;
}

void seal(Rng& rng, const keys::NamespaceKeys& keys, const shard::Key& key, shard::Record& record,
          View plaintext) {
  record.cipher = cipher_xaes;
  record.key_epoch = keys.current();
  record.nonce = crypto::random_nonce(rng);
  const auto epoch = keys.epoch(record.key_epoch);
  KISEKI_ASSERT(epoch.has_value());
  const std::string associated = shard::associated_data(key, record);
  record.value = crypto::seal_record((*epoch)->metadata, record.nonce, as_view(associated), plaintext);
}

Result<std::string> unseal(const keys::NamespaceKeys& keys, const shard::Key& key,
                           const shard::Record& record) {
  if (record.cipher != cipher_xaes) return fail(Errc::corrupted, "a record is not sealed");
  const auto epoch = keys.epoch(record.key_epoch);
  if (!epoch) return fail(epoch.error());
  const std::string associated = shard::associated_data(key, record);
  return crypto::open_record((*epoch)->metadata, record.nonce, as_view(associated), record.value.view());
}

}  // namespace kiseki::fs::detail
