#include "shard/client/group_port.h"

#include <algorithm>
#include <fmt/format.h>

#include "shard/client/gather.h"
#include "shard/client/session.h"

namespace kiseki::shard::detail {

namespace {

Duration patience_with(const Request& request) {
  const auto* waits = std::get_if<ReleasedRequest>(&request);
  return GroupPort::patience + (waits != nullptr ? waits->limit : Duration::zero());
}

}  // namespace

Task<std::optional<raft::NodeId>> GroupPort::find_leader(Duration limit) {
  const auto nodes = network_.nodes();
  std::vector<Task<Result<Reply>>> questions;
  for (const raft::NodeId node : nodes) {
    questions.push_back(network_.call(node, shard_, LeaderRequest{}, std::min(limit, search_limit)));
  }
  const auto replies = co_await gather(co_await asio::this_coro::executor, std::move(questions));
  std::optional<raft::NodeId> leader;
  std::uint64_t term = 0;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const auto* told = replies[i] ? std::get_if<Leadership>(&*replies[i]) : nullptr;
    if (told == nullptr || !told->leads || (leader && told->term <= term)) continue;
    leader = nodes[i];
    term = told->term;
  }
  co_return leader;
}

Task<std::optional<Result<Reply>>> GroupPort::ask_known(const Request& request, Duration limit) {
  raft::NodeId known = leader_;
  if (known == 0) co_return std::nullopt;
  const bool is_proposal = std::holds_alternative<ProposeRequest>(request);
  auto reply = co_await network_.call(known, shard_, request,
                                      is_proposal ? limit : std::min(limit, patience_with(request)));
  if (reply || !may_retry(reply.error())) co_return reply;
  leader_.compare_exchange_strong(known, 0);
  // Nothing was done, or nothing that may not be done twice.
  const bool is_open = !is_proposal || reply.error().code() == Errc::not_leader;
  if (is_open && reply.error().code() != Errc::stale) co_return std::nullopt;
  co_return reply;
}

Task<Result<Reply>> GroupPort::call(Request request, Duration limit) {
  const BootTime deadline = clock_.now() + limit;
  if (auto reply = co_await ask_known(request, limit)) co_return std::move(*reply);
  const auto leader = co_await find_leader(deadline - clock_.now());
  if (!leader) co_return fail(Errc::not_leader, fmt::format("shard {}: no replica leads", shard_.value()));
  leader_ = *leader;
  const Duration left = deadline - clock_.now();
  if (left <= Duration::zero()) co_return fail(Errc::not_leader, "there was no time to ask who leads");
  auto reply = co_await network_.call(*leader, shard_, std::move(request), left);
  raft::NodeId asked = *leader;
  if (!reply && may_retry(reply.error())) leader_.compare_exchange_strong(asked, 0);
  co_return reply;
}

}  // namespace kiseki::shard::detail
