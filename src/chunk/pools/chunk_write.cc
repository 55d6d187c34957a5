#include "chunk/pools/chunk_write.h"

#include <algorithm>

#include "base/planted.h"
#include "chunk/placement/moves.h"

namespace kiseki::chunk::detail {

namespace {

/// A target that has not answered by then is repaired instead of waited for.
constexpr Duration hedge_deadline = std::chrono::seconds(1);

using WriteCalls = Calls<PutReply>;

Task<Result<PutReply>> put_at(Result<Device*> device, Fragment fragment) {
  if (!device) co_return fail(std::move(device).error());
  co_return co_await (*device)->put(std::move(fragment));
}

Task<Result<PutReply>> touch_at(Result<Device*> device, FragmentKey key, ChunkReference reference,
                                GroupVersion version) {
  if (!device) co_return fail(std::move(device).error());
  const auto epoch = co_await (*device)->touch(key, reference, version);
  if (!epoch) co_return fail(epoch.error());
  co_return PutReply{Put::touched, *epoch};
}

/// What the targets have answered.
class Tally {
 public:
  Tally(const PlacedGroup& target, WriteCalls& calls) {
    for (std::size_t index = 0; index < calls.size(); ++index) {
      const auto& reply = calls.reply(index);
      if (reply && *reply) {
        count(**reply);
        continue;
      }
      missing_ |= std::uint32_t{1} << index;
      if (reply) note(reply->error());
      if (!reply && target.is_active(index)) ++awaited_;
    }
  }

  bool is_conflict() const noexcept { return conflict_; }
  std::size_t durable() const noexcept { return durable_; }
  /// Active targets that have not answered.
  std::size_t awaited() const noexcept { return awaited_; }
  PutReply reply() const { return {stored_ ? Put::stored : Put::touched, epoch_, missing_}; }
  PutReply conflict() const { return {Put::conflict, epoch_}; }
  Error error() const { return worst_ ? *worst_ : Error(Errc::timed_out, "too few devices have answered"); }

 private:
  void count(const PutReply& reply) {
    if (reply.put == Put::conflict) {
      conflict_ = true;
      return;
    }
    ++durable_;
    stored_ = stored_ || reply.put == Put::stored;
    // 8.10: what a transaction carries is the lowest epoch of the fragments it counts.
    const bool lower = reply.epoch < epoch_;
    if (epoch_.is_none() || lower != KISEKI_PLANTED("8.10 a chunk's epoch is the highest of its fragments")) {
      epoch_ = reply.epoch;
    }
  }

  /// Of several errors that which another try is least likely to mend tells most.
  void note(const Error& error) {
    const auto rank = [](Errc code) {
      return code == Errc::stale ? 3 : code == Errc::no_space ? 2 : code == Errc::not_found ? 1 : 0;
    };
    if (!worst_ || rank(error.code()) > rank(worst_->code())) worst_ = error;
  }

  std::size_t durable_ = 0, awaited_ = 0;
  bool conflict_ = false, stored_ = false;
  GcEpoch epoch_;
  std::uint32_t missing_ = 0;
  std::optional<Error> worst_;
};

Task<Result<PutReply>> settle(PoolServices services, PlacedGroup target, std::shared_ptr<WriteCalls> calls,
                              std::size_t enough) {
  if (KISEKI_PLANTED("8.4 a commit counts one index too few")) --enough;
  const BootTime began = services.clock.now();
  while (true) {
    const Tally tally(target, *calls);
    if (tally.is_conflict()) co_return tally.conflict();
    const std::size_t running = calls->running();
    const Duration waited = services.clock.now() - began;
    const bool waits = tally.awaited() > 0 && waited < hedge_deadline;
    if (tally.durable() >= enough && (running == 0 || !waits)) co_return tally.reply();
    if (tally.durable() + running < enough || waited >= call_limit) co_return fail(tally.error());
    const Duration limit = tally.durable() >= enough ? hedge_deadline : call_limit;
    static_cast<void>(co_await calls->next(services.clock, limit - waited));
  }
}

}  // namespace

Task<Result<PutReply>> put_fragments(PoolServices services, PlacedGroup target,
                                     std::vector<Fragment> fragments) {
  const std::size_t enough = fewest(fragments.front().chunk->format);
  for (Fragment& fragment : fragments) fragment.group = target.version();
  if (fragments.size() == 1) {
    co_return co_await put_at(find_device(services, target.group.current[0]), std::move(fragments[0]));
  }
  const auto calls = WriteCalls::make(services.scope, fragments.size());
  for (std::size_t index = 0; index < fragments.size(); ++index) {
    const auto device = find_device(services, target.group.current[index]);
    calls->start(index, put_at(device, std::move(fragments[index])));
  }
  co_return co_await settle(services, target, calls, enough);
}

Task<Result<PutReply>> touch_fragments(PoolServices services, PlacedGroup target, FragmentKey first,
                                       ChunkReference reference) {
  const std::size_t count = fragment_count(reference.format);
  if (count == 1)
    co_return co_await touch_at(find_device(services, target.group.current[0]), first, reference,
                                target.version());
  const auto calls = WriteCalls::make(services.scope, count);
  for (std::size_t index = 0; index < count; ++index) {
    const FragmentKey key{first.chunk, static_cast<std::uint8_t>(index)};
    calls->start(index, touch_at(find_device(services, target.group.current[index]), key, reference,
                                 target.version()));
  }
  co_return co_await settle(services, target, calls, fewest(reference.format));
}

}  // namespace kiseki::chunk::detail
