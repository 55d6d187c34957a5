// kiseki-admin: asks a node over the socket in its data directory and prints the answer as JSON.

#include <cstdio>

#include <CLI/CLI.hpp>

#include "admin_api/admin_client.h"

namespace kiseki::apps {

namespace {

constexpr int exit_refused = 1, exit_usage = 2;

/// The command line as a request: nothing until a command is parsed.
class CommandLine {
 public:
  explicit CommandLine(CLI::App& app) {
    app.require_subcommand(1);
    app.add_option("--data", data, "Data directory of the node")
        ->envname("KISEKI_DATA")
        ->type_name("DIR")
        ->capture_default_str();
    add(app, "status", "What the node is and how it fares", admin_api::Status{});
    CLI::App& key = group(app, "key", "Access keys");
    add(key, "list", "All access keys", admin_api::ListKeys{});
    add(key, "create", "A new access key; its secret is shown this once", admin_api::CreateKey{});
    add<&admin_api::RemoveKey::id>(key, "remove", "Takes an access key away", "ID");
    CLI::App& bucket = group(app, "bucket", "Buckets");
    add(bucket, "list", "All buckets", admin_api::ListBuckets{});
    add<&admin_api::CreateBucket::name>(bucket, "create", "A new bucket", "NAME");
    add<&admin_api::RemoveBucket::name>(bucket, "remove", "Deletes an empty bucket", "NAME");
  }

  std::string data = "kiseki-data";
  std::optional<admin_api::Request> request;

 private:
  static CLI::App& group(CLI::App& app, const char* name, const char* help) {
    CLI::App* command = app.add_subcommand(name, help);
    command->require_subcommand(1);
    return *command;
  }

  void add(CLI::App& app, const char* name, const char* help, admin_api::Request wanted) {
    app.add_subcommand(name, help)->callback([this, wanted = std::move(wanted)] { request = wanted; });
  }

  template <auto argument>
  void add(CLI::App& app, const char* name, const char* help, const char* value) {
    CLI::App* command = app.add_subcommand(name, help);
    command->add_option(value, text_)->required();
    command->callback([this] { request = with(argument); });
  }

  template <class Command>
  admin_api::Request with(std::string Command::* argument) {
    Command command;
    command.*argument = text_;
    return command;
  }

  std::string text_;
};

int run(int count, char** arguments) {
  CLI::App app("Administers the Kiseki node of a data directory on this machine.");
  app.set_version_flag("--version", "kiseki-admin " KISEKI_VERSION);
  CommandLine line(app);
  try {
    app.parse(count, arguments);
  } catch (const CLI::ParseError& wanted) {
    if (wanted.get_exit_code() == 0) return app.exit(wanted);
    fmt::print(stderr, "kiseki-admin: {}\n", wanted.what());
    return exit_usage;
  }
  const auto answer = admin_api::ask(line.data, *line.request);
  if (!answer) {
    fmt::print(stderr, "kiseki-admin: {}\n", answer.error().to_string());
    return exit_refused;
  }
  fmt::print("{}\n", *answer);
  return 0;
}

}  // namespace

}  // namespace kiseki::apps

int main(int count, char** arguments) { return kiseki::apps::run(count, arguments); }
