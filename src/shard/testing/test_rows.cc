#include "shard/testing/test_rows.h"

namespace kiseki::shard::detail {

Transaction transaction_of_test() {
  Transaction transaction;
  transaction.namespaces.push_back({.ns = test_namespace, .epoch = 1});
  transaction.time_ms = 1000;
  return transaction;
}

Record record_of_test(std::string value) {
  Record record;
  record.value = crypto::Sealed::from_store(std::move(value));
  return record;
}

std::string value_of(const Record& record) { return std::string(as_text(record.value.view())); }

}  // namespace kiseki::shard::detail
