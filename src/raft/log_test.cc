#include "raft/log.h"

#include <gtest/gtest.h>

#include "base/planted.h"
#include "sim/simulated_clock.h"
#include "sim/simulated_disk.h"

namespace kiseki::raft {
namespace {

constexpr GroupId one(1);
constexpr GroupId two(2);
constexpr Bytes segment_size = 64_KiB;

SnapshotMeta base_at(Index index, Term term = 1) { return {index, term, {.voters = {1}}}; }

/// A log on a simulated disk, opened, crashed and opened again.
class LogTest : public testing::Test {
 protected:
  ~LogTest() override { close(); }

  Result<> open() {
    auto opened = loop_.get(
        Log::open(disk_, loop_.executor(), clock_, {.directory = "/log", .segment_size = segment_size}));
    if (!opened) return fail(std::move(opened).error());
    log_ = std::move(*opened);
    recovered_ = log_->take_recovered();
    return {};
  }
  void close() {
    if (log_) loop_.get(log_->stop());
    log_.reset();
  }
  Result<> reopen() {
    close();
    return open();
  }
  Result<> create(GroupId group) { return loop_.get(log_->create(group, 1, base_at(5))); }
  Result<> append(GroupId group, Index first, std::vector<std::string> payloads, Term term = 1) {
    std::vector<Entry> entries;
    for (const auto& payload : payloads) {
      entries.push_back({first + entries.size(), term, EntryType::normal, as_view(payload), nullptr});
    }
    return loop_.get(
        log_->append({.group = group, .hard_state = std::nullopt, .entries = std::move(entries)}));
  }
  Result<> erase(GroupId group) { return loop_.get(log_->erase(group)); }
  Result<> compact(GroupId group, Index index) { return loop_.get(log_->compact(group, base_at(index))); }
  /// Payloads of the recovered tail.
  std::vector<std::string> tail(GroupId group) {
    std::vector<std::string> texts;
    for (const Entry& entry : recovered_.at(group).tail) texts.emplace_back(as_text(entry.data));
    return texts;
  }
  Result<std::vector<std::string>> read(GroupId group, Index from, Index to, Bytes limit = 1_MiB) {
    auto entries = loop_.get(log_->read(group, from, to, limit));
    if (!entries) return fail(std::move(entries).error());
    std::vector<std::string> texts;
    for (const Entry& entry : *entries) texts.emplace_back(as_text(entry.data));
    return texts;
  }
  /// Entries until `count` segments were filled.
  void fill_segments(std::size_t count, Index& next) {
    for (std::size_t i = 0; i < count * 4; ++i) ASSERT_TRUE(append(one, next++, {std::string(14_KiB, 'x')}));
  }

