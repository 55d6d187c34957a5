#pragma once

#include <string>

#include "base/task.h"
#include "fs/identities.h"

namespace kiseki::s3 {

/// Who stands behind an access key. One core.
class Credentials {
 public:
  virtual ~Credentials() = default;
  /// `not_found`.
  virtual Task<Result<fs::Credential>> find(std::string access_key) = 0;
};

/// The access keys of the system shard.
class StoredCredentials final : public Credentials {
 public:
  /// `identities` outlive it.
  explicit StoredCredentials(fs::Identities& identities) : identities_(identities) {}
  Task<Result<fs::Credential>> find(std::string access_key) override {
    return identities_.find(std::move(access_key));
  }

 private:
  fs::Identities& identities_;
};

}  // namespace kiseki::s3
