// Measures a running server by its S3 face, or shards alone, and prints each figure beside what the machine
// itself needs for the same bytes in the same run: hashes, cipher, a bare HTTP sink, fdatasync.

#include <cstdio>
#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "bench/codes.h"
#include "bench/commits.h"
#include "bench/cores.h"
#include "bench/s3_load.h"

int main(int argc, char** argv) {
  using namespace kiseki::bench;
  CLI::App app("Measures Kiseki beside the limits of the machine it runs on");
  app.require_subcommand(1);
  LoadOptions options;
  auto* s3 = app.add_subcommand("s3", "a running server, by its S3 face");
  s3->add_option("--host", options.endpoint.host, "IPv4 address of the S3 face")->default_val("127.0.0.1");
  s3->add_option("--port", options.endpoint.port, "TCP port of the S3 face")->required();
  s3->add_option("--access-key", options.endpoint.access_key)->required()->envname("AWS_ACCESS_KEY_ID");
  s3->add_option("--secret-key", options.endpoint.secret_key)->required()->envname("AWS_SECRET_ACCESS_KEY");
  s3->add_option("--pid", options.pid, "process whose CPU time is counted")->required();
  s3->add_option("--directory", options.directory,
                 "where fdatasync is measured: the disk of the data directory");
  s3->add_option("--clients", options.clients)->default_val(16);
  s3->add_option("--clients-of-large", options.clients_of_large, "of bodies of 1 MiB and more")
      ->default_val(4);
  s3->add_option("--seconds", options.seconds, "of every measurement")->default_val(3);
  bool unsigned_body = false;
  s3->add_flag("--unsigned", unsigned_body, "send UNSIGNED-PAYLOAD instead of a body digest");
  CommitOptions commits;
  auto* shards = app.add_subcommand("commits", "the shards of a node in this process");
  shards->add_option("--directory", commits.directory, "on the disk to measure")->required();
  shards->add_option("--clients", commits.clients)->default_val(64);
  shards->add_option("--seconds", commits.seconds, "of every measurement")->default_val(5);
  const auto* crossings = app.add_subcommand("cores", "the way from core to core and back");
  const auto* codes = app.add_subcommand("codes", "erasure codes beside the kernels of ISA-L");
  CLI11_PARSE(app, argc, argv);
  options.endpoint.sign_body = !unsigned_body;
  try {
    if (s3->parsed()) load_s3(options);
    if (shards->parsed()) measure_commits(commits);
    if (crossings->parsed()) measure_cores();
    if (codes->parsed()) measure_codes();
  } catch (const std::exception& error) {
    fmt::print(stderr, "kiseki-bench: {}\n", error.what());
    return 1;
  }
}
