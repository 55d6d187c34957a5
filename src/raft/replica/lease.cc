#include "raft/replica/lease.h"

#include "base/planted.h"

namespace kiseki::raft::detail {

namespace {

Duration length_of(const Replica::Options& options) {
  if (KISEKI_PLANTED("lease as long as the election timeout")) return options.tick * options.election_ticks;
  const Duration promised = options.tick * (options.election_ticks - 1);
  // (1 - d) / (1 + d) >= 1 - 2d.
  return promised - promised * 2 * options.clock_drift_max / 1000;
}

}  // namespace

Lease::Lease(const Replica::Options& options) : length_(length_of(options)) {}

void Lease::grant(Term term, BootTime sent) {
  if (term == barred_) return;
  until_ = term_ == term ? std::max(until_, sent + length_) : sent + length_;
  term_ = term;
}

void Lease::bar(Term term) {
  if (KISEKI_PLANTED("lease kept through a transfer")) return;
  drop();
  if (!KISEKI_PLANTED("lease granted again after a transfer")) barred_ = term;
}

}  // namespace kiseki::raft::detail
