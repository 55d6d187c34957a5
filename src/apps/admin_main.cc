// kiseki-admin: asks a node over the socket in its data directory and prints the answer as JSON.

#include <cstdio>
#include <fstream>
#include <iterator>

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
    add_create_key(key);
    add<&admin_api::RemoveKey::id>(key, "remove", "Takes an access key away", "ID");
    add<&admin_api::DisableKey::id>(key, "disable", "Refuses an access key until it is enabled", "ID");
    add<&admin_api::EnableKey::id>(key, "enable", "Takes an access key again", "ID");
    add_accounts(app);
    CLI::App& bucket = group(app, "bucket", "Buckets");
    add(bucket, "list", "All buckets", admin_api::ListBuckets{});
    add<&admin_api::CreateBucket::name>(bucket, "create", "A new bucket", "NAME");
    add<&admin_api::RemoveBucket::name>(bucket, "remove", "Deletes an empty bucket", "NAME");
  }

  std::string data = "kiseki-data";
  std::optional<admin_api::Request> request;
  std::string document_file;  ///< What the request's document stands in; empty: it has none.

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

  void add_create_key(CLI::App& key) {
    CLI::App* command = key.add_subcommand("create", "A new access key; its secret is shown this once");
    command->add_option("--user", new_key_.user, "Whose it is; otherwise it acts for the whole tenant");
    command
        ->add_option("--limit", new_key_.limits,
                     "What it may use, [ro:]bucket[/prefix]; ro: to read alone. May be given several times")
        ->type_name("LIMIT");
    command->add_option("--expires", new_key_.expires_seconds, "Seconds until it is refused; 0: never");
    command->callback([this] { request = new_key_; });
  }

  /// One command for each of the socket's about users, groups and policies.
  void add_accounts(CLI::App& app) {
    std::map<std::string, CLI::App*, std::less<>> groups;
    for (const admin_api::AccountCommand& one : admin_api::account_commands()) {
      const std::size_t dot = one.name.find('.');
      const std::string noun(one.name.substr(0, dot)), verb(one.name.substr(dot + 1));
      CLI::App*& parent = groups[noun];
      if (parent == nullptr) parent = &group(app, noun.c_str(), about(noun));
      CLI::App* command = parent->add_subcommand(verb, about(verb));
      for (const auto& [field, member] : one.fields) {
        if (field == "document") {
          command->add_option("FILE", document_file, "File with the policy")->required();
        } else {
          command->add_option(upper(field), account_.*member)->required();
        }
      }
      command->callback([this, verb_of = one.verb, type = one.type] {
        account_.verb = verb_of;
        account_.type = type;
        request = account_;
      });
    }
  }

  static const char* about(std::string_view word) {
    static constexpr std::pair<std::string_view, const char*> words[] = {
        {"user", "Users of the tenant"},
        {"group", "Groups of users"},
        {"policy", "Policies to attach to users and groups"},
        {"list", "All of them"},
        {"create", "A new one"},
        {"remove", "Takes one away that nothing uses"},
        {"attach", "Adds a policy to it"},
        {"detach", "Takes a policy from it"},
        {"bound", "Sets the policy beyond which it may nothing; \"\": none"},
        {"add", "Adds a user to it"},
        {"take", "Takes a user out of it"},
    };
    const auto found = std::ranges::find(words, word, &std::pair<std::string_view, const char*>::first);
    return found == std::end(words) ? "" : found->second;
  }

  static std::string upper(std::string_view text) {
    std::string out(text);
    for (char& c : out) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    return out;
  }

  template <class Command>
  admin_api::Request with(std::string Command::* argument) {
    Command command;
    command.*argument = text_;
    return command;
  }

  std::string text_;
  admin_api::CreateKey new_key_;
  admin_api::AccountRequest account_;
};

/// Puts the file's text into the request. False, and said so: it cannot be read.
bool read_document(CommandLine& line) {
  if (line.document_file.empty()) return true;
  std::ifstream file(line.document_file, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (!file) {
    fmt::print(stderr, "kiseki-admin: cannot read {}\n", line.document_file);
    return false;
  }
  std::get<admin_api::AccountRequest>(*line.request).document = text;
  return true;
}

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
  if (!read_document(line)) return exit_usage;
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
