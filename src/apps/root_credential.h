#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "base/rng.h"
#include "base/task.h"
#include "crypto/secret.h"
#include "disk/disk.h"
#include "fs/identities.h"

namespace kiseki::apps {

/// The credential that may do everything.
struct RootCredential {
  std::string id;
  crypto::SecretText secret;

  /// KISEKI_ROOT_ACCESS_KEY and KISEKI_ROOT_SECRET_KEY; nothing when neither is set. `invalid_argument` when
  /// one is missing or does not look like what clients can send.
  static Result<std::optional<RootCredential>> from_environment();
  static RootCredential random(Rng& rng);

  /// Lines a shell can source.
  std::string format() const;
  /// `wrong_format`.
  static Result<RootCredential> parse(std::string_view text);
};

/// Where the secret can be read, for the words at start; empty: in the environment.
struct RootAccess {
  std::string id;
  std::filesystem::path file;
};

/// Makes the root credential the one `given`, or, without one, that of the file, which is made when there is
/// none. The file is durable before the credential is, so a crash between the two repeats with the same
/// secret.
Task<Result<RootAccess>> establish_root(std::optional<RootCredential> given, std::filesystem::path file,
                                        disk::Disk& disk, fs::Identities& identities, TenantId tenant);

}  // namespace kiseki::apps
