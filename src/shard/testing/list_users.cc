#include "shard/testing/list_users.h"

#include <algorithm>
#include <fmt/format.h>

#include "base/codec.h"
#include "shard/testing/test_rows.h"

namespace kiseki::shard::detail {

namespace {

using Type = Assert::Type;

History::List list_of(const Record& record) { return decode_list(value_of(record)); }

}  // namespace

Transaction ListUsers::beginning() const {
  auto transaction = transaction_of_test();
  for (const auto& row : rows_) transaction.require(Type::absent, row).put(row, record_of_test(""));
  return transaction;
}

std::size_t ListUsers::committed() const {
  return static_cast<std::size_t>(std::ranges::count_if(history_.acts(), [](const History::Act& act) {
    return !act.appended.empty() && act.outcome == History::Outcome::committed;
  }));
}

ReadRequest ListUsers::all_rows() const {
  ReadRequest request;
  for (const auto& row : rows_) request.gets.push_back({row, false});
  return request;
}

void ListUsers::violated(std::string words) {
  if (violation_.empty()) violation_ = std::move(words);
}

Task<bool> ListUsers::act(Client& client, std::uint64_t user) {
  History::Act look;
  look.user = user;
  look.began = history_.tick();
  const auto seen = co_await client.read(all_rows());
  if (!seen) co_return false;
  look.ended = history_.tick();
  record_reads(look, *seen);
  co_return co_await append(client, *seen, user);
}

/// Rows of one leaf are of one moment, others each of their own.
void ListUsers::record_reads(const History::Act& look, const ReadReply& seen) {
  for (std::size_t row = 0; row < rows_.size(); ++row) {
    if (!seen.gets[row].record) return violated("a row has gone");
    History::Act act = look;
    act.saw[row] = list_of(*seen.gets[row].record);
    if (row == 0 && seen.gets[1].record) act.saw[1] = list_of(*seen.gets[1].record);
    history_.add(std::move(act));
  }
}

Task<bool> ListUsers::append(Client& client, const ReadReply& seen, std::uint64_t user) {
  History::Act act;
  act.user = user;
  act.number = history_.next_number();
  std::set<std::size_t> chosen;
  const std::size_t count = 1 + rng_.below(3);
  while (chosen.size() < count) chosen.insert(rng_.below(rows_.size()));
  auto transaction = transaction_of_test();
  for (const std::size_t row : chosen) {
    if (!seen.gets[row].record) co_return false;
    const auto& record = *seen.gets[row].record;
    auto list = list_of(record);
    act.saw[row] = list;
    act.appended.push_back(row);
    list.push_back(act.number);
    transaction.require(Type::version, rows_[row], record.version);
    transaction.put(rows_[row], record_of_test(encode_list(list)));
  }
  const std::size_t relied = rng_.below(rows_.size());
  if (!chosen.contains(relied) && seen.gets[relied].record) {
    act.saw[relied] = list_of(*seen.gets[relied].record);
    transaction.require(Type::version, rows_[relied], seen.gets[relied].record->version);
  }
  transaction.put_stamped(key(rows_[act.appended.front()].leaf, Kind::garbage, item_of(act.number)), {});
  act.began = history_.tick();
  const std::size_t place = history_.acts().size();
  history_.add(act);
  const auto outcome = co_await client.commit(std::move(transaction));
  if (outcome) {
    history_.end(place, outcome->committed() ? History::Outcome::committed : History::Outcome::refused);
  }
  co_return outcome.has_value();
}

Task<std::size_t> ListUsers::consume(Client& client) {
  std::size_t taken = 0;
  for (const ShardId shard : client.shards()) {
    const auto rows = co_await client.scan(shard, Kind::garbage, consumed_up_to_[shard], 4);
    if (!rows) co_return 0;
    taken += rows->size();
    for (const auto& row : *rows) {
      Decoder in(as_view(row.key.item));
      consumed_.insert(in.integer<std::uint64_t>());
      consumed_up_to_[shard] = std::max(consumed_up_to_[shard], row.key.stamp);
    }
  }
  co_return taken;
}

Task<> ListUsers::judge(Client& client) {
  const auto last = co_await client.read(all_rows());
  if (!last) co_return violated("the rows cannot be read: " + last.error().to_string());
  std::vector<History::List> lists;
  for (const auto& got : last->gets) {
    if (!got.record) co_return violated("a row has gone");
    lists.push_back(list_of(*got.record));
  }
  violated(history_.judge(lists));
  while (co_await consume(client) > 0) {
  }
  for (const auto& act : history_.acts()) {
    if (act.appended.empty()) continue;
    const bool is_consumed = consumed_.contains(act.number);
    if (is_consumed == history_.has_happened(act, lists)) continue;
    violated(fmt::format("transaction {}: its row for the consumer {}", act.number,
                         is_consumed ? "should not be" : "was missed"));
  }
}

}  // namespace kiseki::shard::detail
