#include <gtest/gtest.h>

#include "s3/http_server.h"
#include "s3/testing/harness.h"

// Connections: framing of requests, waiting, ending. The handler echoes bodies.

namespace kiseki::s3 {
namespace {

constexpr auto token = asio::as_tuple(use_task);

/// Answers with the body, "skip" without reading it, "silent" not at all, "short" with less than it
/// announced.
class Echo final : public HttpHandler {
 public:
  Task<> serve(HttpStream& stream) override {
    ++requests;
    if (stream.head().target() == "/silent") co_return;
    if (stream.head().target() == "/short") {
      co_await stream.respond(std::move(HttpResponse(200).set_length(10)), as_view("abc"));
      co_return;
    }
    std::string body;
    while (stream.head().target() != "/skip") {
      std::string piece(1000, '\0');
      const auto count = co_await stream.read_some(std::as_writable_bytes(std::span(piece)));
      if (!count) error = count.error().code();
      if (count && *count == 0 && stream.paused()) {
        ++pauses;
        continue;
      }
      if (!count || *count == 0) break;
      body.append(piece, 0, *count);
    }
    const unsigned status = error ? 400 : 200;
    co_await stream.respond(std::move(HttpResponse(status).set_length(body.size())), as_view(body));
  }
  Task<> refuse_head(HttpStream& stream) override {
    co_await stream.respond(std::move(HttpResponse(400).set_length(0)), {});
  }
  Task<> refuse_connection(HttpStream& stream) override {
    co_await stream.respond(std::move(HttpResponse(503).set_length(0).set_close()), {});
  }

  int requests = 0, pauses = 0;
  std::optional<Errc> error;
};

Task<> write_text(Socket& socket, std::string text) {
  while (!text.empty()) {
    const auto [error, count] = co_await socket.async_write_some(asio::buffer(text), token);
    if (error) co_return;
    text.erase(0, count);
  }
}

/// Appends what comes until the other end closes.
Task<> read_into(Socket& socket, std::string& out, bool& ended) {
  for (std::string piece(65536, '\0');;) {
    const auto [error, count] = co_await socket.async_read_some(asio::buffer(piece), token);
    if (error) break;
    out.append(piece, 0, count);
  }
  ended = true;
}

Task<std::size_t> take_some(Socket& socket) {
  std::string piece(100, '\0');
  const auto [error, count] = co_await socket.async_read_some(asio::buffer(piece), token);
  co_return count;
}

struct Connections : ::testing::Test {
  sim::SimulatedLoop loop;
  sim::SimulatedClock clock{loop};
  Echo echo;
  HttpOptions options;
  HttpCore core{loop.executor(), clock, echo, options};
  std::optional<Socket> client;
  std::string received;
  bool ended = false;
  int released = 0;
  bool reading = true;

