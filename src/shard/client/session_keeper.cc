#include "shard/client/session_keeper.h"

#include <algorithm>

#include "base/assert.h"
#include "base/crossing.h"
#include "base/logging.h"
#include "base/planted.h"
#include "shard/client/registry.h"
#include "shard/client/session_client.h"

namespace kiseki::shard::detail {

namespace {

constexpr Duration connect_limit = std::chrono::seconds(30);

/// Among all processes of the cluster.
std::uint64_t process_of(std::uint64_t owner, std::uint64_t process) {
  constexpr unsigned process_bits = 32;
  KISEKI_ASSERT(process >> process_bits == 0);
  if (KISEKI_PLANTED("5.1 processes of two nodes are taken for one")) return process;
  return owner << process_bits | process;
}

}  // namespace

Task<Result<std::unique_ptr<Client>>> SessionKeeper::connect(CoreServices core, std::uint64_t process) {
  for (const auto& each : connected_) {
    if (each.process == process) each.session->fence();
  }
  const BootTime deadline = home_.clock->now() + connect_limit;
  const std::uint64_t everywhere = process_of(owner_, process);
  auto opened = co_await Registry(routes_).open(everywhere);
  // A majority may not be there yet. A session that was made without an answer is never heard of, and goes.
  while (!opened && may_retry(opened.error()) && home_.clock->now() < deadline) {
    if (!co_await background_.sleep(*home_.clock, std::chrono::milliseconds(100))) break;
    opened = co_await Registry(routes_).open(everywhere);
  }
  if (!opened) co_return fail(opened.error());
  Session::Options options;
  options.id = *opened;
  connected_.push_back({process, std::make_unique<Session>(options, routes_, core)});
  co_return std::make_unique<SessionClient>(*connected_.back().session);
}

Task<> SessionKeeper::beat() {
  while (co_await background_.sleep(*home_.clock, beat_interval)) {
    const auto beaten = co_await beat_once();
    if (!beaten) log::debug("shard", "heartbeat: {}", beaten.error().to_string());
  }
}

Task<Result<>> SessionKeeper::beat_once() {
  std::vector<SessionId> living;
  for (const auto& each : connected_) {
    if (!each.session->is_fenced()) living.push_back(each.session->id());
  }
  if (living.empty()) co_return Result<>{};
  const auto fenced = co_await Registry(routes_).beat(std::move(living));
  if (!fenced) co_return fail(fenced.error());
  for (const auto& each : connected_) {
    // Those that a later session of their process took the place of meanwhile are known to be.
    if (each.session->is_fenced()) continue;
    if (std::ranges::find(*fenced, each.session->id()) == fenced->end()) continue;
    each.session->fence();
    on_fenced_(Error(Errc::fenced, "this process was not heard in time, or its place was taken"));
  }
  co_return Result<>{};
}

Task<> SessionKeeper::stop() {
  for (const auto& each : connected_) co_await on(each.session->executor(), each.session->stop());
  co_await background_.stop();
}

}  // namespace kiseki::shard::detail
