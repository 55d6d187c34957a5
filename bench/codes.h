#pragma once

namespace kiseki::bench {

/// Prints the speed of erasure codes beside that of the bare kernels of ISA-L over the same bytes.
void measure_codes();

}  // namespace kiseki::bench
