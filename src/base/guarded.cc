#include "base/guarded.h"

#include "base/metrics.h"

namespace kiseki {

namespace {

metrics::Counter failed_allocations("kiseki_failed_allocations_total",
                                    "Requests that ended because memory could not be had.");

}  // namespace

Error out_of_memory() {
  failed_allocations.add();
  return Error(Errc::busy, "out of memory");
}

}  // namespace kiseki
