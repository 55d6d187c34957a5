#include "shard/detail/local_port.h"

#include "shard/detail/hop.h"

namespace kiseki::shard::detail {

Task<Result<Answer>> LocalPort::propose(Proposal proposal, Attempt attempt) {
  co_return co_await hop(home_, shard_.propose(std::move(proposal), attempt));
}

Task<Result<PartReply>> LocalPort::read(PartRequest request) {
  co_return co_await hop(home_, shard_.read(std::move(request)));
}

Task<Result<Status>> LocalPort::status(Holder holder) {
  co_return co_await hop(home_, shard_.status(std::move(holder)));
}

Task<Result<bool>> LocalPort::released(TransactionId id, Duration limit) {
  co_return co_await hop(home_, shard_.released(id, limit));
}

Task<Result<Standings>> LocalPort::standing() { co_return co_await hop(home_, shard_.standing()); }

Task<Result<Scanned>> LocalPort::scan(Kind kind, Stamp after, std::uint32_t rows_max) {
  co_return co_await hop(home_, shard_.scan(kind, after, rows_max));
}

Task<Result<std::vector<Row>>> LocalPort::pending(GoneSessions gone, std::uint32_t rows_max) {
  co_return co_await hop(home_, shard_.pending(std::move(gone), rows_max));
}

Task<Result<std::vector<SessionId>>> LocalPort::beat(std::vector<SessionId> sessions) {
  co_return co_await hop(home_, shard_.beat(std::move(sessions)));
}

Task<Result<std::vector<SessionId>>> LocalPort::silent(std::vector<SessionId> open) {
  co_return co_await hop(home_, shard_.silent(std::move(open)));
}

Task<Result<Judgement>> LocalPort::judge(std::vector<ChunkId> chunks) {
  co_return co_await hop(home_, shard_.judge(std::move(chunks)));
}

Task<Result<ReferenceRows::Page>> LocalPort::dead(ChunkId from, GcEpoch below, std::uint32_t rows_max) {
  co_return co_await hop(home_, shard_.dead(from, below, rows_max));
}

}  // namespace kiseki::shard::detail