  sim::SimulatedLoop loop_;
  sim::SimulatedClock clock_{loop_};
  sim::SimulatedDisk disk_{clock_, 1, {.capacity = 64_MiB}};
  std::unique_ptr<Log> log_;
  std::unordered_map<GroupId, Recovered> recovered_;
};

using Texts = std::vector<std::string>;

TEST_F(LogTest, gives_back_what_was_appended) {
  ASSERT_TRUE(open());
  EXPECT_TRUE(recovered_.empty());
  ASSERT_TRUE(create(one));
  ASSERT_TRUE(create(two));
  ASSERT_TRUE(append(one, 6, {"a", "", "c"}));
  ASSERT_TRUE(append(two, 6, {"x"}));
  ASSERT_TRUE(loop_.get(log_->append({.group = one, .hard_state = HardState{4, 1, 7}, .entries = {}})));
  ASSERT_TRUE(reopen());
  EXPECT_EQ(recovered_.size(), 2U);
  EXPECT_EQ(tail(one), (Texts{"a", "", "c"}));
  EXPECT_EQ(tail(two), Texts{"x"});
  EXPECT_EQ(recovered_.at(one).hard_state, (HardState{4, 1, 7}));
  EXPECT_EQ(recovered_.at(one).base.index, 5U);
  EXPECT_EQ(recovered_.at(one).base.conf.voters, std::vector<ReplicaId>{1});
}

TEST_F(LogTest, says_whose_log_it_is_whatever_moves_its_base) {
  ASSERT_TRUE(open());
  const ReplicaId second = replica_of(1, 2);
  ASSERT_TRUE(loop_.get(log_->create(one, second, base_at(5))));
  EXPECT_EQ(loop_.get(log_->create(one, replica_of(1, 3), base_at(5))).error().code(), Errc::exists);
  ASSERT_TRUE(append(one, 6, {"a", "b"}));
  ASSERT_TRUE(compact(one, 6));
  ASSERT_TRUE(reopen());
  EXPECT_EQ(recovered_.at(one).replica, second);
  ASSERT_TRUE(loop_.get(log_->install(one, base_at(20, 3), HardState{3, 0, 20})));
  Index next = 21;
  fill_segments(2, next);
  ASSERT_TRUE(reopen());
  EXPECT_EQ(recovered_.at(one).replica, second);
  ASSERT_TRUE(loop_.get(log_->erase(one)));
  ASSERT_TRUE(loop_.get(log_->create(one, replica_of(1, 3), base_at(0, 0))));
  ASSERT_TRUE(reopen());
  EXPECT_EQ(recovered_.at(one).replica, replica_of(1, 3));
}

TEST_F(LogTest, an_append_replaces_the_suffix) {
  ASSERT_TRUE(open());
  ASSERT_TRUE(create(one));
  ASSERT_TRUE(append(one, 6, {"a", "b", "c"}));
  ASSERT_TRUE(append(one, 7, {"B"}, 2));
  EXPECT_EQ(read(one, 6, 8), (Texts{"a", "B"}));
  EXPECT_EQ(read(one, 8, 9).error().code(), Errc::out_of_range);
  ASSERT_TRUE(reopen());
  EXPECT_EQ(tail(one), (Texts{"a", "B"}));
}

TEST_F(LogTest, an_installed_base_replaces_what_was_there) {
  for (const bool is_reopened : {false, true}) {
    if (!log_) ASSERT_TRUE(open());
    const GroupId group = is_reopened ? two : one;
    ASSERT_TRUE(create(group));
    ASSERT_TRUE(append(group, 6, {"a", "b", "c", "d"}));
    ASSERT_TRUE(loop_.get(log_->install(group, base_at(7, 3), HardState{3, 0, 7})));
    EXPECT_EQ(read(group, 8, 9).error().code(), Errc::out_of_range);
    if (is_reopened) ASSERT_TRUE(reopen());
    if (is_reopened) EXPECT_EQ(tail(group), Texts{});
    ASSERT_TRUE(append(group, 8, {"X"}, 3));
    EXPECT_EQ(read(group, 8, 9), Texts{"X"});
    EXPECT_EQ(read(group, 9, 10).error().code(), Errc::out_of_range);
    ASSERT_TRUE(reopen());
    EXPECT_EQ(tail(group), Texts{"X"});
    EXPECT_EQ(recovered_.at(group).base.term, 3U);
    EXPECT_EQ(recovered_.at(group).hard_state, (HardState{3, 0, 7}));
  }
}

TEST_F(LogTest, reads_from_its_segments) {
  ASSERT_TRUE(open());
  ASSERT_TRUE(create(one));
  ASSERT_TRUE(append(one, 6, {"a", "b"}));
  ASSERT_TRUE(append(one, 8, {"c", "d"}));
  EXPECT_EQ(read(one, 7, 9), (Texts{"b", "c"}));
  EXPECT_EQ(read(one, 6, 10), (Texts{"a", "b", "c", "d"}));
  EXPECT_EQ(read(one, 6, 10, 0), Texts{"a"}) << "at least one";
  EXPECT_EQ(read(one, 5, 7).error().code(), Errc::stale);
  EXPECT_EQ(read(two, 5, 7).error().code(), Errc::not_found);
  ASSERT_TRUE(compact(one, 8));
  EXPECT_EQ(read(one, 8, 10).error().code(), Errc::stale);
  EXPECT_EQ(read(one, 9, 10), Texts{"d"});
  ASSERT_TRUE(reopen());
  EXPECT_EQ(read(one, 9, 10), Texts{"d"});
  EXPECT_EQ(tail(one), Texts{"d"});
}

TEST_F(LogTest, refuses_what_makes_no_sense) {
  ASSERT_TRUE(open());
  EXPECT_EQ(append(one, 6, {"a"}).error().code(), Errc::not_found);
  ASSERT_TRUE(create(one));
  EXPECT_EQ(create(one).error().code(), Errc::exists);
  EXPECT_EQ(append(one, 7, {"hole"}).error().code(), Errc::stale);
  EXPECT_EQ(append(one, 6, {std::string(segment_size, 'x')}).error().code(), Errc::too_large);
  EXPECT_TRUE(append(one, 6, {"a"}));
}

TEST_F(LogTest, appends_that_wait_together_share_a_flush) {
  ASSERT_TRUE(open());
  std::vector<GroupId> groups;
  for (std::uint32_t i = 1; i <= 64; ++i) groups.emplace_back(i);
  for (const GroupId group : groups) ASSERT_TRUE(create(group));
  const auto before = disk_.counters().syncs;
  std::size_t done = 0;
  const std::string payload(100, 'x');
  for (const GroupId group : groups) {
    loop_.spawn([](Log& log, GroupId id, View data, std::size_t& count) -> Task<> {
      Append append{.group = id, .hard_state = std::nullopt, .entries = {}};
      append.entries.push_back({6, 1, EntryType::normal, data, nullptr});
      EXPECT_TRUE(co_await log.append(std::move(append)));
      ++count;
    }(*log_, group, as_view(payload), done));
  }
  loop_.run();
  EXPECT_EQ(done, 64U);
  EXPECT_EQ(disk_.counters().syncs - before, 1U);
}

TEST_F(LogTest, lazy_hard_states_cost_no_flush_and_are_written_at_the_end) {
  ASSERT_TRUE(open());
  ASSERT_TRUE(create(one));
  const auto before = disk_.counters().syncs;
  const auto lazy = [&](Index commit) {
    return loop_.get(
        log_->append({.group = one, .hard_state = HardState{3, 1, commit}, .entries = {}, .sync = false}));
  };
  ASSERT_TRUE(lazy(4));
  ASSERT_TRUE(lazy(5));
  EXPECT_EQ(disk_.counters().syncs, before);
  ASSERT_TRUE(reopen());
  EXPECT_EQ(recovered_.at(one).hard_state, (HardState{3, 1, 5}));
}

TEST_F(LogTest, recycles_segments_nobody_needs) {
  ASSERT_TRUE(open());
  ASSERT_TRUE(create(one));
  ASSERT_TRUE(create(two));
  ASSERT_TRUE(append(two, 6, {"idle"}));
  Index next = 6;
  for (int round = 0; round < 20; ++round) {
    fill_segments(2, next);
    ASSERT_TRUE(compact(one, next - 2));
    if (round == 10) ASSERT_TRUE(compact(two, 6));
    if (round >= 10) EXPECT_LE(log_->live_bytes(), 4 * segment_size);
  }
  loop_.run_for(std::chrono::seconds(1));
  EXPECT_LE(disk_.files().size(), 5U);
  ASSERT_TRUE(reopen());
  EXPECT_EQ(recovered_.at(one).base.index, next - 2);
  EXPECT_EQ(recovered_.at(one).tail.size(), 1U);
  EXPECT_EQ(recovered_.at(two).base.index, 6U);
  EXPECT_TRUE(append(two, 7, {"awake"}));
}

TEST_F(LogTest, a_segment_is_not_used_again_while_it_is_read) {
  ASSERT_TRUE(open());
  ASSERT_TRUE(create(one));
  Index next = 6;
  fill_segments(2, next);
  std::optional<Result<std::vector<Entry>>> entries;
  const auto read_slowly = [](Log& log, auto& into) -> Task<> { into = co_await log.read(one, 6, 8, 1_MiB); };
  disk_.faults().slow = 1'000'000;
  loop_.spawn(read_slowly(*log_, entries));
  loop_.run_for(std::chrono::microseconds(1));
  disk_.faults() = {};
  for (int round = 0; round < 4; ++round) {
    ASSERT_TRUE(compact(one, next - 1));
    fill_segments(2, next);
  }
  ASSERT_FALSE(entries) << "it was to be slower than that";
  ASSERT_TRUE(loop_.run_until([&] { return entries.has_value(); }));
  // What was compacted meanwhile may be missing, but never damaged.
  if (!*entries) EXPECT_EQ(entries->error().code(), Errc::stale);
}

TEST_F(LogTest, an_idle_group_pins_only_what_it_has_not_compacted) {
  ASSERT_TRUE(open());
  ASSERT_TRUE(create(one));
  ASSERT_TRUE(create(two));
  ASSERT_TRUE(append(two, 6, {"pinned"}));
  Index next = 6;
  fill_segments(5, next);
  ASSERT_TRUE(compact(one, next - 1));
  EXPECT_GT(log_->live_bytes(), 4 * segment_size);
  EXPECT_EQ(read(two, 6, 7), Texts{"pinned"});
  ASSERT_TRUE(reopen());
  EXPECT_EQ(tail(two), Texts{"pinned"});
}

TEST_F(LogTest, an_erased_group_is_forgotten_and_its_number_may_come_again) {
  ASSERT_TRUE(open());
  ASSERT_TRUE(create(one));
  ASSERT_TRUE(create(two));
  ASSERT_TRUE(append(one, 6, {"a", "b"}));
  ASSERT_TRUE(append(two, 6, {"x"}));
  ASSERT_TRUE(erase(one));
  EXPECT_EQ(erase(one).error().code(), Errc::not_found);
  EXPECT_EQ(append(one, 8, {"c"}).error().code(), Errc::not_found);
  EXPECT_EQ(compact(one, 7).error().code(), Errc::not_found);
  EXPECT_EQ(read(one, 6, 8).error().code(), Errc::not_found);
  ASSERT_TRUE(reopen());
  EXPECT_EQ(recovered_.size(), 1U);
  EXPECT_EQ(tail(two), Texts{"x"});
  ASSERT_TRUE(create(one));
  EXPECT_EQ(append(one, 8, {"of another"}).error().code(), Errc::stale);
  ASSERT_TRUE(append(one, 6, {"new"}));
  ASSERT_TRUE(reopen());
  EXPECT_EQ(tail(one), Texts{"new"});
}

TEST_F(LogTest, nothing_reaches_a_group_that_is_being_erased) {
  ASSERT_TRUE(open());
  ASSERT_TRUE(create(one));
  std::optional<Result<>> erased;
  loop_.spawn([](Log& log, std::optional<Result<>>& result) -> Task<> { result = co_await log.erase(one); }(
                                                                *log_, erased));
  loop_.run_for(Duration::zero());
  ASSERT_FALSE(erased);
  const auto lazily = [&] {
    return loop_.get(
        log_->append({.group = one, .hard_state = HardState{3, 1, 5}, .entries = {}, .sync = false}));
  };
  EXPECT_EQ(lazily().error().code(), Errc::not_found);
  EXPECT_EQ(create(one).error().code(), Errc::exists);
  loop_.run_until([&] { return erased.has_value(); });
  EXPECT_TRUE(*erased);
  ASSERT_TRUE(reopen());
  EXPECT_TRUE(recovered_.empty());
}

TEST_F(LogTest, a_lazy_hard_state_goes_with_its_group) {
  ASSERT_TRUE(open());
  ASSERT_TRUE(create(one));
  ASSERT_TRUE(loop_.get(
      log_->append({.group = one, .hard_state = HardState{3, 1, 5}, .entries = {}, .sync = false})));
  ASSERT_TRUE(erase(one));
  ASSERT_TRUE(create(two));
  ASSERT_TRUE(reopen());
  EXPECT_EQ(recovered_.size(), 1U);
  EXPECT_TRUE(recovered_.contains(two));
}

TEST_F(LogTest, an_erased_group_pins_nothing) {
  ASSERT_TRUE(open());
  ASSERT_TRUE(create(one));
  ASSERT_TRUE(create(two));
  ASSERT_TRUE(append(two, 6, {"pinned"}));
  Index next = 6;
  fill_segments(5, next);
  ASSERT_TRUE(compact(one, next - 1));
  EXPECT_GT(log_->live_bytes(), 4 * segment_size);
  ASSERT_TRUE(erase(two));
  EXPECT_LE(log_->live_bytes(), segment_size);
  fill_segments(10, next);
  ASSERT_TRUE(compact(one, next - 1));
  ASSERT_TRUE(reopen());
  EXPECT_EQ(recovered_.size(), 1U);
}

TEST_F(LogTest, erasing_makes_room_on_a_full_disk) {
  ASSERT_TRUE(open());
  ASSERT_TRUE(create(one));
  ASSERT_TRUE(create(two));
  loop_.run_for(std::chrono::seconds(1));
  disk_.set_capacity(disk_.used());
  Index next = 6;
  while (append(one, next, {std::string(8_KiB, 'x')})) ++next;
  EXPECT_TRUE(log_->is_full());
  ASSERT_TRUE(erase(one));
  loop_.run_for(std::chrono::seconds(2));
  EXPECT_FALSE(log_->is_full());
  EXPECT_TRUE(append(two, 6, {std::string(12_KiB, 'x')}));
}

TEST_F(LogTest, without_space_it_refuses_before_anything_is_torn) {
  ASSERT_TRUE(open());
  ASSERT_TRUE(create(one));
  loop_.run_for(std::chrono::seconds(1));
  disk_.set_capacity(disk_.used());
  Index next = 6;
  auto result = append(one, next, {std::string(12_KiB, 'x')});
  for (; result; result = append(one, next, {std::string(12_KiB, 'x')})) ++next;
  EXPECT_EQ(result.error().code(), Errc::no_space);
  EXPECT_TRUE(log_->is_full());
  EXPECT_EQ(read(one, 6, 7)->size(), 1U);
  ASSERT_TRUE(reopen());
  EXPECT_EQ(recovered_.at(one).tail.size(), next - 6);
  disk_.set_capacity(64_MiB);
  loop_.run_for(std::chrono::seconds(2));
  EXPECT_FALSE(log_->is_full());
  EXPECT_TRUE(append(one, next, {std::string(12_KiB, 'x')}));
}

TEST_F(LogTest, nothing_passes_an_append_that_was_refused) {
  ASSERT_TRUE(open());
  ASSERT_TRUE(create(one));
  loop_.run_for(std::chrono::seconds(1));
  disk_.set_capacity(disk_.used());
  Index next = 6;
  while (append(one, next, {std::string(12_KiB, 'x')})) ++next;
  disk_.set_capacity(64_MiB);
  loop_.run_for(std::chrono::seconds(2));
  EXPECT_EQ(append(one, next + 1, {"behind"}).error().code(), Errc::stale);
  EXPECT_TRUE(append(one, next, {"again"}));
  EXPECT_TRUE(append(one, next + 1, {"behind"}));
}

TEST_F(LogTest, compaction_makes_room_on_a_full_disk) {
  ASSERT_TRUE(open());
  ASSERT_TRUE(create(one));
  loop_.run_for(std::chrono::seconds(1));
  disk_.set_capacity(disk_.used());
  Index next = 6;
  while (append(one, next, {std::string(8_KiB, 'x')})) ++next;
  EXPECT_TRUE(log_->is_full());
  ASSERT_TRUE(compact(one, next - 1));
  loop_.run_for(std::chrono::seconds(2));
  EXPECT_FALSE(log_->is_full());
  EXPECT_TRUE(append(one, next, {std::string(12_KiB, 'x')}));
}

TEST_F(LogTest, a_failed_write_or_flush_is_final) {
  for (const bool in_sync : {false, true}) {
    ASSERT_TRUE(reopen());
    if (!in_sync) ASSERT_TRUE(create(one));
    loop_.run_for(std::chrono::seconds(1));
    const Index next = recovered_.contains(one) ? 6 + recovered_.at(one).tail.size() : 6;
    (in_sync ? disk_.faults().sync_errors : disk_.faults().write_errors) = 1'000'000;
    EXPECT_EQ(append(one, next, {"lost"}).error().code(), Errc::io_error);
    disk_.faults() = {};
    EXPECT_EQ(append(one, next, {"refused"}).error().code(), Errc::io_error);
  }
}

class DamageTest : public LogTest {
 protected:
  /// Three batches of one segment, closed.
  void write_three() {
    ASSERT_TRUE(open());
    ASSERT_TRUE(create(one));
    ASSERT_TRUE(append(one, 6, {"first", "second"}));
    ASSERT_TRUE(append(one, 8, {"third"}));
    close();
  }
  const std::filesystem::path file_ = "/log/00000000.segment";
  static constexpr Bytes batch_ = 4_KiB;
};

TEST_F(DamageTest, a_torn_last_batch_is_dropped_and_written_over) {
  write_three();
  disk_.flip_bit(file_, 3 * batch_ + 70, 3);
  ASSERT_TRUE(open());
  EXPECT_EQ(tail(one), (Texts{"first", "second"}));
  ASSERT_TRUE(append(one, 8, {"again"}));
  ASSERT_TRUE(reopen());
  EXPECT_EQ(tail(one), (Texts{"first", "second", "again"}));
}

/// Two batches on their way at once, and the first is torn: what the log holds after it was written anew.
class OverlapTest : public DamageTest {
 protected:
  void start_append(const Entry& entry, std::size_t& done) {
    loop_.spawn([](Log& log, Entry one, std::size_t& count) -> Task<> {
      Append append{.group = one_group, .hard_state = std::nullopt, .entries = {one}};
      EXPECT_TRUE(co_await log.append(std::move(append)));
      ++count;
    }(*log_, entry, done));
  }
  /// Both at least begun when the second is written, so that it proves nothing of the first.
  void write_two() {
    std::size_t done = 0;
    const std::string first = "first";
    const std::string second = "second";
    const auto writes = disk_.counters().writes;
    start_append({6, 1, EntryType::normal, as_view(first), nullptr}, done);
    loop_.run_until([&] { return disk_.counters().writes == writes + 1; });
    start_append({7, 1, EntryType::normal, as_view(second), nullptr}, done);
    loop_.run_until([&] { return disk_.counters().writes == writes + 2; });
    EXPECT_EQ(done, 0U);
    loop_.run_until([&] { return done == 2; });
  }
  Texts after_a_torn_batch_was_written_again() {
    EXPECT_TRUE(open());
    EXPECT_TRUE(create(one));
    write_two();
    close();
    disk_.flip_bit(file_, 2 * batch_ + 70, 3);
    EXPECT_TRUE(open());
    EXPECT_EQ(tail(one), Texts{});
    EXPECT_TRUE(append(one, 6, {"again"}));
    EXPECT_TRUE(reopen());
    return tail(one);
  }
  static constexpr GroupId one_group = one;
};

TEST_F(OverlapTest, flushes_overlap_and_are_answered_in_order) {
  ASSERT_TRUE(open());
  ASSERT_TRUE(create(one));
  write_two();
  ASSERT_TRUE(reopen());
  EXPECT_EQ(tail(one), (Texts{"first", "second"}));
}

TEST_F(OverlapTest, nothing_behind_a_failed_flush_is_acknowledged) {
  ASSERT_TRUE(open());
  ASSERT_TRUE(create(one));
  loop_.run_for(std::chrono::seconds(1));
  std::vector<std::optional<Result<>>> outcomes(2);
  const auto writes = disk_.counters().writes;
  disk_.faults().write_errors = 1'000'000;
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    loop_.spawn([](Log& log, Index index, std::optional<Result<>>& outcome) -> Task<> {
      const Entry entry{index, 1, EntryType::normal, as_view("text"), nullptr};
      outcome = co_await log.append({.group = one, .hard_state = std::nullopt, .entries = {entry}});
    }(*log_, 6 + i, outcomes[i]));
    ASSERT_TRUE(loop_.run_until([&] { return disk_.counters().writes == writes + i + 1; }));
    EXPECT_FALSE(outcomes[i]);
    disk_.faults() = {};
  }
  ASSERT_TRUE(loop_.run_until([&] { return outcomes[0] && outcomes[1]; }));
  for (const auto& outcome : outcomes) EXPECT_EQ(outcome->error().code(), Errc::io_error);
}

TEST_F(OverlapTest, what_followed_a_torn_batch_does_not_come_back) {
  EXPECT_EQ(after_a_torn_batch_was_written_again(), Texts{"again"});
}

TEST_F(OverlapTest, what_followed_a_torn_batch_would_come_back) {
  const planted::Fault fault("batches after a torn one stay");
  EXPECT_EQ(after_a_torn_batch_was_written_again(), (Texts{"again", "second"}));
  EXPECT_GT(fault.met(), 0U);
}

TEST_F(OverlapTest, a_torn_first_batch_proves_nothing) {
  ASSERT_TRUE(open());
  std::size_t done = 0;
  const auto writes = disk_.counters().writes;
  for (const GroupId group : {one, two}) {
    loop_.spawn([](Log& log, GroupId id, std::size_t& count) -> Task<> {
      EXPECT_TRUE(co_await log.create(id, 1, base_at(5)));
      ++count;
    }(*log_, group, done));
    loop_.run_until([&] { return disk_.counters().writes > writes + (group == one ? 0 : 1); });
  }
  loop_.run_until([&] { return done == 2; });
  close();
  disk_.flip_bit(file_, batch_ + 70, 3);
  ASSERT_TRUE(open());
  EXPECT_TRUE(recovered_.empty());
}

TEST_F(DamageTest, before_a_later_flush_it_refuses_and_says_where) {
  write_three();
  disk_.flip_bit(file_, 2 * batch_ + 70, 3);
  const auto result = open();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), Errc::corrupted);
  EXPECT_NE(result.error().words().find("00000000.segment (number 1) at offset 8192"), std::string::npos)
      << result.error().words();
}

