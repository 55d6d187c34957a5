#include <gtest/gtest.h>

#include "base/planted.h"
#include "base/rng.h"
#include "shard/rows/reference_rows.h"
#include "shard/testing/shard_world.h"

namespace kiseki::shard::detail {
namespace {

using Type = Assert::Type;

const LeafAddress leaf{test_namespace, InodeId(1), LeafId(0)};
const LeafAddress other_leaf{test_namespace, InodeId(1), LeafId(5)};
const SessionId session{7};

Key entry(char name, const LeafAddress& where = leaf) {
  return key(where, Kind::entry, std::string(16, name));
}

ChunkReference reference(char id) {
  ChunkReference reference;
  reference.id.fill(static_cast<std::byte>(id));
  reference.format.block_units = 1;
  reference.length = 10;
  return reference;
}

Record guard_record(LeafId right = {}) {
  Record record;
  record.guard = GuardLink{{}, LeafId(0), right};
  return record;
}

/// One shard of all slots, driven entry by entry.
class MachineTest : public ::testing::Test {
 protected:
  MachineTest() {
    kv::Batch batch;
    // All but the system's.
    Machine::create(batch, ShardId(1), {1, 65535}, first_base());
    EXPECT_TRUE(store_.write(batch));
    EXPECT_TRUE(store_.flush());
    open();
  }
  void open() { machine_ = std::move(*Machine::open(store_, ShardId(1))); }

  Answer apply(decltype(Proposal::body) body, std::uint64_t stamp = 0) {
    log_.push_back(Proposal{.stamp = Stamp(stamp), .body = std::move(body)}.encode());
    auto answers = replay();
    EXPECT_FALSE(answers.empty());
    return answers.back();
  }
  TransactionStatus status(TransactionId id) {
    return machine_->status({.id = id, .age = {}, .primary = entry('a')}).value();
  }
  std::vector<Answer> replay() {
    std::vector<raft::Entry> entries;
    for (raft::Index index = machine_->applied() + 1; index < log_.size() + 2; ++index) {
      entries.push_back({index, 1, raft::EntryType::normal, as_view(log_[index - 2]), nullptr});
    }
    auto answers = machine_->apply(entries, nullptr);
    EXPECT_TRUE(answers) << answers.error().to_string();
    return answers ? *answers : std::vector<Answer>{};
  }
  Outcome commit(Transaction transaction, std::uint64_t stamp = 0) {
    const auto answer = apply(Commit{next_id(), low_water_, std::move(transaction)}, stamp);
    EXPECT_EQ(answer.type, Answer::Type::decided);
    return answer.outcome;
  }
  TransactionId next_id() { return {session, sequence_++}; }
  Stamp put(const Key& row, Record record = {}) {
    const auto old = get(row);
    auto transaction = transaction_of_test();
    transaction.require(old ? Type::version : Type::absent, row, old ? old->version : Stamp{});
    transaction.put(row, std::move(record));
    const auto outcome = commit(std::move(transaction));
    EXPECT_TRUE(outcome.committed());
    return outcome.stamp;
  }
  void erase(const Key& row) { EXPECT_TRUE(commit(transaction_of_test().erase(row)).committed()); }
  std::optional<Record> get(const Key& row) { return *Draft(store_).record(row); }
  Counters counters(const LeafAddress& of = leaf) { return *Draft(store_).counters(of); }
  std::size_t count(kv::Family family, Kind kind) {
    std::size_t rows = 0;
    const auto iterator = store_.iterate(family, {}, nullptr);
    for (iterator->seek({}); iterator->valid(); iterator->next()) {
      const auto found = Key::decode(iterator->key());
      if (found && found->kind == kind) ++rows;
    }
    return rows;
  }
  std::size_t dead_rows() {
    std::size_t rows = 0;
    const auto iterator = store_.iterate(family_references, {}, nullptr);
    for (iterator->seek({}); iterator->valid(); iterator->next()) {
      if (iterator->key().front() == static_cast<std::byte>(Kind::dead)) ++rows;
    }
    return rows;
  }
  std::string dump() {
    std::string all;
    for (kv::Family family = 0; family < family_count; ++family) {
      const auto iterator = store_.iterate(family, {}, nullptr);
      for (iterator->seek({}); iterator->valid(); iterator->next()) {
        all += to_hex(iterator->key()) + "=" + to_hex(iterator->value()) + "\n";
      }
    }
    return all;
  }

