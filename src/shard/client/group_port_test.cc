#include "shard/client/group_port.h"

#include <gtest/gtest.h>
#include <map>

#include "sim/simulated_clock.h"

namespace kiseki::shard::detail {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// Nodes of which some are silent and some lead.
class Nodes final : public ReplicaNetwork {
 public:
  explicit Nodes(sim::SimulatedLoop& loop) : clock(loop) {}
  std::vector<raft::NodeId> nodes() const override { return {1, 2, 3, 4, 5}; }
  Task<Result<Reply>> call(raft::NodeId node, ShardId, Request request, Duration limit) override {
    if (silent.contains(node)) {
      if (!std::holds_alternative<LeaderRequest>(request)) ++asked[node];
      co_await clock.sleep(limit);
      co_return fail(Errc::timed_out, "silence");
    }
    co_await clock.sleep(milliseconds(1));
    const auto term = terms.find(node);
    if (std::holds_alternative<LeaderRequest>(request)) {
      co_return Leadership{.leads = term != terms.end(), .term = term == terms.end() ? 0 : term->second};
    }
    ++asked[node];
    if (term == terms.end()) co_return fail(Errc::not_leader, "another leads");
    if (std::holds_alternative<ProposeRequest>(request)) co_return Answer{};
    co_return std::vector<SessionId>{};
  }

  sim::SimulatedClock clock;
  std::set<raft::NodeId> silent;
  std::map<raft::NodeId, std::uint64_t> terms;  // of those that lead
  std::map<raft::NodeId, int> asked;            // but for who leads
};

class GroupPortTest : public ::testing::Test {
 protected:
  template <class Asked>
  auto ask(Asked request) {
    const BootTime began = nodes_.clock.now();
    auto reply = loop_.get(port_.ask(std::move(request), seconds(30)));
    took_ = nodes_.clock.now() - began;
    return reply;
  }
  static ProposeRequest proposal() { return {{.stamp = {}, .body = Fence{.session = SessionId(1)}}}; }

  sim::SimulatedLoop loop_;
  Nodes nodes_{loop_};
  GroupPort port_{ShardId(1), nodes_, nodes_.clock};
  Duration took_{};
};

TEST_F(GroupPortTest, silent_nodes_are_waited_for_side_by_side) {
  nodes_.terms = {{1, 7}};
  ASSERT_TRUE(ask(BeatRequest{}));
  nodes_.silent = {1, 2, 3};
  nodes_.terms = {{1, 7}, {5, 8}};
  ASSERT_TRUE(ask(BeatRequest{}));
  EXPECT_LE(took_, GroupPort::patience + GroupPort::search_limit + milliseconds(10));
  ASSERT_TRUE(ask(BeatRequest{}));
  EXPECT_LE(took_, milliseconds(10));
}

TEST_F(GroupPortTest, of_two_leaders_the_later_is_asked) {
  nodes_.terms = {{2, 5}, {4, 6}};
  ASSERT_TRUE(ask(proposal()));
  EXPECT_EQ(nodes_.asked, (std::map<raft::NodeId, int>{{4, 1}}));
}

TEST_F(GroupPortTest, a_proposal_without_an_answer_goes_nowhere_else) {
  nodes_.terms = {{2, 5}};
  ASSERT_TRUE(ask(proposal()));
  nodes_.silent = {2};
  nodes_.terms = {{3, 6}};
  nodes_.asked.clear();
  EXPECT_EQ(ask(proposal()).error().code(), Errc::timed_out);
  EXPECT_EQ(nodes_.asked, (std::map<raft::NodeId, int>{{2, 1}}));
  ASSERT_TRUE(ask(proposal()));
  EXPECT_EQ(nodes_.asked, (std::map<raft::NodeId, int>{{2, 1}, {3, 1}}));
}

TEST_F(GroupPortTest, who_does_not_lead_any_more_is_passed_over) {
  nodes_.terms = {{2, 5}};
  ASSERT_TRUE(ask(proposal()));
  nodes_.terms = {{3, 6}};
  ASSERT_TRUE(ask(proposal()));
  nodes_.terms.clear();
  EXPECT_EQ(ask(proposal()).error().code(), Errc::not_leader);
}

}  // namespace
}  // namespace kiseki::shard::detail