TEST_F(DamageTest, every_bit_matters_where_something_is_written) {
  const Bytes end = 4 * batch_;
  for (Bytes at = 0; at < end; ++at) {
    const Bytes inside = at % batch_;
    const bool header = at < 28;
    const bool padding = at < batch_ ? !header : inside >= 240;
    if (padding && inside % 97 != 0) continue;
    for (const auto& path : disk_.files()) ASSERT_TRUE(loop_.get(disk_.remove(path)));
    write_three();
    disk_.flip_bit(file_, at, static_cast<unsigned>(at % 8));
    const auto result = open();
    SCOPED_TRACE(fmt::format("offset {}", at));
    if (result) {
      const bool last = at >= 3 * batch_;
      const Texts found = recovered_.contains(one) ? tail(one) : Texts{};
      EXPECT_TRUE(found == (Texts{"first", "second", "third"}) ||
                  (last && found == Texts{"first", "second"}));
    } else {
      EXPECT_EQ(result.error().code(), Errc::corrupted);
      EXPECT_LT(at, 3 * batch_);
    }
    close();
  }
}

TEST_F(DamageTest, a_lost_segment_header_is_noticed) {
  write_three();
  disk_.flip_bit(file_, 9, 0);
  EXPECT_EQ(open().error().code(), Errc::corrupted);
}

TEST_F(DamageTest, a_missing_segment_is_noticed) {
  ASSERT_TRUE(open());
  ASSERT_TRUE(create(one));
  Index next = 6;
  fill_segments(3, next);
  close();
  ASSERT_TRUE(loop_.get(disk_.remove("/log/00000001.segment")));
  const auto result = open();
  ASSERT_FALSE(result);
  EXPECT_NE(result.error().words().find("missing"), std::string::npos) << result.error().words();
}

}  // namespace
}  // namespace kiseki::raft
