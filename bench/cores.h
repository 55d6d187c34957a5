#pragma once

namespace kiseki::bench {

/// What it costs to go to another core and back, and to wake a coroutine of the same one: wall time and CPU
/// of both cores, beside `co_spawn` of Asio, which does the same.
void measure_cores();

}  // namespace kiseki::bench
