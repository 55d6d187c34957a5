#pragma once

#include "s3/authenticator.h"
#include "s3/operation.h"
#include "s3/routes.h"

// Whether who asks may do what they ask for. The rules are `iam`'s; here a request is put in its words.

namespace kiseki::s3 {

/// A request as policies see it; refers to what outlives the question.
struct Asked {
  const HttpHead& head;
  const Query& query;
  std::string_view source;  ///< Address of the peer.
  WallTime time;
};

/// `access_denied`. A key without rights of its own acts for its tenant in everything; nobody may do what
/// needs leave. DeleteObjects asks for each key by itself.
S3Result<> authorise(const std::optional<Identity>& who, const Action& action, const Address& address,
                     const Asked& asked);

/// Whether the sender of DeleteObjects may delete this one.
bool may_delete(const Call& call, std::string_view key);

}  // namespace kiseki::s3
