#pragma once

#include "s3/routes.h"

namespace kiseki::s3 {

/// x-amz-copy-source: [/]bucket/key[?versionId=null], percent-encoded. `invalid_argument`, `no_such_version`.
S3Result<Address> copy_source(const HttpHead& head);

}  // namespace kiseki::s3
