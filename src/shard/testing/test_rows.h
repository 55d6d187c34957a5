#pragma once

#include <string>

#include "shard/transaction.h"

namespace kiseki::shard::detail {

inline constexpr NamespaceId test_namespace{9};

/// A transaction of the tests' namespace.
Transaction transaction_of_test();
Record record_of_test(std::string value);
std::string value_of(const Record& record);

}  // namespace kiseki::shard::detail
