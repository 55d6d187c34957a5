#pragma once

#include <boost/json/value.hpp>

#include "admin_api/account_request.h"
#include "base/task.h"

namespace kiseki::admin_api {

/// Carries out a request about users, groups and policies of a tenant.
Task<Result<boost::json::value>> run_account_request(fs::Accounts& accounts, TenantId tenant,
                                                     AccountRequest request);

}  // namespace kiseki::admin_api
