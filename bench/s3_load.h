#pragma once

#include <filesystem>

#include "bench/s3_client.h"

namespace kiseki::bench {

struct LoadOptions {
  Endpoint endpoint;
  int pid = 0;                            ///< The server, whose CPU time and memory are read.
  std::filesystem::path directory = ".";  ///< Where fdatasync is measured.
  std::size_t clients = 16;
  std::size_t clients_of_large = 4;  ///< Of bodies of 1 MiB and more.
  double seconds = 3;                ///< Of every measurement.
};

/// Loads a running server with one kind of operation after the other, and prints for each its rate,
/// latencies, the server's CPU time and memory, and the share of that time that the machine itself needs for
/// the bytes.
void load_s3(const LoadOptions& options);

}  // namespace kiseki::bench
