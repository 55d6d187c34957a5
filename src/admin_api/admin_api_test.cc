#include <gtest/gtest.h>

#include "admin_api/probe_server.h"
#include "admin_api/request.h"
#include "admin_api/socket_path.h"

namespace kiseki::admin_api {
namespace {

void expect_round_trip(const Request& request, std::string_view line) {
  EXPECT_EQ(format_request(request), std::string(line) + "\n");
  EXPECT_EQ(parse_request(line), request);
}

TEST(Request, each_command_is_read_as_it_is_written) {
  expect_round_trip(Status{}, R"({"command":"status"})");
  expect_round_trip(ListKeys{}, R"({"command":"key.list"})");
  expect_round_trip(CreateKey{}, R"({"command":"key.create"})");
  expect_round_trip(CreateKey{"u", {"ro:a", "b/c"}, 60},
                    R"({"command":"key.create","user":"u","expires_seconds":60,"limits":["ro:a","b/c"]})");
  expect_round_trip(DisableKey{"AK"}, R"({"command":"key.disable","id":"AK"})");
  expect_round_trip(EnableKey{"AK"}, R"({"command":"key.enable","id":"AK"})");
  expect_round_trip(RemoveKey{"AK"}, R"({"command":"key.remove","id":"AK"})");
  expect_round_trip(ListBuckets{}, R"({"command":"bucket.list"})");
  expect_round_trip(CreateBucket{"b"}, R"({"command":"bucket.create","name":"b"})");
  expect_round_trip(RemoveBucket{"b\"\n"}, R"({"command":"bucket.remove","name":"b\"\n"})");
}

TEST(Request, commands_of_accounts_are_read_as_they_are_written) {
  using enum AccountRequest::Verb;
  using enum fs::AccountItem::Type;
  expect_round_trip(AccountRequest{.verb = list, .type = group}, R"({"command":"group.list"})");
  expect_round_trip(AccountRequest{.verb = create, .type = user, .name = "a"},
                    R"({"command":"user.create","name":"a"})");
  expect_round_trip(AccountRequest{.verb = attach, .type = group, .name = "g", .policy = "p"},
                    R"({"command":"group.attach","name":"g","policy":"p"})");
  expect_round_trip(AccountRequest{.verb = create, .type = policy, .name = "p", .document = "{}"},
                    R"({"command":"policy.create","name":"p","document":"{}"})");
  expect_round_trip(AccountRequest{.verb = take, .type = group, .name = "g", .user = "u"},
                    R"({"command":"group.take","name":"g","user":"u"})");
  for (const AccountCommand& command : account_commands()) {
    AccountRequest request{.verb = command.verb, .type = command.type};
    for (const auto& field : command.fields) request.*field.member = field.name;
    std::string line = format_request(request);
    line.pop_back();
    EXPECT_EQ(parse_request(line), Request(request)) << command.name;
  }
}

TEST(Request, what_is_not_exactly_a_command_is_refused) {
  for (const std::string_view line : {
           std::string_view(""),
           std::string_view("{"),
           std::string_view("[]"),
           std::string_view("{}"),
           std::string_view(R"({"command":7})"),
           std::string_view(R"({"command":"key"})"),
           std::string_view(R"({"command":"status","name":"b"})"),
           std::string_view(R"({"command":"bucket.create"})"),
           std::string_view(R"({"command":"key.create","limits":"b"})"),
           std::string_view(R"({"command":"key.create","limits":[1]})"),
           std::string_view(R"({"command":"key.create","expires_seconds":0})"),
           std::string_view(R"({"command":"key.create","expires_seconds":-1})"),
           std::string_view(R"({"command":"key.create","expires_seconds":9223372036854775807})"),
           std::string_view(R"({"command":"key.create","name":"x"})"),
           std::string_view(R"({"command":"user.list","name":"x"})"),
           std::string_view(R"({"command":"user.create"})"),
           std::string_view(R"({"command":"user.create","name":1})"),
           std::string_view(R"({"command":"user.attach","name":"x"})"),
           std::string_view(R"({"command":"user.attach","name":"x","policy":"p","user":"u"})"),
           std::string_view(R"({"command":"user.rename","name":"x"})"),
           std::string_view(R"({"command":"bucket.create","name":""})"),
           std::string_view(R"({"command":"bucket.create","name":1})"),
           std::string_view(R"({"command":"bucket.create","id":"b"})"),
           std::string_view(R"({"command":"bucket.create","name":"b","force":true})"),
           std::string_view(R"({"command":"status"} {})"),
       }) {
    const auto request = parse_request(line);
    ASSERT_FALSE(request) << line;
    EXPECT_EQ(request.error().code(), Errc::invalid_argument) << line;
  }
}

TEST(Request, nesting_beyond_every_need_is_refused) {
  EXPECT_FALSE(parse_request(R"({"command":)" + std::string(60'000, '[')));
}

TEST(Probe, answers_what_it_serves_and_nothing_else) {
  EXPECT_TRUE(answer_probe("GET", "/healthz", false).starts_with("HTTP/1.1 200 "));
  EXPECT_TRUE(answer_probe("GET", "/readyz", true).starts_with("HTTP/1.1 200 "));
  EXPECT_TRUE(answer_probe("GET", "/readyz", false).starts_with("HTTP/1.1 503 "));
  EXPECT_TRUE(answer_probe("GET", "/metrics", true).starts_with("HTTP/1.1 200 "));
  EXPECT_TRUE(answer_probe("GET", "/", true).starts_with("HTTP/1.1 404 "));
  EXPECT_TRUE(answer_probe("POST", "/healthz", true).starts_with("HTTP/1.1 405 "));
}

TEST(Probe, head_has_the_length_and_no_body) {
  const std::string reply = answer_probe("HEAD", "/healthz", true);
  EXPECT_NE(reply.find("Content-Length: 3\r\n"), std::string::npos);
  EXPECT_TRUE(reply.ends_with("\r\n\r\n"));
}

TEST(SocketPath, fits_an_address_however_long_the_directory_is) {
  const std::filesystem::path root =
      std::filesystem::temp_directory_path() / ("kiseki-socket-" + std::to_string(::getpid()));
  const std::filesystem::path deep = root / std::string(200, 'a') / std::string(200, 'b');
  std::filesystem::create_directories(deep);
  {
    auto path = SocketPath::open(deep);
    ASSERT_TRUE(path);
    EXPECT_LT(path->text().size(), 108U);
  }
  std::filesystem::remove_all(root);
  const auto missing = SocketPath::open(deep);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code(), Errc::not_found);
}

}  // namespace
}  // namespace kiseki::admin_api
