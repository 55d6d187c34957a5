#include "shard/wire.h"

#include <gtest/gtest.h>

#include "base/rng.h"
#include "shard/testing/test_rows.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace kiseki::shard {
namespace {

using detail::record_of_test;
using detail::transaction_of_test;

const LeafAddress leaf{NamespaceId(9), InodeId(3), LeafId(1)};

Key row(char name) { return key(leaf, Kind::entry, std::string(16, name)); }
Holder holder() { return {.id = {SessionId(4), 5}, .age = Stamp(6), .primary = row('p')}; }
ChunkName chunk(std::uint8_t byte) {
  ChunkName name{.id = {}, .ns = NamespaceId(9), .pool = PoolId(1)};
  name.id.fill(static_cast<std::byte>(byte));
  return name;
}

/// One of every kind, with something in every field.
std::vector<Call> calls() {
  auto transaction = transaction_of_test();
  transaction.require(Assert::Type::absent, row('a')).put(row('a'), record_of_test("value"));
  const Commit commit{.id = {SessionId(4), 5}, .low_water = 3, .transaction = transaction};
  RowsRequest rows;
  rows.gets = {{.key = row('a'), .with_body = true}};
  rows.scans = {{.leaf = leaf, .kind = Kind::entry, .from = "x", .rows_max = 7}};
  rows.counters = {leaf};
  std::vector<Request> requests{rows,
                                ProposeRequest({.stamp = Stamp(1), .body = commit}, Attempt::again),
                                StatusRequest{holder()},
                                ReleasedRequest{{SessionId(4), 5}, std::chrono::milliseconds(20)},
                                SweepRequest{},
                                ScanRequest{Kind::garbage, Stamp(8), 9},
                                PendingRequest{{.last = SessionId(9), .living = {SessionId(2)}}, 4},
                                BeatRequest{{SessionId(1), SessionId(2)}},
                                SilentRequest{{SessionId(3)}},
                                JudgeRequest{{chunk(1), chunk(2)}},
                                DeadRequest{chunk(3), GcEpoch(4), 5},
                                LeaderRequest{}};
  std::vector<Call> all;
  for (auto& request : requests) {
    all.push_back({.caller = 2,
                   .shard = ShardId(3),
                   .limit = std::chrono::milliseconds(4),
                   .request = std::move(request)});
  }
  return all;
}

std::vector<Result<Reply>> replies() {
  const Row entry{.key = row('a'), .record = record_of_test("value")};
  Answer answer{.type = Answer::Type::prepared,
                .outcome = {.refusal = Refusal::none, .assertion = 1, .stamp = Stamp(2)},
                .holder = holder(),
                .moved = {entry.record},
                .range = {.first = 1, .last = 2}};
  RowsReply rows;
  rows.gets = {{.record = entry.record, .body = std::nullopt}};
  rows.scans = {{.rows = {entry}, .more = true}};
  rows.counters = {Counters{.entries = 3}};
  rows.undecided = {holder()};
  rows.configuration = 5;
  const std::vector<NamespaceEpoch> namespaces{{.ns = NamespaceId(9), .epoch = 2}};
  const SweepReply sweep{.prepared = {{.holder = holder(), .namespaces = namespaces}},
                         .fenced = {SessionId(1)},
                         .deleted = {.ns = namespaces.front(), .rows = {row('d')}},
                         .locks = {entry},
                         .range = {.first = 1, .last = 2}};
  return {answer,
          rows,
          TransactionStatus{.type = TransactionStatus::Type::committed, .stamp = Stamp(3)},
          true,
          sweep,
          Scanned{.rows = {entry}, .range = {.first = 4, .last = 5}},
          std::vector<Row>{entry},
          std::vector<SessionId>{SessionId(6)},
          Judgement{.range = {}, .epoch = GcEpoch(7), .is_known = true, .counted = {true, false}},
          DeadRows{.rows = {{.chunk = chunk(1), .slot = 2, .epoch = GcEpoch(3)}}, .next = chunk(4)},
          Leadership{.leads = true, .term = 8},
          fail(Errc::not_leader, "another leads")};
}

TEST(ShardCall, every_kind_comes_through_as_it_was_sent) {
  EXPECT_EQ(calls().size(), std::variant_size_v<Request>);
  for (const Call& call : calls()) {
    const std::string bytes = encode(call);
    const auto read = decode_call(as_view(bytes));
    ASSERT_TRUE(read) << call.request.index();
    EXPECT_EQ(read->request.index(), call.request.index());
    EXPECT_EQ(read->limit, call.limit);
    EXPECT_EQ(read->shard, call.shard);
    EXPECT_EQ(encode(*read), bytes);
  }
}

TEST(ShardReply, every_kind_comes_through_as_it_was_sent) {
  EXPECT_EQ(replies().size(), std::variant_size_v<Reply> + 1);
  for (const auto& reply : replies()) {
    const std::string bytes = encode(reply);
    const auto read = decode_reply(as_view(bytes));
    ASSERT_EQ(read.has_value(), reply.has_value());
    EXPECT_EQ(encode(read), bytes);
    if (reply) EXPECT_EQ(read->index(), reply->index());
    if (!reply) EXPECT_EQ(read.error().code(), Errc::not_leader);
  }
}

TEST(ShardCall, a_reply_of_another_kind_is_told) {
  EXPECT_TRUE(answers(Answer{}, calls().at(1).request));
  EXPECT_FALSE(answers(true, calls().at(1).request));
}

/// Every beginning is refused, every damage is refused or has an encoding again.
TEST(ShardCall, foreign_bytes_do_no_harm) {
  std::vector<std::string> corpus;
  for (const Call& call : calls()) corpus.push_back(encode(call));
  for (const auto& reply : replies()) corpus.push_back(encode(reply));
  SeededRng rng(1);
  for (const std::string& good : corpus) {
    for (std::size_t size = 0; size < good.size(); ++size) {
      EXPECT_FALSE(decode_call(as_view(good).first(size)));
      EXPECT_FALSE(decode_reply(as_view(good).first(size)));
    }
    for (int i = 0; i < 300; ++i) {
      std::string bad = good;
      for (std::uint64_t flips = 1 + rng.below(3); flips > 0; --flips) {
        char& byte = bad[rng.below(bad.size())];
        byte = static_cast<char>(rng.below(256));
      }
      LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(bad.data()), bad.size());
    }
  }
}

}  // namespace
}  // namespace kiseki::shard
