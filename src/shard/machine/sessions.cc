#include "shard/machine/sessions.h"

#include "base/codec.h"
#include "base/planted.h"
#include "shard/rows/row_codec.h"

namespace kiseki::shard::detail {

namespace {
constexpr std::uint8_t block_format = 2;
constexpr std::uint64_t all_sequences = ~std::uint64_t{0};
}  // namespace

std::string Sessions::Block::encode() const {
  std::string bytes;
  Encoder out(bytes);
  out.integer(block_format).integer(low_water).integer(static_cast<std::uint8_t>(results.size()));
  for (const auto& [place, kept] : results) {
    out.integer(place).enumerator(kept.outcome.refusal).integer(kept.outcome.assertion);
    out.id(kept.outcome.stamp).integer(static_cast<std::uint8_t>(kept.decided_at ? 1 : 0));
    if (kept.decided_at) out.id(kept.decided_at->ns).id(kept.decided_at->container).id(kept.decided_at->leaf);
  }
  return bytes;
}

Result<Sessions::Block> Sessions::Block::decode(View bytes) {
  auto begun = begin_value(bytes, block_format, "kept results");
  if (!begun) return fail(std::move(begun).error());
  Decoder& in = *begun;
  Block block{.low_water = in.integer<std::uint64_t>(), .results = {}};
  const auto count = in.integer<std::uint8_t>();
  for (unsigned i = 0; i < count && !in.failed(); ++i) {
    const auto place = in.integer<std::uint8_t>();
    const bool rises = block.results.empty() || place > block.results.back().first;
    Kept kept;
    const auto refusal = in.integer<std::uint8_t>();
    if (!rises || place >= block_size || refusal > static_cast<std::uint8_t>(Refusal::aborted)) in.reject();
    kept.outcome.refusal = static_cast<Refusal>(refusal);
    kept.outcome.assertion = in.integer<std::uint32_t>();
    kept.outcome.stamp = in.id<Stamp>();
    const auto is_decision = in.integer<std::uint8_t>();
    if (is_decision > 1) in.reject();
    if (is_decision == 1) {
      const auto ns = in.id<NamespaceId>();
      const auto container = in.id<InodeId>();
      kept.decided_at = LeafAddress{ns, container, in.id<LeafId>()};
    }
    block.results.emplace_back(place, kept);
  }
  KISEKI_TRY(in.finish("kept results"));
  return block;
}

Result<> Sessions::load(kv::KvStore& store) {
  const auto fences = range_of(state_key(shard_, StateType::fence));
  auto rows = store.iterate(family_state, fences);
  for (rows->seek(as_view(fences.from)); rows->valid(); rows->next()) {
    Decoder in(rows->key().subspan(fences.from.size()));
    auto& session = sessions_[in.id<SessionId>()];
    KISEKI_TRY(in.finish("session fence"));
    session.fenced = true;
  }
  KISEKI_TRY(rows->status());
  const auto gone = store.get(family_state, as_view(state_key(shard_, StateType::gone)));
  if (!gone) return fail(gone.error());
  if (*gone) {
    auto known = GoneSessions::decode(as_view(**gone));
    if (!known) return fail(std::move(known).error());
    gone_ = std::move(*known);
  }
  const auto results = range_of(state_key(shard_, StateType::result));
  rows = store.iterate(family_state, results);
  for (rows->seek(as_view(results.from)); rows->valid(); rows->next()) {
    Decoder in(rows->key().subspan(results.from.size()));
    auto& session = sessions_[in.id<SessionId>()];
    const auto number = in.integer<std::uint64_t>();
    KISEKI_TRY(in.finish("kept results"));
    const std::uint64_t first = number * block_size;
    session.blocks.insert(number);
    auto block = Block::decode(rows->value());
    if (!block) return fail(std::move(block).error());
    session.low_water = std::max(session.low_water, block->low_water);
    for (const auto& [place, kept] : block->results) session.results.emplace(first + place, kept);
  }
  KISEKI_TRY(rows->status());
  // A row may hold what has gone since it was written.
  for (auto& [id, session] : sessions_) {
    session.results.erase(session.results.begin(), session.results.lower_bound(session.low_water));
  }
  return {};
}

bool Sessions::is_gone(SessionId session) const {
  return !session.is_none() && gone_.contains(session) && !KISEKI_PLANTED("5.1 who is gone writes again");
}

bool Sessions::is_fenced(SessionId session) const {
  if (is_gone(session)) return true;
  const auto found = sessions_.find(session);
  return found != sessions_.end() && found->second.fenced;
}

std::vector<SessionId> Sessions::fenced() const {
  std::vector<SessionId> fenced;
  for (const auto& [id, session] : sessions_) {
    if (session.fenced) fenced.push_back(id);
  }
  return fenced;
}

std::uint64_t Sessions::low_water(SessionId session) const {
  if (is_gone(session)) return all_sequences;
  const auto found = sessions_.find(session);
  return found == sessions_.end() ? 0 : found->second.low_water;
}

bool Sessions::is_full(TransactionId id, std::uint64_t low_water, std::size_t max) const {
  if (id.session.is_none()) return false;
  const auto found = sessions_.find(id.session);
  if (found == sessions_.end()) return is_crowded();
  const auto& results = found->second.results;
  const std::uint64_t mark = std::max(low_water, found->second.low_water);
  if (id.sequence <= mark || results.size() < max) return false;
  return static_cast<std::size_t>(std::distance(results.lower_bound(mark), results.end())) >= max;
}

bool Sessions::are_fenced(const GoneSessions& gone) const {
  const auto is_wronged = [&](SessionId session) { return gone.contains(session) && !is_fenced(session); };
  if (std::ranges::any_of(gone_.living, is_wronged)) return false;
  if (gone.last <= gone_.last) return true;
  const auto is_new = [&](SessionId session) { return session > gone_.last && session <= gone.last; };
  std::uint64_t known = static_cast<std::uint64_t>(std::ranges::count_if(gone.living, is_new));
  for (const auto& [id, session] : sessions_) {
    if (is_new(id) && session.fenced && gone.contains(id)) ++known;
  }
  return known == gone.last.value() - gone_.last.value();
}

const Sessions::Kept* Sessions::find(TransactionId id) const {
  const auto session = sessions_.find(id.session);
  if (session == sessions_.end()) return nullptr;
  const auto found = session->second.results.find(id.sequence);
  return found == session->second.results.end() ? nullptr : &found->second;
}

std::string Sessions::block_key(ShardId shard, SessionId session, std::uint64_t block) {
  return state_key(shard, StateType::result, {.session = session, .sequence = block});
}

Sessions::Block Sessions::block_of(const Session& session, std::uint64_t block) {
  const std::uint64_t first = block * block_size;
  Block found{.low_water = session.low_water, .results = {}};
  // The last block ends with the numbers.
  const auto end = session.results.upper_bound(first + (block_size - 1));
  for (auto at = session.results.lower_bound(first); at != end; ++at) {
    found.results.emplace_back(static_cast<std::uint8_t>(at->first - first), at->second);
  }
  return found;
}

void Sessions::drop_below(Draft& draft, SessionId id, Session& session, std::uint64_t sequence) {
  auto& results = session.results;
  while (!results.empty() && results.begin()->first < sequence) {
    const auto& [number, kept] = *results.begin();
    if (kept.decided_at) {
      draft.erase(family_rows, decision_key(*kept.decided_at, {id, number}).encode());
    }
    results.erase(results.begin());
  }
  // The block of the mark itself is written anew by the next result in it, or goes with a later mark.
  auto& blocks = session.blocks;
  while (!blocks.empty() && *blocks.begin() < sequence / block_size) {
    draft.erase(family_state, block_key(shard_, id, *blocks.begin()));
    blocks.erase(blocks.begin());
  }
}

void Sessions::keep(Draft& draft, TransactionId id, std::uint64_t low_water, Kept kept) {
  if (id.session.is_none() || KISEKI_PLANTED("4.4 results are not kept")) return;
  auto& session = sessions_[id.session];
  session.low_water = std::max(session.low_water, low_water);
  const std::uint64_t early = KISEKI_PLANTED("4.4 results go too early") ? 1 : 0;
  drop_below(draft, id.session, session, session.low_water + early);
  if (id.sequence < session.low_water + early) return;
  session.results.insert_or_assign(id.sequence, kept);
  const std::uint64_t block = id.sequence / block_size;
  session.blocks.insert(block);
  draft.put(family_state, block_key(shard_, id.session, block), block_of(session, block).encode());
}

void Sessions::fence(Draft& draft, SessionId session) {
  if (session.is_none() || is_fenced(session)) return;
  sessions_[session].fenced = true;
  draft.put(family_state, state_key(shard_, StateType::fence, session.value()), {});
}

void Sessions::copy(Draft& draft, ShardId child, SlotRange upper) {
  if (!gone_.last.is_none() && !KISEKI_PLANTED("1.8 a split loses who is gone")) {
    draft.put(family_state, state_key(child, StateType::gone), gone_.encode());
  }
  for (auto& [number, session] : sessions_) {
    if (session.fenced && !KISEKI_PLANTED("1.8 a split loses fences")) {
      draft.put(family_state, state_key(child, StateType::fence, number.value()), {});
    }
    copy_results(draft, child, number, session, upper);
  }
}

void Sessions::copy_results(Draft& draft, ShardId child, SessionId id, Session& session, SlotRange upper) {
  Session theirs = session;
  std::set<std::uint64_t> changed;
  for (auto& [sequence, kept] : session.results) {
    const bool is_decided_there = kept.decided_at && upper.contains(slot_of(*kept.decided_at));
    if (is_decided_there) {
      kept.decided_at.reset();
      changed.insert(sequence / block_size);
    } else {
      theirs.results.at(sequence).decided_at.reset();
    }
  }
  for (const std::uint64_t block : changed) {
    draft.put(family_state, block_key(shard_, id, block), block_of(session, block).encode());
  }
  if (KISEKI_PLANTED("4.4 a split loses result windows")) return;
  for (const std::uint64_t block : theirs.blocks) {
    draft.put(family_state, block_key(child, id, block), block_of(theirs, block).encode());
  }
}

void Sessions::forget(Draft& draft, const GoneSessions& gone) {
  for (auto at = sessions_.begin(); at != sessions_.end();) {
    const SessionId session = at->first;
    if (!gone.contains(session)) {
      ++at;
      continue;
    }
    drop_below(draft, session, at->second, all_sequences);
    for (const auto block : at->second.blocks) draft.erase(family_state, block_key(shard_, session, block));
    draft.erase(family_state, state_key(shard_, StateType::fence, session.value()));
    at = sessions_.erase(at);
  }
  gone_.add(gone);
  draft.put(family_state, state_key(shard_, StateType::gone), gone_.encode());
}

}  // namespace kiseki::shard::detail
