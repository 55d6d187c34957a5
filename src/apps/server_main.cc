// kiseki-server: reads configuration, builds a node, waits for a signal.

#include <cstdio>
#include <fstream>
#include <signal.h>
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <boost/asio/signal_set.hpp>

#include "apps/config.h"
#include "apps/node.h"

namespace kiseki::apps {

namespace {

constexpr int exit_failed = 1, exit_usage = 2;

int complain(int code, const Error& error) {
  fmt::print(stderr, "kiseki-server: {}\n", error.words().empty() ? error.to_string() : error.words());
  return code;
}

struct Serve {
  std::optional<std::filesystem::path> file;
  Values flags = Values(options().size());
};

CLI::App* add_serve(CLI::App& app, Serve& serve) {
  CLI::App* command = app.add_subcommand("serve", "Start a node and serve until a signal ends it");
  command->add_option("--config", serve.file, "TOML file; environment and flags win over it")
      ->type_name("FILE");
  for (std::size_t i = 0; i < options().size(); ++i) {
    const Option& option = options()[i];
    command
        ->add_option(option.flag, serve.flags[i], fmt::format("{} ({})", option.help, option.environment()))
        ->type_name(option.value);
  }
  return command;
}

/// Sockets and files of a busy node are more than the customary 1,024.
void raise_file_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

Result<> write_port_file(const std::filesystem::path& file, const Node& node) {
  const std::filesystem::path unfinished = file.string() + ".new";
  std::ofstream stream(unfinished);
  stream << "s3 " << node.s3_endpoint() << "\nadmin " << node.admin_endpoint() << "\n";
  stream.close();
  std::error_code error;
  if (stream) std::filesystem::rename(unfinished, file, error);
  if (!stream || error)
    return fail(Errc::io_error, fmt::format("port file {} cannot be written", file.string()));
  return {};
}

/// A hangup is how rotators of logs say that the file was moved away.
void watch_hangups(asio::signal_set& hangups, Node& node) {
  hangups.async_wait([&hangups, &node](const boost::system::error_code& error, int) {
    if (error) return;
    node.reopen_logs();
    watch_hangups(hangups, node);
  });
}

void greet(const Config& config, const Node& node) {
  const RootAccess& root = node.root();
  const bool from_file = !root.file.empty();
  fmt::print("kiseki-server {} serves {}\n", KISEKI_VERSION, node.data().string());
  fmt::print("  endpoint    http://{}  region {}\n", node.s3_endpoint(), config.region);
  fmt::print("  access key  {}\n", root.id);
  fmt::print("  secret      {}\n",
             from_file ? "in " + root.file.string() : "as KISEKI_ROOT_SECRET_KEY was given");
  fmt::print("  health      http://{}/healthz\n\nTry:\n", node.admin_endpoint());
  if (from_file) fmt::print("  . {}\n", root.file.string());
  if (!from_file) {
    fmt::print(
        "  export AWS_ACCESS_KEY_ID=$KISEKI_ROOT_ACCESS_KEY AWS_SECRET_ACCESS_KEY=$KISEKI_ROOT_SECRET_KEY\n");
  }
  fmt::print("  aws --region {} --endpoint-url http://{} s3 mb s3://first\n", config.region,
             node.s3_endpoint());
  fmt::print(
      "  curl --aws-sigv4 aws:amz:{}:s3 --user \"$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY\" http://{}/\n",
      config.region, node.s3_endpoint());
  std::fflush(stdout);
}

int serve(const Serve& arguments) {
  auto config = load_config(arguments.file, arguments.flags);
  if (!config) return complain(exit_usage, config.error());
  auto root = RootCredential::from_environment();
  if (!root) return complain(exit_usage, root.error());
  log::set_level(config->log_level);
  raise_file_limit();
  ::signal(SIGPIPE, SIG_IGN);

  asio::io_context loop;
  std::optional<Error> failure;
  auto node = Node::start(*config, std::move(*root), [&loop, &failure](Error error) {
    asio::post(loop, [&failure, &loop, error = std::move(error)]() mutable {
      failure = std::move(error);
      loop.stop();
    });
  });
  if (!node) return complain(exit_failed, node.error());
  if (!config->port_file.empty()) {
    const auto written = write_port_file(config->port_file, **node);
    if (!written) return complain(exit_failed, written.error());
  }
  greet(*config, **node);

  asio::signal_set signals(loop, SIGINT, SIGTERM);
  signals.async_wait([&loop](const boost::system::error_code&, int) { loop.stop(); });
  asio::signal_set hangups(loop, SIGHUP);
  watch_hangups(hangups, **node);
  loop.run();
  hangups.cancel();
  signals.clear();  // a second signal ends the process at once
  log::info("node", "stopping");
  node->reset();
  return failure ? complain(exit_failed, *failure) : 0;
}

int run(int count, char** arguments) {
  CLI::App app("Kiseki: encrypted object storage. `kiseki-server serve --help` lists its options.");
  app.require_subcommand(1);
  Serve serve_arguments;
  const CLI::App* serve_command = add_serve(app, serve_arguments);
  const CLI::App* version_command = app.add_subcommand("version", "Print the version");
  const CLI::App* reference_command = app.add_subcommand(
      "config-reference", "Print docs/configuration.md: every option, its default and its cost");
  try {
    app.parse(count, arguments);
  } catch (const CLI::ParseError& wanted) {
    if (wanted.get_exit_code() == 0) return app.exit(wanted);
    return complain(exit_usage, Error(Errc::invalid_argument, wanted.what()));
  }
  if (version_command->parsed()) fmt::print("kiseki-server {}\n", KISEKI_VERSION);
  if (reference_command->parsed()) fmt::print("{}", config_reference());
  return serve_command->parsed() ? serve(serve_arguments) : 0;
}

}  // namespace

}  // namespace kiseki::apps

int main(int count, char** arguments) { return kiseki::apps::run(count, arguments); }
