#pragma once

#include <array>
#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "base/ids.h"
#include "base/task.h"
#include "crypto/secret.h"

namespace kiseki::keys {

/// The file that holds the cluster key and the tenants' key-encryption keys of the internal provider
/// (docs/formats/key-file.md): mode 0600, checksummed, replaced as a whole. Whoever holds it opens
/// everything.
class KeyFile {
 public:
  /// A new file with a new system key and no tenant. `exists` when there is one: keys are never overwritten.
  static Result<KeyFile> create(std::filesystem::path path, Rng& rng);
  /// `not_found`; `denied` when others may read it; `corrupted`; `wrong_format`.
  static Result<KeyFile> open(std::filesystem::path path);

  KeyFile(KeyFile&&) noexcept;
  KeyFile& operator=(KeyFile&&) noexcept;
  ~KeyFile();

  /// A public fingerprint of the system key (16 bytes): data remembers it, so that a foreign key file is told
  /// from a damaged record.
  const std::array<std::byte, 16>& fingerprint() const noexcept { return fingerprint_; }
  const crypto::Key256& system_key() const noexcept;
  /// `key_unavailable` when the tenant has none here.
  Result<const crypto::Key256*> tenant_key(TenantId tenant) const;
  /// Durable on return. `exists`; `conflict` when another process changed the file since it was opened. Not
  /// while another core uses a tenant's key.
  Result<> add_tenant(TenantId tenant, Rng& rng);

 private:
  struct State;
  explicit KeyFile(std::unique_ptr<State> state);
  Result<> check_unchanged() const;

  std::unique_ptr<State> state_;
  std::array<std::byte, 16> fingerprint_;
};

/// A tenant's key management service: wraps 32-byte secrets under a key that never leaves it.
class Provider {
 public:
  virtual ~Provider() = default;
  virtual Task<Result<std::string>> wrap(TenantId tenant, const crypto::Key256& secret) = 0;
  /// `key_unavailable`; `wrong_format`; `corrupted` when it was not wrapped by this tenant's key.
  virtual Task<Result<crypto::Key256>> unwrap(TenantId tenant, std::string wrapped) = 0;
};

/// Keys of the key file. The file outlives it.
class InternalProvider final : public Provider {
 public:
  InternalProvider(const KeyFile& file, Rng& rng) : file_(file), rng_(rng) {}
  Task<Result<std::string>> wrap(TenantId tenant, const crypto::Key256& secret) override;
  Task<Result<crypto::Key256>> unwrap(TenantId tenant, std::string wrapped) override;

 private:
  const KeyFile& file_;
  Rng& rng_;
};

/// The unlocked keys of one namespace. Immutable: safe to share between cores.
class NamespaceKeys {
 public:
  struct Epoch {
    crypto::Key256 metadata;  ///< Seals records.
    crypto::Key256 data;      ///< Derives the keys of chunks.
  };

  NamespaceKeys(NamespaceId ns, crypto::Key256 chunk_id, crypto::Key256 handle,
                std::map<KeyEpoch, Epoch> epochs);

  NamespaceId ns() const noexcept { return ns_; }
  /// What new records and chunks are sealed under.
  KeyEpoch current() const noexcept { return epochs_.rbegin()->first; }
  /// `key_unavailable` when the epoch is not known here.
  Result<const Epoch*> epoch(KeyEpoch epoch) const;
  const crypto::Key256& chunk_id_key() const noexcept { return chunk_id_; }
  const crypto::Key256& handle_key() const noexcept { return handle_; }

 private:
  NamespaceId ns_;
  crypto::Key256 chunk_id_;
  crypto::Key256 handle_;
  std::map<KeyEpoch, Epoch> epochs_;
};

/// Makes and unlocks namespaces' key descriptors (docs/formats/key-descriptor.md): each secret wrapped by the
/// tenant's provider, then again by the system key. Holds no unlocked key itself.
class KeyService {
 public:
  KeyService(const crypto::Key256& system_key, Provider& provider, Rng& rng);

  /// A descriptor with epoch 1 and the permanent secret. Bytes for the system shard.
  Task<Result<std::string>> create(TenantId tenant, NamespaceId ns);
  /// The same descriptor with one epoch more.
  Task<Result<std::string>> rotate(TenantId tenant, NamespaceId ns, std::string descriptor);
  Task<Result<std::shared_ptr<const NamespaceKeys>>> unlock(TenantId tenant, NamespaceId ns,
                                                            std::string descriptor);

  /// Sealing under the system key alone: secrets of access keys. `context` is authenticated, not stored.
  std::string seal(View context, View plaintext);
  Result<std::string> open(View context, View sealed) const;

  /// What stands for a name where names must not be seen: the same for the same name, and told by no other.
  std::array<std::byte, 16> token(View name) const;

 private:
  const crypto::Key256& system_key_;
  Provider& provider_;
  Rng& rng_;
};

}  // namespace kiseki::keys