  sim::CrashableKv store_{family_count};
  std::unique_ptr<Machine> machine_;
  std::vector<std::string> log_;
  std::uint64_t sequence_ = 1;
  std::uint64_t low_water_ = 0;
};

TEST_F(MachineTest, stamps_take_the_proposed_and_rise) {
  auto first = transaction_of_test().require(Type::absent, entry('a')).put(entry('a'), {});
  EXPECT_EQ(commit(first, 500).stamp, Stamp(500));
  auto second = transaction_of_test().require(Type::absent, entry('b')).put(entry('b'), {});
  EXPECT_EQ(commit(second, 400).stamp, Stamp(501));
  EXPECT_EQ(get(entry('b'))->version, Stamp(501));
  EXPECT_EQ(get(entry('b'))->change, 1U);
}

TEST_F(MachineTest, asserts_refuse_with_what_is_there) {
  const Stamp version = put(entry('a'));
  struct Case {
    Type type;
    Key row;
    Stamp stamp;
    Refusal refusal;
    Stamp answer;
  };
  const std::vector<Case> cases{
      {Type::version, entry('a'), version, Refusal::none, {}},
      {Type::version, entry('a'), Stamp(77), Refusal::version, version},
      {Type::version, entry('x'), version, Refusal::version, Stamp{}},
      {Type::absent, entry('x'), {}, Refusal::none, {}},
      {Type::absent, entry('a'), {}, Refusal::exists, version},
      {Type::exists, entry('a'), {}, Refusal::none, {}},
      {Type::exists, entry('x'), {}, Refusal::missing, Stamp{}},
      {Type::generation, key(leaf, Kind::guard), version, Refusal::generation, Stamp{}},
      {Type::prefix_empty, key(leaf, Kind::guard), {}, Refusal::not_empty, Stamp{}},
      {Type::prefix_empty, key(other_leaf, Kind::guard), {}, Refusal::none, {}},
  };
  for (std::size_t i = 0; i < cases.size(); ++i) {
    auto transaction = transaction_of_test();
    transaction.require(Type::exists, entry('a')).require(cases[i].type, cases[i].row, cases[i].stamp);
    const auto outcome = commit(std::move(transaction));
    EXPECT_EQ(outcome.refusal, cases[i].refusal) << i;
    if (outcome.committed()) continue;
    EXPECT_EQ(outcome.stamp, cases[i].answer) << i;
    EXPECT_EQ(outcome.assertion, 1U) << i;
  }
}

TEST_F(MachineTest, counters_follow_every_change_of_entries) {
  Record directory;
  directory.type = EntryType::directory;
  Record object;
  object.type = EntryType::object;
  object.logical = 100;
  put(entry('a'), directory);
  put(entry('b'), object);
  object.logical = 70;
  put(entry('b'), object);
  put(key(leaf, Kind::inline_data, item_of(1)), Record{});
  const auto now = counters();
  EXPECT_EQ(now.entries, 2U);
  EXPECT_EQ(now.subdirectories, 1U);
  EXPECT_EQ(now.logical, 70U);
  EXPECT_EQ(now.change, 3U);
  EXPECT_EQ(now.modified_ms, 1000U);
  EXPECT_EQ(now.entry_bytes, get(entry('a'))->encode().size() + get(entry('b'))->encode().size());
  erase(entry('a'));
  EXPECT_EQ(counters().entries, 1U);
  EXPECT_EQ(counters().subdirectories, 0U);
}

TEST_F(MachineTest, an_emptied_leaf_leaves_a_feed_row_unless_its_guard_goes_too) {
  put(key(leaf, Kind::guard), guard_record());
  put(entry('a'));
  erase(entry('a'));
  EXPECT_EQ(count(family_feeds, Kind::feed), 1U);
  EXPECT_EQ(counters().entries, 0U);
  put(entry('a'));
  EXPECT_TRUE(commit(transaction_of_test().erase(entry('a')).erase(key(leaf, Kind::guard))).committed());
  EXPECT_EQ(count(family_feeds, Kind::feed), 1U);
  EXPECT_EQ(count(family_rows, Kind::counters), 0U);
}

TEST_F(MachineTest, a_guard_keeps_its_birth) {
  const Key guard = key(leaf, Kind::guard);
  const Stamp first = put(guard, guard_record(LeafId(0)));
  EXPECT_EQ(get(guard)->guard->birth, first);
  const Stamp second = put(guard, guard_record(LeafId(3)));
  EXPECT_NE(first, second);
  EXPECT_EQ(get(guard)->guard->birth, first);
  EXPECT_EQ(get(guard)->guard->right, LeafId(3));
}

TEST_F(MachineTest, a_full_leaf_refuses_creates_and_takes_overwrites_and_moves_out) {
  const Stamp generation = put(key(leaf, Kind::guard), guard_record());
  for (std::uint64_t i = 0; i < leaf_entries_max; ++i) put(key(leaf, Kind::entry, item_of(i) + item_of(i)));
  auto create = transaction_of_test();
  create.require(Type::generation, key(leaf, Kind::guard), generation).require(Type::absent, entry('x'));
  create.put(entry('x'), {});
  EXPECT_EQ(commit(create).refusal, Refusal::split_first);
  const Key row = key(leaf, Kind::entry, item_of(1) + item_of(1));
  auto overwrite = transaction_of_test();
  overwrite.require(Type::generation, key(leaf, Kind::guard), generation);
  overwrite.require(Type::version, row, get(row)->version).put(row, {});
  EXPECT_TRUE(commit(overwrite).committed());
  Key to = row;
  to.leaf = other_leaf;
  auto split = transaction_of_test();
  split.require(Type::version, key(leaf, Kind::guard), generation);
  split.require(Type::version, row, get(row)->version).require(Type::absent, to).move(row, to);
  EXPECT_TRUE(commit(split).committed());
  EXPECT_TRUE(commit(create).committed());
}

TEST_F(MachineTest, a_move_changes_the_key_and_nothing_else) {
  Record record = record_of_test("sealed");
  record.references = {reference('r')};
  put(entry('a'), record);
  const auto before = get(entry('a'));
  auto move = transaction_of_test();
  move.require(Type::version, entry('a'), before->version).require(Type::absent, entry('a', other_leaf));
  move.move(entry('a'), entry('a', other_leaf));
  EXPECT_TRUE(commit(move).committed());
  EXPECT_FALSE(get(entry('a')));
  EXPECT_EQ(get(entry('a', other_leaf)), before);
  EXPECT_EQ(dead_rows(), 0U);
  EXPECT_EQ(counters().entries, 0U);
  EXPECT_EQ(counters(other_leaf).entries, 1U);
  EXPECT_EQ(counters(other_leaf).modified_ms, 0U);
}

TEST_F(MachineTest, references_that_go_leave_dead_rows) {
  Record record;
  record.references = {reference('r'), reference('s')};
  put(entry('a'), record);
  record.references = {reference('s'), reference('t')};
  put(entry('a'), record);
  EXPECT_EQ(dead_rows(), 1U);
  erase(entry('a'));
  EXPECT_EQ(dead_rows(), 3U);
}

TEST_F(MachineTest, dead_rows_of_the_last_round_outlive_a_trim) {
  apply(RaiseEpoch{GcEpoch(5)});
  Record record;
  record.references = {reference('r')};
  put(entry('a'), record);
  erase(entry('a'));
  const ChunkName chunk = name_of(test_namespace, reference('r'));
  apply(Trim{GcEpoch(5), {chunk}});
  EXPECT_EQ(dead_rows(), 1U);
  apply(RaiseEpoch{GcEpoch(6)});
  apply(Trim{GcEpoch(6), {chunk}});
  EXPECT_EQ(dead_rows(), 0U);
}

TEST_F(MachineTest, a_touch_changes_no_version) {
  Record record;
  record.logical = 10;
  const Stamp version = put(entry('a'), record);
  auto touch = transaction_of_test();
  touch.operations.push_back({Operation::Type::touch, entry('a'), {}, {}, {50, 2000}});
  touch.operations.push_back({Operation::Type::touch, entry('x'), {}, {}, {50, 2000}});
  EXPECT_TRUE(commit(touch).committed());
  EXPECT_EQ(get(entry('a'))->version, version);
  EXPECT_EQ(get(entry('a'))->logical, 50U);
  EXPECT_EQ(get(entry('a'))->change, 2U);
  EXPECT_EQ(counters().logical, 50U);
  EXPECT_EQ(counters().modified_ms, 2000U);
  EXPECT_FALSE(get(entry('x')));
}

TEST_F(MachineTest, put_stamped_rows_carry_the_stamp_of_the_commit) {
  const Key garbage = key(leaf, Kind::garbage, item_of(3));
  const auto outcome = commit(transaction_of_test().put_stamped(garbage, {}), 900);
  Key row = garbage;
  row.stamp = outcome.stamp;
  EXPECT_TRUE(get(row));
  EXPECT_EQ(outcome.stamp, Stamp(900));
}

TEST_F(MachineTest, a_legal_hold_alone_keeps_a_row) {
  Record held;
  held.retention.legal_hold = true;
  put(entry('a'), held);
  EXPECT_EQ(commit(transaction_of_test().erase(entry('a'))).refusal, Refusal::retained);
}

TEST_F(MachineTest, changes_of_a_row_are_counted) {
  for (std::uint64_t i = 1; i <= 3; ++i) {
    put(entry('a'));
    EXPECT_EQ(get(entry('a'))->change, i);
  }
}

TEST_F(MachineTest, a_leaf_that_lost_its_last_subdirectory_leaves_a_feed_row) {
  Record directory;
  directory.type = EntryType::directory;
  put(entry('a'), directory);
  erase(entry('a'));
  EXPECT_EQ(count(family_feeds, Kind::feed), 1U);
}

TEST_F(MachineTest, a_leaf_that_is_full_of_bytes_refuses_creates) {
  const Stamp generation = put(key(leaf, Kind::guard), guard_record());
  for (std::uint64_t i = 0; counters().entry_bytes < leaf_bytes_max; ++i) {
    put(key(leaf, Kind::entry, item_of(i) + item_of(i)), record_of_test(std::string(30'000, 'x')));
  }
  auto create = transaction_of_test();
  create.require(Type::generation, key(leaf, Kind::guard), generation).require(Type::absent, entry('x'));
  EXPECT_EQ(commit(create.put(entry('x'), {})).refusal, Refusal::split_first);
}

TEST_F(MachineTest, no_stamp_is_beyond_the_last) {
  EXPECT_EQ(commit(transaction_of_test(), ~std::uint64_t{0}).stamp, stamp_end);
}

TEST_F(MachineTest, an_entry_of_another_version_is_not_passed_over) {
  std::string bytes = Proposal{.stamp = {}, .body = Fence{session}}.encode();
  ++bytes.front();
  const raft::Entry of_another{machine_->applied() + 1, 1, raft::EntryType::normal, as_view(bytes), nullptr};
  const auto answers = machine_->apply({&of_another, 1}, nullptr);
  ASSERT_FALSE(answers);
  EXPECT_EQ(answers.error().code(), Errc::wrong_format);
}

TEST_F(MachineTest, held_rows_stay_but_move) {
  Record held;
  held.retention.mode = Retention::Mode::governance;
  put(entry('a'), held);
  EXPECT_EQ(commit(transaction_of_test().erase(entry('a'))).refusal, Refusal::retained);
  auto replace = transaction_of_test();
  replace.require(Type::exists, entry('a')).put(entry('a'), {});
  EXPECT_EQ(commit(replace).refusal, Refusal::retained);
  auto move = transaction_of_test();
  move.require(Type::exists, entry('a')).require(Type::absent, entry('a', other_leaf));
  EXPECT_TRUE(commit(move.move(entry('a'), entry('a', other_leaf))).committed());
}

TEST_F(MachineTest, namespaces_refuse_writers_of_another_configuration) {
  const auto refusal = [this](std::uint32_t epoch) {
    auto transaction = transaction_of_test();
    transaction.namespaces.front().epoch = epoch;
    return commit(std::move(transaction)).refusal;
  };
  EXPECT_EQ(refusal(1), Refusal::none);
  apply(Configure{test_namespace, 2, NamespaceState::active});
  EXPECT_EQ(refusal(1), Refusal::configuration);
  EXPECT_EQ(refusal(2), Refusal::none);
  EXPECT_EQ(apply(Configure{test_namespace, 1, NamespaceState::active}).type, Answer::Type::stale);
  apply(Configure{test_namespace, 3, NamespaceState::deleting});
  EXPECT_EQ(refusal(2), Refusal::deleted);
  EXPECT_EQ(refusal(3), Refusal::none);
  EXPECT_EQ(apply(Configure{test_namespace, 3, NamespaceState::active}).type, Answer::Type::stale);
  apply(Configure{test_namespace, 3, NamespaceState::deleted});
  EXPECT_EQ(refusal(3), Refusal::deleted);
  EXPECT_EQ(apply(Configure{test_namespace, 3, NamespaceState::deleted}).type, Answer::Type::decided);
  EXPECT_EQ(apply(Configure{test_namespace, 4, NamespaceState::active}).type, Answer::Type::stale);
}

TEST_F(MachineTest, chunks_put_before_the_raised_epoch_are_refused) {
  apply(RaiseEpoch{GcEpoch(5)});
  auto transaction = transaction_of_test();
  transaction.chunk_epoch = GcEpoch(4);
  EXPECT_EQ(commit(transaction).refusal, Refusal::chunk_epoch);
  transaction.chunk_epoch = GcEpoch(5);
  EXPECT_TRUE(commit(transaction).committed());
  open();
  transaction.chunk_epoch = GcEpoch(4);
  EXPECT_EQ(commit(transaction).refusal, Refusal::chunk_epoch);
}

TEST_F(MachineTest, a_repeated_commit_is_answered_as_the_first_also_after_a_restart) {
  const Commit create{next_id(), 0,
                      transaction_of_test().require(Type::absent, entry('a')).put(entry('a'), {})};
  const auto first = apply(create);
  EXPECT_EQ(apply(create).outcome.stamp, first.outcome.stamp);
  const Commit refused{next_id(), 0, transaction_of_test().require(Type::absent, entry('a'))};
  EXPECT_EQ(apply(refused).outcome.refusal, Refusal::exists);
  erase(entry('a'));
  open();
  EXPECT_EQ(apply(create).outcome.stamp, first.outcome.stamp);
  EXPECT_EQ(apply(refused).outcome.refusal, Refusal::exists);
  EXPECT_FALSE(get(entry('a')));
}

TEST_F(MachineTest, below_the_low_water_mark_sequences_are_stale) {
  const Commit first{{session, 1}, 0, transaction_of_test()};
  EXPECT_EQ(apply(first).type, Answer::Type::decided);
  apply(Commit{{session, 9}, 9, transaction_of_test()});
  EXPECT_EQ(apply(first).type, Answer::Type::stale);
  open();
  EXPECT_EQ(apply(first).type, Answer::Type::stale);
  EXPECT_EQ(apply(Commit{{session, 9}, 9, transaction_of_test()}).type, Answer::Type::decided);
}

TEST_F(MachineTest, results_share_rows_that_go_when_the_mark_has_passed_them) {
  constexpr std::uint64_t commits = 10 * Sessions::block_size, open_ones = 20;
  const auto rows = [this] {
    const auto range = range_of(state_key(ShardId(1), StateType::result));
    const auto found = store_.iterate(family_state, range);
    std::size_t count = 0;
    for (found->seek(as_view(range.from)); found->valid(); found->next()) ++count;
    return count;
  };
  for (std::uint64_t i = 1; i <= commits; ++i) {
    const std::uint64_t mark = i > open_ones ? i - open_ones : 1;
    apply(Commit{{session, i}, mark, transaction_of_test()});
    ASSERT_LE(rows(), 2U) << i;
  }
  // Others' shards had those between.
  apply(Commit{{session, 5 * commits}, 4 * commits, transaction_of_test()});
  EXPECT_EQ(rows(), 1U);
  open();
  EXPECT_EQ(apply(Commit{{session, 4 * commits - 1}, 0, transaction_of_test()}).type, Answer::Type::stale);
  apply(Fence{session});
  apply(Forget{.gone = {.last = session,
                        .living = {SessionId(1), SessionId(2), SessionId(3), SessionId(4), SessionId(5),
                                   SessionId(6)}}});
  EXPECT_EQ(rows(), 0U);
}

TEST_F(MachineTest, the_last_sequences_there_are_have_their_results) {
  const std::uint64_t last = ~std::uint64_t{0} - 1;
  for (const std::uint64_t sequence : {last - 1, last}) {
    const Commit commit{{session, sequence}, sequence, transaction_of_test()};
    const auto first = apply(commit);
    EXPECT_EQ(first.type, Answer::Type::decided);
    open();
    EXPECT_EQ(apply(commit).outcome.stamp, first.outcome.stamp);
  }
}

TEST_F(MachineTest, a_full_window_refuses_until_the_mark_rises) {
  for (std::uint64_t i = 1; i <= Sessions::results_max; ++i)
    apply(Commit{{session, i}, 0, transaction_of_test()});
  EXPECT_EQ(apply(Commit{{session, 5000}, 0, transaction_of_test()}).type, Answer::Type::full);
  EXPECT_EQ(apply(Commit{{session, 5000}, 5000, transaction_of_test()}).type, Answer::Type::decided);
}

TEST_F(MachineTest, a_fenced_session_writes_no_more) {
  apply(Fence{session});
  EXPECT_EQ(apply(Commit{next_id(), 0, transaction_of_test()}).type, Answer::Type::fenced);
  const auto branch = transaction_of_test().require(Type::absent, entry('a'));
  EXPECT_EQ(apply(Prepare{next_id(), 0, {}, entry('a'), branch}).type, Answer::Type::fenced);
  open();
  EXPECT_EQ(apply(Commit{next_id(), 0, transaction_of_test()}).type, Answer::Type::fenced);
}

class TwoPhase : public MachineTest {
 protected:
  Prepare create(TransactionId id, char name = 'a') {
    auto branch = transaction_of_test();
    branch.require(Type::absent, entry(name)).put(entry(name), record_of_test("new"));
    return {id, 0, {}, entry(name), std::move(branch)};
  }
  Decide decide(TransactionId id, Verdict verdict, char name = 'a', std::uint64_t floor = 0) {
    return {id, 0, entry(name), verdict, Stamp(floor)};
  }
};

TEST_F(TwoPhase, a_commit_carries_out_what_was_prepared) {
  const auto id = next_id();
  const auto prepared = apply(create(id));
  EXPECT_EQ(prepared.type, Answer::Type::prepared);
  EXPECT_EQ(prepared.holder->age, prepared.outcome.stamp);
  EXPECT_FALSE(get(entry('a')));
  EXPECT_EQ(counters().entries, 0U);
  EXPECT_EQ(status(id).type, TransactionStatus::Type::pending);
  const auto decided = apply(decide(id, Verdict::committed, 'a', 700));
  EXPECT_GT(decided.outcome.stamp, Stamp(700));
  EXPECT_EQ(get(entry('a'))->version, decided.outcome.stamp);
  EXPECT_EQ(counters().entries, 1U);
  EXPECT_EQ(count(family_rows, Kind::intent), 0U);
  EXPECT_EQ(count(family_rows, Kind::decision), 1U);
  EXPECT_EQ(status(id).type, TransactionStatus::Type::committed);
}

TEST_F(MachineTest, the_child_of_a_shard_that_was_rebuilt_judges_no_round_either) {
  kv::Batch batch;
  mark_rebuilt(batch, ShardId(1), GcEpoch(4));
  ASSERT_TRUE(store_.write(batch));
  open();
  apply(RaiseEpoch{GcEpoch(4)});
  EXPECT_FALSE(machine_->knows_references());
  EXPECT_EQ(apply(Split{.child = ShardId(9), .first = 8000}).type, Answer::Type::decided);
  const auto child = Machine::open(store_, ShardId(9));
  ASSERT_TRUE(child);
  EXPECT_FALSE((*child)->knows_references());
  apply(RaiseEpoch{GcEpoch(5)});
  EXPECT_TRUE(machine_->knows_references());
}

TEST_F(MachineTest, no_shard_splits_in_a_joint_configuration) {
  const auto become = [this](const raft::ConfState& members) {
    log_.emplace_back();
    const raft::Entry changed{machine_->applied() + 1, 1, raft::EntryType::normal, {}, nullptr};
    ASSERT_TRUE(machine_->apply({&changed, 1}, &members));
  };
  become({.voters = {1, 2}, .voters_outgoing = {1}});
  EXPECT_EQ(apply(Split{.child = ShardId(9), .first = 8000}).type, Answer::Type::full);
  become({.voters = {1, 2}});
  EXPECT_EQ(apply(Split{.child = ShardId(9), .first = 8000}).type, Answer::Type::decided);
}

TEST_F(TwoPhase, so_many_are_prepared_at_a_time_and_no_more) {
  const auto row = [](std::size_t number) { return key(leaf, Kind::inode, item_of(number)); };
  const auto prepare = [&](std::size_t number) {
    auto branch = transaction_of_test();
    branch.require(Type::absent, row(number)).put(row(number), record_of_test("new"));
    return apply(Prepare{{SessionId(100 + number), 1}, 0, {}, row(number), std::move(branch)}).type;
  };
  for (std::size_t i = 0; i < Machine::prepared_max; ++i) ASSERT_EQ(prepare(i), Answer::Type::prepared);
  EXPECT_EQ(prepare(Machine::prepared_max), Answer::Type::full);
  apply(Decide{{SessionId(100), 1}, 0, row(0), Verdict::aborted, Stamp(0)});
  EXPECT_EQ(prepare(Machine::prepared_max), Answer::Type::prepared);
}

TEST_F(TwoPhase, a_resolution_is_above_its_prepare_and_is_passed) {
  auto prepare = create(next_id());
  prepare.primary = system_key(Kind::access_key, "elsewhere");
  const auto prepared = apply(prepare);
  ASSERT_EQ(prepared.type, Answer::Type::prepared);
  const Stamp stamp = prepared.outcome.stamp;
  EXPECT_EQ(apply(Resolve{prepare.id, Verdict::committed, stamp}).type, Answer::Type::invalid);
  const Stamp later(stamp.value() + 1000);
  EXPECT_EQ(apply(Resolve{prepare.id, Verdict::committed, later}).type, Answer::Type::decided);
  EXPECT_EQ(get(entry('a'))->version, later);
  EXPECT_GE(machine_->last(), later);
}

TEST_F(TwoPhase, nobody_decides_by_another_primary) {
  const auto id = next_id();
  apply(create(id));
  EXPECT_EQ(apply(decide(id, Verdict::aborted, 'b')).type, Answer::Type::invalid);
  EXPECT_EQ(status(id).type, TransactionStatus::Type::pending);
}

TEST_F(TwoPhase, nothing_is_moved_to_where_others_rely_on_nothing_being) {
  put(entry('a'));
  auto prepare = create(next_id(), 'b');
  prepare.branch.require(Type::absent, entry('a', other_leaf));
  ASSERT_EQ(apply(prepare).type, Answer::Type::prepared);
  auto move = transaction_of_test();
  move.require(Type::exists, entry('a')).require(Type::absent, entry('a', other_leaf));
  move.move(entry('a'), entry('a', other_leaf));
  EXPECT_EQ(apply(Commit{next_id(), 0, move}).type, Answer::Type::blocked);
}

TEST_F(TwoPhase, an_abort_leaves_nothing_and_refuses_what_comes_late) {
  const auto id = next_id();
  apply(create(id));
  EXPECT_EQ(apply(decide(id, Verdict::aborted)).outcome.refusal, Refusal::aborted);
  EXPECT_EQ(count(family_rows, Kind::intent), 0U);
  EXPECT_EQ(apply(decide(id, Verdict::committed)).outcome.refusal, Refusal::aborted);
  EXPECT_EQ(apply(create(id)).outcome.refusal, Refusal::aborted);
  EXPECT_FALSE(get(entry('a')));
}

TEST_F(TwoPhase, references_of_what_is_aborted_leave_dead_rows) {
  const TransactionId id = next_id();
  auto prepare = create(id);
  prepare.branch.operations.front().record.references = {reference('r'), reference('s')};
  ASSERT_EQ(apply(prepare).type, Answer::Type::prepared);
  EXPECT_EQ(dead_rows(), 0U);
  apply(decide(id, Verdict::aborted));
  EXPECT_EQ(dead_rows(), 2U);
}

TEST_F(TwoPhase, an_abort_that_leaves_no_dead_row_is_noticed) {
  const planted::Fault fault("6.6 an abort leaves no dead row");
  const TransactionId id = next_id();
  auto prepare = create(id);
  prepare.branch.operations.front().record.references = {reference('r')};
  ASSERT_EQ(apply(prepare).type, Answer::Type::prepared);
  apply(decide(id, Verdict::aborted));
  EXPECT_EQ(dead_rows(), 0U);
  EXPECT_GT(fault.met(), 0U);
}

TEST_F(TwoPhase, an_abort_before_the_prepare_stands) {
  const auto id = next_id();
  apply(decide(id, Verdict::aborted));
  EXPECT_EQ(status(id).type, TransactionStatus::Type::aborted);
  EXPECT_EQ(apply(create(id)).outcome.refusal, Refusal::aborted);
}

TEST_F(TwoPhase, a_commit_without_its_prepare_aborts) {
  const auto id = next_id();
  EXPECT_EQ(apply(decide(id, Verdict::committed)).outcome.refusal, Refusal::aborted);
}

TEST_F(TwoPhase, a_fenced_session_cannot_commit_what_it_prepared) {
  const auto id = next_id();
  apply(create(id));
  apply(Fence{session});
  EXPECT_EQ(apply(decide(id, Verdict::committed)).outcome.refusal, Refusal::aborted);
  // Nobody has heard of the others.
  EXPECT_EQ(apply(Forget{.gone = {.last = session, .living = {}}}).type, Answer::Type::invalid);
  GoneSessions gone{.last = session, .living = {}};
  for (std::uint64_t other = 1; other < session.value(); ++other) gone.living.push_back(SessionId(other));
  apply(Forget{.gone = gone});
  EXPECT_EQ(count(family_rows, Kind::decision), 0U);
  open();
  EXPECT_EQ(apply(Commit{next_id(), 0, transaction_of_test()}).type, Answer::Type::fenced);
  EXPECT_EQ(apply(decide(id, Verdict::aborted)).type, Answer::Type::forgotten);
  EXPECT_EQ(count(family_rows, Kind::decision), 0U);
}

TEST_F(TwoPhase, breaking_a_lock_fences_its_holder_in_the_same_entry) {
  const SessionId holder{9};
  const Key lock = lock_key(leaf, InodeId(3), holder);
  const Stamp version = put(lock);
  EXPECT_EQ(commit(transaction_of_test().break_lock(lock, Stamp(77))).refusal, Refusal::version);
  EXPECT_FALSE(machine_->sessions().is_fenced(holder));
  // What the holder has prepared is ended first: its fate may be decided elsewhere.
  const TransactionId prepared{holder, 1};
  apply(create(prepared));
  const Commit breaks{next_id(), 0, transaction_of_test().break_lock(lock, version)};
  const auto blocked = apply(breaks);
  EXPECT_EQ(blocked.type, Answer::Type::blocked);
  EXPECT_EQ(blocked.holder->id, prepared);
  EXPECT_FALSE(machine_->sessions().is_fenced(holder));
  apply(decide(prepared, Verdict::aborted));
  EXPECT_TRUE(apply(breaks).outcome.committed());
  EXPECT_FALSE(get(lock));
  for (int i = 0; i < 2; ++i, open()) {
    EXPECT_EQ(apply(Commit{{holder, 2}, 0, transaction_of_test()}).type, Answer::Type::fenced);
    EXPECT_EQ(apply(create({holder, 3})).type, Answer::Type::fenced);
    EXPECT_EQ(machine_->sessions().fenced(), std::vector{holder});
  }
}

TEST_F(TwoPhase, a_prepare_fences_nobody) {
  Prepare prepare = create(next_id());
  prepare.branch.break_lock(lock_key(leaf, InodeId(3), SessionId(9)), Stamp(1));
  EXPECT_EQ(apply(prepare).type, Answer::Type::invalid);
}

TEST_F(TwoPhase, locks_block_others_and_survive_a_restart) {
  const auto id = next_id();
  apply(create(id));
  for (int restart = 0; restart < 2; ++restart) {
    const auto blocked = apply(Commit{next_id(), 0, transaction_of_test().require(Type::absent, entry('a'))});
    EXPECT_EQ(blocked.type, Answer::Type::blocked);
    EXPECT_EQ(blocked.holder->id, id);
    EXPECT_EQ(apply(create(next_id())).type, Answer::Type::blocked);
    EXPECT_EQ(apply(create(id)).type, Answer::Type::prepared);
    open();
  }
  // A row that is free and fails its assert refuses all the same.
  auto mixed = transaction_of_test();
  mixed.require(Type::absent, entry('a')).require(Type::exists, entry('x'));
  EXPECT_EQ(commit(mixed).refusal, Refusal::missing);
}

TEST_F(TwoPhase, asserts_are_shared_and_keep_writers_out) {
  const Key guard = key(leaf, Kind::guard);
  const Stamp generation = put(guard, guard_record());
  std::vector<TransactionId> ids;
  for (const char name : {'a', 'b'}) {
    auto prepare = create(next_id(), name);
    prepare.branch.require(Type::generation, guard, generation);
    ids.push_back(prepare.id);
    EXPECT_EQ(apply(prepare).type, Answer::Type::prepared);
  }
  auto split = transaction_of_test();
  split.require(Type::version, guard, generation).put(guard, guard_record());
  EXPECT_EQ(apply(Commit{next_id(), 0, split}).type, Answer::Type::blocked);
  auto one_more = transaction_of_test();
  one_more.require(Type::generation, guard, generation).require(Type::absent, entry('c')).put(entry('c'), {});
  EXPECT_TRUE(commit(one_more).committed());
  apply(decide(ids[0], Verdict::committed, 'a'));
  EXPECT_EQ(apply(Commit{next_id(), 0, split}).type, Answer::Type::blocked);
  apply(decide(ids[1], Verdict::aborted, 'b'));
  EXPECT_TRUE(commit(split).committed());
  EXPECT_EQ(count(family_rows, Kind::intent), 0U);
}

TEST_F(TwoPhase, a_prepared_create_keeps_a_leaf_from_being_called_empty) {
  apply(create(next_id()));
  auto drop = transaction_of_test().require(Type::prefix_empty, key(leaf, Kind::guard));
  EXPECT_EQ(apply(Commit{next_id(), 0, drop}).type, Answer::Type::blocked);
}

TEST_F(TwoPhase, halves_of_a_move_carry_the_record) {
  Record record = record_of_test("sealed");
  record.references = {reference('r')};
  put(entry('a'), record);
  const auto before = get(entry('a'));
  const auto id = next_id();
  auto branch = transaction_of_test().require(Type::version, entry('a'), before->version);
  branch.operations.push_back({Operation::Type::move_out, entry('a'), {}, {}, {}});
  const auto prepared = apply(Prepare{id, 0, {}, entry('a'), branch});
  ASSERT_EQ(prepared.moved.size(), 1U);
  EXPECT_EQ(prepared.moved.front(), *before);
  apply(decide(id, Verdict::committed));
  EXPECT_FALSE(get(entry('a')));
  EXPECT_EQ(dead_rows(), 1U);

  const auto second = next_id();
  branch = transaction_of_test().require(Type::absent, entry('a', other_leaf));
  branch.operations.push_back({Operation::Type::move_in, entry('a', other_leaf), *before, {}, {}});
  const Key elsewhere = system_key(Kind::session, item_of(1));
  const auto stamp = apply(Prepare{second, 0, {}, elsewhere, branch}).outcome.stamp;
  EXPECT_EQ(apply(Resolve{second, Verdict::committed, Stamp(stamp.value() + 1)}).type, Answer::Type::decided);
  EXPECT_EQ(get(entry('a', other_leaf)), before);
}

TEST_F(TwoPhase, another_part_under_the_same_id_stops_nothing) {
  put(entry('a'), record_of_test("there"));
  const auto id = next_id();
  const auto part_of = [](char name) {
    auto branch = transaction_of_test().require(Type::exists, entry(name));
    branch.operations.push_back({Operation::Type::move_out, entry(name), {}, {}, {}});
    return branch;
  };
  EXPECT_EQ(apply(Prepare{id, 0, {}, entry('a'), part_of('a')}).type, Answer::Type::prepared);
  EXPECT_EQ(apply(Prepare{id, 0, {}, entry('z'), part_of('z')}).type, Answer::Type::stale);
  auto more = part_of('a').require(Type::absent, entry('z')).put(entry('z'), {});
  EXPECT_EQ(apply(Prepare{id, 0, {}, entry('a'), std::move(more)}).type, Answer::Type::stale);
  EXPECT_EQ(apply(Prepare{id, 0, {}, entry('a'), part_of('a')}).moved.size(), 1U);
}

TEST_F(TwoPhase, decisions_go_when_the_low_water_mark_passes) {
  const auto id = next_id();
  apply(create(id));
  apply(decide(id, Verdict::committed));
  apply(Commit{{session, 50}, 50, transaction_of_test()});
  EXPECT_EQ(count(family_rows, Kind::decision), 0U);
  EXPECT_EQ(status(id).type, TransactionStatus::Type::unknown);
  EXPECT_EQ(apply(decide(id, Verdict::aborted)).type, Answer::Type::forgotten);
  EXPECT_EQ(count(family_rows, Kind::decision), 0U);
}

TEST_F(TwoPhase, what_is_foreseen_spends_no_entry) {
  const Stamp version = put(entry('a'));
  const auto foresee = [this](Transaction transaction) {
    return *machine_->foresee({{}, Commit{next_id(), 0, std::move(transaction)}});
  };
  const auto refused = foresee(transaction_of_test().require(Type::absent, entry('a')));
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->outcome.refusal, Refusal::exists);
  EXPECT_EQ(refused->outcome.stamp, version);
  EXPECT_FALSE(foresee(transaction_of_test().require(Type::exists, entry('a'))));
}

TEST_F(TwoPhase, a_crash_anywhere_replays_to_the_same_state) {
  const auto first = next_id(), second = next_id();
  apply(create(first, 'a'));
  put(entry('c'));
  apply(create(second, 'b'));
  apply(decide(first, Verdict::committed, 'a'));
  erase(entry('c'));
  apply(decide(second, Verdict::aborted, 'b'));
  apply(Configure{test_namespace, 2, NamespaceState::active});
  const std::string expected = dump();
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    machine_.reset();
    store_.crash(seed);
    open();
    replay();
    ASSERT_EQ(dump(), expected) << seed;
  }
}

TEST_F(TwoPhase, hostile_entries_are_refused) {
  const std::string good = Proposal{Stamp(1), create(next_id())}.encode();
  ASSERT_TRUE(Proposal::decode(as_view(good)));
  for (std::size_t size = 0; size < good.size(); ++size) {
    EXPECT_FALSE(Proposal::decode(as_view(good).first(size))) << size;
  }
  SeededRng rng(3);
  for (int i = 0; i < 20000; ++i) {
    std::string bad = good;
    bad[rng.below(bad.size())] = static_cast<char>(rng.below(256));
    if (const auto decoded = Proposal::decode(as_view(bad))) {
      EXPECT_TRUE(Proposal::decode(as_view(decoded->encode())));
    }
  }
}

}  // namespace
}  // namespace kiseki::shard::detail
