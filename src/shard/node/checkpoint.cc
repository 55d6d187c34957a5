#include "shard/node/checkpoint.h"

#include "base/logging.h"

namespace kiseki::shard::detail {

namespace {

constexpr Duration interval = std::chrono::milliseconds(250);
constexpr Bytes unflushed_max = 64_MiB;

}  // namespace

void Checkpoint::set_failure(Error error) {
  const std::lock_guard lock(mutex_);
  if (!failure_) failure_ = std::move(error);
}

std::optional<Error> Checkpoint::failure() const {
  const std::lock_guard lock(mutex_);
  return failure_;
}

Task<> Checkpoint::run(Scope& scope) {
  while (co_await scope.sleep(clock_, interval)) {
    co_await watch_room();
    co_await watch_replicas();
    const bool is_due = log_.live_bytes() > std::max(log_limit_, next_) || log_.is_full() ||
                        store_.unflushed() > unflushed_max;
    if (!is_due) continue;
    const auto flushed = co_await flush();
    const bool was_out_of_space = std::exchange(out_of_space_, false);
    if (flushed) continue;
    out_of_space_ = flushed.error().code() == Errc::no_space;
    if (!out_of_space_) set_failure(flushed.error());
    if (out_of_space_ && !was_out_of_space) {
      log::warning("shard", "the store could not be flushed: {}", flushed.error().to_string());
    }
  }
}

Task<Result<>> Checkpoint::flush() {
  kv::KvStore& store = store_;
  KISEKI_CO_TRY(co_await pool_.run([&store] { return store.flush(); }));
  for (LocalReplica* const replica : replicas_.all()) KISEKI_CO_TRY(co_await replica->compact());
  // A log that cannot get below the limit is not flushed for it without end.
  next_ = log_.live_bytes() + log_limit_ / 4;
  co_return Result<>{};
}

Task<> Checkpoint::watch_room() {
  const auto room = store_.room();
  const bool has_room = room.has_value() && !log_.is_full();
  if (has_room == has_room_) co_return;
  has_room_ = has_room;
  if (has_room) {
    log::info("shard", "the disk has room again");
  } else {
    log::warning("shard", "no new rows are taken: {}", room ? "the log is full" : room.error().to_string());
  }
  for (LocalReplica* const replica : replicas_.all()) co_await replica->set_room(has_room);
}

Task<> Checkpoint::watch_replicas() {
  for (LocalReplica* const replica : replicas_.all()) {
    if (auto failed = co_await replica->failure()) set_failure(std::move(*failed));
  }
}

}  // namespace kiseki::shard::detail
