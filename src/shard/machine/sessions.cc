#include "shard/machine/sessions.h"

#include "base/codec.h"
#include "base/planted.h"

namespace kiseki::shard::detail {

namespace {
constexpr std::uint8_t format = 1;
constexpr std::uint64_t all_sequences = ~std::uint64_t{0};
}  // namespace

std::string Sessions::Kept::encode() const {
  std::string bytes;
  Encoder out(bytes);
  out.integer(format).enumerator(outcome.refusal).integer(outcome.assertion).id(outcome.stamp);
  out.integer(low_water);
  if (decided_at) out.id(decided_at->ns).id(decided_at->container).id(decided_at->leaf);
  return bytes;
}

Result<Sessions::Kept> Sessions::Kept::decode(View bytes) {
  Decoder in(bytes);
  if (in.integer<std::uint8_t>() != format) in.reject();
  Kept kept;
  const auto refusal = in.integer<std::uint8_t>();
  if (refusal > static_cast<std::uint8_t>(Refusal::aborted)) in.reject();
  kept.outcome.refusal = static_cast<Refusal>(refusal);
  kept.outcome.assertion = in.integer<std::uint32_t>();
  kept.outcome.stamp = in.id<Stamp>();
  kept.low_water = in.integer<std::uint64_t>();
  if (in.remaining() > 0) {
    const auto ns = in.id<NamespaceId>();
    const auto container = in.id<InodeId>();
    kept.decided_at = LeafAddress{ns, container, in.id<LeafId>()};
  }
  KISEKI_TRY(in.finish("kept result"));
  return kept;
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
    const auto sequence = in.integer<std::uint64_t>();
    KISEKI_TRY(in.finish("kept result"));
    auto kept = Kept::decode(rows->value());
    if (!kept) return fail(std::move(kept).error());
    session.low_water = std::max(session.low_water, kept->low_water);
    session.results.emplace(sequence, *kept);
  }
  return rows->status();
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
  const auto& [fenced, known_low_water, results] = found->second;
  const std::uint64_t mark = std::max(low_water, known_low_water);
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

void Sessions::drop_below(Draft& draft, SessionId session, std::uint64_t sequence) {
  auto& results = sessions_[session].results;
  while (!results.empty() && results.begin()->first < sequence) {
    const TransactionId id{session, results.begin()->first};
    if (const auto& leaf = results.begin()->second.decided_at) {
      draft.erase(family_rows, decision_key(*leaf, id).encode());
    }
    draft.erase(family_state, state_key(shard_, StateType::result, id));
    results.erase(results.begin());
  }
}

void Sessions::keep(Draft& draft, TransactionId id, std::uint64_t low_water, Kept kept) {
  if (id.session.is_none() || KISEKI_PLANTED("4.4 results are not kept")) return;
  auto& session = sessions_[id.session];
  session.low_water = std::max(session.low_water, low_water);
  const std::uint64_t early = KISEKI_PLANTED("4.4 results go too early") ? 1 : 0;
  drop_below(draft, id.session, session.low_water + early);
  if (id.sequence < session.low_water + early) return;
  kept.low_water = session.low_water;
  draft.put(family_state, state_key(shard_, StateType::result, id), kept.encode());
  session.results.insert_or_assign(id.sequence, kept);
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
    for (auto& [sequence, kept] : session.results) {
      const TransactionId id{number, sequence};
      const bool is_decided_there = kept.decided_at && upper.contains(slot_of(*kept.decided_at));
      Kept theirs = kept;
      if (!is_decided_there) theirs.decided_at.reset();
      if (!KISEKI_PLANTED("4.4 a split loses result windows")) {
        draft.put(family_state, state_key(child, StateType::result, id), theirs.encode());
      }
      if (!is_decided_there) continue;
      kept.decided_at.reset();
      draft.put(family_state, state_key(shard_, StateType::result, id), kept.encode());
    }
  }
}

void Sessions::forget(Draft& draft, const GoneSessions& gone) {
  for (auto at = sessions_.begin(); at != sessions_.end();) {
    const SessionId session = at->first;
    if (!gone.contains(session)) {
      ++at;
      continue;
    }
    drop_below(draft, session, all_sequences);
    draft.erase(family_state, state_key(shard_, StateType::fence, session.value()));
    at = sessions_.erase(at);
  }
  gone_.add(gone);
  draft.put(family_state, state_key(shard_, StateType::gone), gone_.encode());
}

}  // namespace kiseki::shard::detail
