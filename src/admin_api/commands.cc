#include "admin_api/commands.h"

#include <boost/json.hpp>

#include "admin_api/account_commands.h"
#include "admin_api/request.h"
#include "iam/key_limits.h"

namespace kiseki::admin_api {

namespace json = boost::json;

namespace {

using Reply = Result<json::value>;

json::object show(const fs::Namespace& ns) {
  return {{"name", ns.name}, {"namespace", ns.id.value()}, {"created_ms", ns.created_ms}};
}

json::object show(const fs::AccessKey& key) {
  return {{"id", key.id},
          {"tenant", key.tenant.value()},
          {"created_ms", key.created_ms},
          {"root", key.is_root},
          {"user", key.user},
          {"active", key.state == fs::AccessKey::State::active},
          {"expires_ms", key.expires_ms},
          {"limits", key.limits}};
}

json::object show(const NodeReport::Shard& shard) {
  return {{"id", shard.id},
          {"first_slot", shard.first_slot},
          {"last_slot", shard.last_slot},
          {"applied", shard.applied},
          {"leader", shard.leader}};
}

template <class T>
json::array show_all(const std::vector<T>& items) {
  json::array array;
  for (const T& item : items) array.emplace_back(show(item));
  return array;
}

json::object show(const NodeReport::Garbage& garbage) {
  return {{"epoch", garbage.epoch},           {"rounds", garbage.rounds},
          {"candidates", garbage.candidates}, {"freed_chunks", garbage.freed_chunks},
          {"freed_bytes", garbage.freed},     {"pending_bytes", garbage.pending},
          {"stalled", garbage.stalled}};
}

json::object show(const NodeReport& report) {
  return {{"version", report.version},
          {"uptime_seconds", std::chrono::duration_cast<std::chrono::seconds>(report.uptime).count()},
          {"ready", report.ready},
          {"s3", report.s3},
          {"cores", report.cores},
          {"shards", show_all(report.shards)},
          {"device", json::object{{"capacity", report.device_capacity},
                                  {"used", report.device_used},
                                  {"chunks", report.device_chunks},
                                  {"failure", report.device_failure}}},
          {"log_bytes", report.log_bytes},
          {"key_memory",
           json::object{{"bytes", report.key_bytes}, {"unlocked_bytes", report.unlocked_key_bytes}}},
          {"garbage", show(report.garbage)}};
}

Reply nothing(Result<> done) {
  if (!done) return fail(std::move(done).error());
  return json::object{};
}

Task<Reply> run(const Commands::Backend& backend, Status) { co_return show(co_await backend.report()); }

Task<Reply> run(const Commands::Backend& backend, ListKeys) {
  auto keys = co_await backend.identities->list();
  if (!keys) co_return fail(std::move(keys).error());
  co_return show_all(*keys);
}

/// A key without user, limits or expiry acts for the tenant in everything.
Task<Result<fs::Credential>> make_key(const Commands::Backend& backend, CreateKey command) {
  fs::KeyOptions options{.user = command.user};
  if (!command.limits.empty()) {
    auto limits = iam::key_limits(command.limits);
    if (!limits) co_return fail(std::move(limits).error());
    options.limits = std::move(*limits);
  }
  if (command.expires_seconds != 0)
    options.expires_ms = backend.identities->time_ms() + command.expires_seconds * 1000;
  co_return co_await backend.identities->create(backend.tenant, std::move(options));
}

Task<Reply> run(const Commands::Backend& backend, CreateKey command) {
  auto made = co_await make_key(backend, std::move(command));
  if (!made) co_return fail(std::move(made).error());
  co_return json::object{{"id", made->key.id}, {"secret", made->secret.text()}};
}

Task<Reply> run(const Commands::Backend& backend, RemoveKey command) {
  co_return nothing(co_await backend.identities->remove(command.id));
}

Task<Reply> run(const Commands::Backend& backend, DisableKey command) {
  co_return nothing(co_await backend.identities->set_state(command.id, fs::AccessKey::State::disabled));
}

Task<Reply> run(const Commands::Backend& backend, EnableKey command) {
  co_return nothing(co_await backend.identities->set_state(command.id, fs::AccessKey::State::active));
}

Task<Reply> run(const Commands::Backend& backend, AccountRequest request) {
  return run_account_request(backend.identities->accounts(), backend.tenant, std::move(request));
}

Task<Reply> run(const Commands::Backend& backend, ListBuckets) {
  auto namespaces = co_await backend.namespaces->list(backend.tenant);
  if (!namespaces) co_return fail(std::move(namespaces).error());
  co_return show_all(*namespaces);
}

Task<Reply> run(const Commands::Backend& backend, CreateBucket command) {
  auto ns = co_await backend.namespaces->create(backend.tenant, command.name, {.region = backend.region});
  if (!ns) co_return fail(std::move(ns).error());
  co_return show(*ns);
}

Task<Reply> run(const Commands::Backend& backend, RemoveBucket command) {
  co_return nothing(co_await backend.namespaces->remove(backend.tenant, command.name));
}

std::string render(const Reply& reply) {
  if (reply) return json::serialize(json::object{{"ok", true}, {"result", *reply}});
  return json::serialize(
      json::object{{"ok", false}, {"code", name_of(reply.error().code())}, {"words", reply.error().words()}});
}

}  // namespace

Task<std::string> Commands::answer(std::string line) {
  auto request = parse_request(line);
  if (!request) co_return render(fail(std::move(request).error()));
  Task<Reply> work = std::visit([this](auto command) { return run(backend_, std::move(command)); }, *request);
  co_return render(co_await std::move(work));
}

}  // namespace kiseki::admin_api