  void open(HttpCore::Admission admission = HttpCore::Admission::served) {
    int ends[2] = {-1, -1};
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    const asio::generic::stream_protocol protocol(AF_UNIX, 0);
    client.emplace(loop.executor(), protocol, ends[1]);
    core.adopt(Socket(loop.executor(), protocol, ends[0]), admission, [this] { ++released; });
    if (reading) loop.spawn(read_into(*client, received, ended));
  }
  void send(const std::string& text) { loop.get(write_text(*client, text)); }
  /// Runs until nothing is left to do at this moment.
  void settle() { loop.run_for(std::chrono::milliseconds(1)); }
  void TearDown() override {
    loop.get(core.stop());
    settle();
    EXPECT_TRUE(!client || ended);
  }
};

std::string count_of(const std::string& text, std::string_view what) {
  int count = 0;
  for (std::size_t at = text.find(what); at != text.npos; at = text.find(what, at + 1)) ++count;
  return fmt::format("{}", count);
}

TEST_F(Connections, carry_many_requests_also_sent_ahead) {
  open();
  std::string all;
  for (int i = 0; i < 50; ++i) all += "\r\nPUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc";
  send(all);
  settle();
  EXPECT_EQ(echo.requests, 50);
  EXPECT_EQ(count_of(received, "HTTP/1.1 200 OK"), "50");
  EXPECT_EQ(count_of(received, "\r\n\r\nabc"), "50");
  EXPECT_FALSE(ended);
}

TEST_F(Connections, take_a_head_in_single_bytes) {
  open();
  for (const char c : std::string("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc")) {
    send(std::string(1, c));
    settle();
  }
  EXPECT_EQ(count_of(received, "\r\n\r\nabc"), "1");
}

TEST_F(Connections, decode_chunked_bodies) {
  open();
  send(
      "PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
      "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx");
  settle();
  EXPECT_EQ(echo.requests, 2);
  EXPECT_EQ(count_of(received, "\r\n\r\nabcde"), "1");
}

TEST_F(Connections, end_after_broken_chunks) {
  open();
  send("PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n");
  settle();
  EXPECT_EQ(echo.error, Errc::invalid_argument);
  EXPECT_NE(received.find("400"), received.npos);
  loop.run_for(std::chrono::seconds(10));
  EXPECT_TRUE(ended);
}

TEST_F(Connections, ask_to_continue_only_when_the_body_is_read) {
  open();
  send("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
  settle();
  EXPECT_EQ(received, "HTTP/1.1 100 Continue\r\n\r\n");
  send("abc");
  settle();
  EXPECT_EQ(count_of(received, "\r\n\r\nabc"), "1");
  EXPECT_FALSE(ended);
}

TEST_F(Connections, asked_to_continue_with_an_empty_body_too) {
  open();
  send("PUT /skip HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\nExpect: 100-continue\r\n\r\n");
  settle();
  EXPECT_TRUE(received.starts_with("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 "));
  EXPECT_EQ(count_of(received, "Connection: close"), "0");
  EXPECT_FALSE(ended);
}

TEST_F(Connections, refusing_an_expected_body_ends_the_connection) {
  open();
  send("PUT /skip HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
  settle();
  EXPECT_EQ(count_of(received, "100 Continue"), "0");
  EXPECT_EQ(count_of(received, "Connection: close"), "1");
  loop.run_for(std::chrono::seconds(10));
  EXPECT_TRUE(ended);
}

TEST_F(Connections, drain_a_small_unread_body_and_end_at_a_large_one) {
  open();
  send("PUT /skip HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n" + std::string(100'000, 'x') +
       "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  settle();
  EXPECT_EQ(echo.requests, 2);
  EXPECT_FALSE(ended);
  EXPECT_EQ(count_of(received, "Connection: close"), "0");
  send("PUT /skip HTTP/1.1\r\nHost: h\r\nContent-Length: 100000000\r\n\r\n");
  settle();
  EXPECT_EQ(count_of(received, "HTTP/1.1 200"), "3");
  EXPECT_EQ(count_of(received, "Connection: close"), "1");
  loop.run_for(std::chrono::seconds(10));
  EXPECT_TRUE(ended);
}

TEST_F(Connections, announce_the_end_before_an_unread_body_of_unknown_length) {
  open();
  send("PUT /skip HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
  settle();
  EXPECT_EQ(count_of(received, "Connection: close"), "1");
}

TEST_F(Connections, heads_carry_no_body) {
  open();
  send("HEAD / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc");
  settle();
  EXPECT_NE(received.find("Content-Length: 3\r\n"), received.npos);
  EXPECT_TRUE(received.ends_with("\r\n\r\n"));
}

TEST_F(Connections, old_clients_get_one_answer) {
  open();
  send("GET / HTTP/1.0\r\n\r\nGET / HTTP/1.0\r\n\r\n");
  loop.run_for(std::chrono::seconds(10));
  EXPECT_EQ(echo.requests, 1);
  EXPECT_TRUE(ended);
}

TEST_F(Connections, what_is_no_http_is_refused_at_once) {
  open();
  send("\x16\x03\x01\x02");
  settle();
  EXPECT_EQ(count_of(received, "HTTP/1.1 400"), "1");
}

TEST_F(Connections, endless_heads_are_refused) {
  open();
  send("GET / HTTP/1.1\r\na: " + std::string(70'000, 'b'));
  settle();
  EXPECT_EQ(count_of(received, "HTTP/1.1 400"), "1");
}

TEST_F(Connections, wait_for_a_head_a_bounded_time) {
  open();
  send("GET / HTT");
  loop.run_for(options.limits.head - std::chrono::seconds(2));
  EXPECT_FALSE(ended);
  loop.run_for(std::chrono::seconds(5));
  EXPECT_TRUE(ended);
  EXPECT_EQ(released, 1);
}

TEST_F(Connections, may_idle_a_bounded_time) {
  open();
  send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  loop.run_for(options.limits.idle - std::chrono::seconds(2));
  EXPECT_FALSE(ended);
  loop.run_for(std::chrono::seconds(5));
  EXPECT_TRUE(ended);
}

TEST_F(Connections, tell_a_silent_sender_before_they_end) {
  open();
  send("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc");
  loop.run_for(options.limits.progress + std::chrono::seconds(3));
  EXPECT_EQ(echo.error, Errc::timed_out);
  EXPECT_EQ(count_of(received, "HTTP/1.1 400"), "1");
  loop.run_for(std::chrono::seconds(10));
  EXPECT_TRUE(ended);
}

TEST_F(Connections, end_a_body_that_comes_more_slowly_than_the_least_rate) {
  open();
  send("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n");
  for (int second = 0; second < 29; ++second) {
    send("a");
    loop.run_for(std::chrono::seconds(1));
  }
  EXPECT_FALSE(echo.error);
  for (int second = 0; second < 4 && !ended; ++second) {
    send("a");
    loop.run_for(std::chrono::seconds(1));
  }
  EXPECT_EQ(echo.error, Errc::timed_out);
  EXPECT_EQ(count_of(received, "Connection: close"), "1");
}

TEST_F(Connections, carry_a_body_that_comes_at_the_least_rate) {
  open();
  send("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 204800\r\n\r\n");
  for (int second = 0; second < 100; ++second) {
    send(std::string(2048, 'a'));
    loop.run_for(std::chrono::seconds(1));
  }
  EXPECT_EQ(count_of(received, "HTTP/1.1 200"), "1");
}

TEST_F(Connections, may_pause_in_a_body_that_is_fast_on_the_whole) {
  open();
  send("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n" + std::string(99'999, 'a'));
  loop.run_for(std::chrono::seconds(50));
  send("a");
  settle();
  EXPECT_EQ(count_of(received, "HTTP/1.1 200"), "1");
}

TEST_F(Connections, tell_that_a_peer_pauses_and_end_one_that_stays_silent) {
  open();
  send("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc");
  loop.run_for(std::chrono::seconds(2));
  EXPECT_GE(echo.pauses, 5);
  EXPECT_FALSE(echo.error);
  loop.run_for(options.limits.progress);
  EXPECT_EQ(echo.error, Errc::timed_out);
}

TEST_F(Connections, end_a_response_that_is_taken_more_slowly_than_the_least_rate) {
  reading = false;
  options.limits.progress = std::chrono::minutes(10);
  open();
  send("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 8000000\r\n\r\n" + std::string(8'000'000, 'x'));
  for (int second = 0; second < 70 && released == 0; ++second) {
    loop.get(take_some(*client));
    loop.run_for(std::chrono::seconds(1));
  }
  EXPECT_EQ(released, 1);
  ended = true;
}

TEST_F(Connections, end_when_a_response_is_cut_off_or_missing) {
  open();
  send("GET /short HTTP/1.1\r\nHost: h\r\n\r\n");
  settle();
  EXPECT_TRUE(received.ends_with("\r\n\r\nabc"));
  EXPECT_TRUE(ended);
  ended = false;
  open();
  send("GET /silent HTTP/1.1\r\nHost: h\r\n\r\n");
  settle();
  EXPECT_TRUE(ended);
}

TEST_F(Connections, beyond_the_limit_are_told) {
  open(HttpCore::Admission::refused);
  send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  settle();
  EXPECT_EQ(count_of(received, "HTTP/1.1 503"), "1");
  EXPECT_EQ(echo.requests, 0);
}

TEST_F(Connections, stop_ends_idle_ones_at_once_and_others_after_their_request) {
  open();
  send("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\na");
  settle();
  loop.spawn(core.stop());
  settle();
  EXPECT_FALSE(ended);
  send("bc");
  settle();
  EXPECT_EQ(count_of(received, "Connection: close"), "1");
  EXPECT_EQ(count_of(received, "\r\n\r\nabc"), "1");
}

TEST_F(Connections, stop_waits_for_a_request_no_longer_than_its_grace) {
  open();
  send("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\na");
  settle();
  loop.spawn(core.stop());
  loop.run_for(options.stop_grace + std::chrono::seconds(1));
  EXPECT_TRUE(ended);
  EXPECT_EQ(released, 1);
}

TEST_F(Connections, a_peer_that_resets_is_no_event) {
  open();
  send("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\na");
  settle();
  client->close();
  settle();
  EXPECT_EQ(released, 1);
}

TEST(HttpServer, refuses_an_address_that_is_none) {
  Core core;
  Echo echo;
  for (const char* bad :
       {"", "localhost", "127.0.0.1", "127.0.0.1:", "127.0.0.1:99999", "1.2.3:80", "127.0.0.1:80x"}) {
    HttpServer server({{&core, &echo}},
                      {.address = bad, .connections_max = 1, .stop_grace = {}, .limits = {}});
    const auto started = server.start();
    ASSERT_FALSE(started) << bad;
    EXPECT_EQ(started.error().code(), Errc::invalid_argument) << bad;
  }
}

}  // namespace
}  // namespace kiseki::s3
