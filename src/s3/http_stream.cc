#include "s3/http_stream.h"

#include "base/assert.h"

namespace kiseki::s3 {

namespace {

constexpr std::size_t lookahead_size = 16_KiB;
constexpr std::string_view head_end = "\r\n\r\n";
constexpr Bytes linger_max = 8_MiB;

constexpr auto token = asio::as_tuple(use_task);

bool may_start_method(std::byte value) noexcept {
  const char c = static_cast<char>(value);
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '\r' || c == '\n';
}

}  // namespace

HttpStream::HttpStream(Socket socket, std::string peer, Shared shared)
    : socket_(std::move(socket)),
      peer_(std::move(peer)),
      time_(shared.time),
      limits_(shared.limits),
      looked_(time_.now),
      memory_(lookahead_size) {
  boost::system::error_code ignored;  // of a connection that is broken already
  socket_.non_blocking(true, ignored);
  wait_at_most(limits_.idle);
}

Task<NextRequest> HttpStream::next_request() {
  if (begin_ == end_) {
    begin_ = end_ = 0;
    if (memory_.size() > lookahead_size) memory_ = Buffer(lookahead_size);
  }
  phase_ = begin_ == end_ ? Phase::idle : Phase::head;
  fault_ = HeadFault::none;
  responded_ = closes_ = false;
  sent_ = response_left_ = 0;
  body_left_ = 0;
  continue_due_ = false;
  searched_ = 0;
  moved_ = 0;
  waited_ = {};
  goes_on_waiting_ = false;
  wait_at_most(phase_ == Phase::idle ? limits_.idle : limits_.head);
  const NextRequest next = co_await read_head();
  if (next == NextRequest::ready) begin_body();
  co_return next;
}

Task<NextRequest> HttpStream::read_head() {
  std::size_t size = 0;
  while ((size = find_head_end()) == 0) {
    const View have = lookahead();
    if (!have.empty() && !may_start_method(have[0])) fault_ = HeadFault::malformed;
    if (have.size() >= http_head_max) fault_ = HeadFault::too_large;
    if (fault_ != HeadFault::none) break;
    if (stop_ && have.empty()) co_return NextRequest::ended;
    const Result<> filled = co_await fill_lookahead();
    if (!filled) co_return NextRequest::ended;
    if (phase_ == Phase::idle) {
      phase_ = Phase::head;
      wait_at_most(limits_.head);
    }
  }
  phase_ = Phase::exchange;
  wait_at_most(limits_.progress);
  if (fault_ == HeadFault::none) fault_ = parse_head(lookahead().first(size), head_);
  suppress_body_ = head_.method() == "HEAD";
  begin_ += size;
  if (fault_ == HeadFault::none) co_return NextRequest::ready;
  closes_ = true;
  co_return NextRequest::refused;
}

/// Bytes of the head with its empty line; 0 when it is not all there. Empty lines before it are dropped (RFC
/// 9112 section 2.2).
std::size_t HttpStream::find_head_end() {
  while (end_ - begin_ >= 2 && searched_ == 0 && as_text(lookahead().first(2)) == "\r\n") begin_ += 2;
  const std::string_view have = as_text(lookahead());
  const std::size_t found = have.find(head_end, searched_);
  if (found != have.npos) return found + head_end.size();
  searched_ = have.size() < head_end.size() ? 0 : have.size() - head_end.size() + 1;
  return 0;
}

void HttpStream::begin_body() {
  if (head_.chunked()) {
    framing_ = ChunkFraming();
  } else {
    body_left_ = head_.content_length().value_or(0);
  }
  const bool has_body = head_.chunked() || head_.content_length().has_value();
  continue_due_ = head_.expects_continue() && has_body && begin_ == end_;
}

Task<Result<std::size_t>> HttpStream::read_some(MutableView into) {
  if (into.empty()) co_return std::size_t{0};
  if (continue_due_) KISEKI_CO_TRY(co_await ask_to_continue());
  paused_ = false;
  if (head_.chunked()) co_return co_await read_chunked(into);
  if (body_left_ == 0) co_return std::size_t{0};
  if (into.size() > body_left_) into = into.first(body_left_);
  auto count = co_await read_raw(into);
  if (count) body_left_ -= *count;
  co_return count;
}

Task<Result<>> HttpStream::ask_to_continue() {
  continue_due_ = false;
  const auto sent = co_await send(as_view("HTTP/1.1 100 Continue\r\n\r\n"), {}, Patience::whole);
  if (!sent) co_return fail(sent.error());
  co_return Result<>{};
}

Task<Result<bool>> HttpStream::await_body() {
  if (continue_due_) KISEKI_CO_TRY(co_await ask_to_continue());
  if (head_.chunked()) {
    if (begin_ == end_ && framing_.state() != ChunkFraming::State::finished) {
      KISEKI_CO_TRY(co_await fill_lookahead());
    }
    co_return framing_.state() == ChunkFraming::State::finished;
  }
  const Bytes wanted = std::min<Bytes>(body_left_, lookahead_size);
  if (end_ - begin_ < wanted && begin_ + wanted > memory_.size()) move_to_front();
  while (end_ - begin_ < wanted) KISEKI_CO_TRY(co_await fill_lookahead());
  co_return wanted == body_left_;
}

Task<Result<std::size_t>> HttpStream::read_raw(MutableView into) {
  if (begin_ == end_) co_return co_await receive(into, Patience::short_pause);
  const std::size_t count = std::min(into.size(), end_ - begin_);
  std::memcpy(into.data(), memory_.data() + begin_, count);
  begin_ += count;
  co_return count;
}

Task<Result<std::size_t>> HttpStream::read_chunked(MutableView into) {
  while (framing_.state() == ChunkFraming::State::framing) {
    if (begin_ == end_) KISEKI_CO_TRY(co_await fill_lookahead(Patience::short_pause));
    if (paused_) co_return std::size_t{0};
    auto taken = framing_.feed(lookahead());
    if (!taken) {
      closes_ = true;
      co_return fail(std::move(taken).error());
    }
    begin_ += *taken;
  }
  if (framing_.state() == ChunkFraming::State::finished) co_return std::size_t{0};
  if (into.size() > framing_.data_left()) into = into.first(framing_.data_left());
  auto count = co_await read_raw(into);
  if (count) framing_.pass(*count);
  co_return count;
}

void HttpStream::move_to_front() {
  std::memmove(memory_.data(), memory_.data() + begin_, end_ - begin_);
  end_ -= begin_;
  begin_ = 0;
}

/// Receives at least one byte behind what is there, making room as needed up to the largest head.
Task<Result<>> HttpStream::fill_lookahead(Patience patience) {
  if (end_ == memory_.size() && begin_ > 0) {
    move_to_front();
  } else if (end_ == memory_.size()) {
    KISEKI_ASSERT(end_ < http_head_max);
    Buffer grown(std::min<Bytes>(memory_.size() * 2, http_head_max));
    std::memcpy(grown.data(), memory_.data(), end_);
    memory_ = std::move(grown);
  }
  auto count = co_await receive(memory_.span().subspan(end_), patience);
  if (!count) co_return fail(std::move(count).error());
  end_ += *count;
  co_return Result<>{};
}

Task<Result<std::size_t>> HttpStream::receive(MutableView into, Patience patience) {
  if (broken_ || timed_out_) co_return fail(Errc::cancelled, "the connection is closed");
  if (phase_ == Phase::exchange && !std::exchange(goes_on_waiting_, false)) wait_at_most(limits_.progress);
  const auto buffer = asio::buffer(into.data(), into.size());
  boost::system::error_code error = asio::error::would_block;
  std::size_t count = 0;
  if (std::exchange(more_is_likely_, false)) count = socket_.read_some(buffer, error);
  if (error == asio::error::would_block) {
    begin_wait(patience);
    std::tie(error, count) = co_await socket_.async_read_some(buffer, token);
    goes_on_waiting_ = end_wait(error == asio::error::operation_aborted);
    if (goes_on_waiting_) co_return std::size_t{0};
  }
  more_is_likely_ = count == into.size();
  moved_ += count;
  if (!error) co_return count;
  closes_ = true;  // what does not send any more may still read an answer
  if (timed_out_) co_return fail(Errc::timed_out, "the client is silent or too slow");
  if (error == asio::error::eof && phase_ == Phase::exchange) {
    co_return fail(Errc::invalid_argument, "the body ends early");
  }
  broken_ = true;
  co_return fail(Errc::cancelled, "the connection is closed");
}

/// Writes at once what the socket takes, and waits only when it takes nothing.
Task<Result<Bytes>> HttpStream::send(View first, View second, Patience patience) {
  Bytes sent = 0;
  while (!first.empty() || !second.empty()) {
    if (broken_) co_return fail(Errc::cancelled, "the connection is closed");
    const std::array<asio::const_buffer, 2> buffers{asio::buffer(first.data(), first.size()),
                                                    asio::buffer(second.data(), second.size())};
    boost::system::error_code error;
    const std::size_t count = socket_.write_some(buffers, error);
    if (error && error != asio::error::would_block) {
      broken_ = true;
      co_return fail(Errc::cancelled, "the connection is closed");
    }
    blocked_ = static_cast<bool>(error);
    sent += count;
    moved_ += count;
    const std::size_t of_first = std::min(count, first.size());
    first = first.subspan(of_first);
    second = second.subspan(count - of_first);
    if (!blocked_) continue;
    // A head goes whole: only then is it known what of the body went.
    const auto ready = co_await wait_to_send(first.empty() ? patience : Patience::whole);
    if (!ready) co_return fail(ready.error());
    if (!*ready) break;
  }
  co_return sent;
}

/// False when the peer paused for too long.
Task<Result<bool>> HttpStream::wait_to_send(Patience patience) {
  wait_at_most(limits_.progress);
  begin_wait(patience);
  const auto [error] = co_await socket_.async_wait(Socket::wait_write, token);
  if (end_wait(error == asio::error::operation_aborted)) co_return false;
  if (error || broken_) {
    broken_ = true;
    co_return fail(Errc::cancelled, "the connection is closed");
  }
  co_return true;
}

void HttpStream::begin_wait(Patience patience) {
  waiting_ = true;
  paused_ = false;
  is_impatient_ = patience == Patience::short_pause;
  ticks_waited_ = 0;
}

/// Whether it ended because the peer paused.
bool HttpStream::end_wait(bool is_cancelled) {
  waiting_ = is_impatient_ = false;
  return is_cancelled && paused_ && !broken_ && !timed_out_;
}

Task<Result<>> HttpStream::writable() {
  if (!blocked_) co_return Result<>{};
  const auto ready = co_await wait_to_send(Patience::whole);
  if (!ready) co_return fail(ready.error());
  blocked_ = false;
  co_return Result<>{};
}

/// "100 Continue" is not left out for an empty body: the aws CLI would misread the next response of the
/// connection.
bool HttpStream::must_ask_before_response() const noexcept {
  return continue_due_ && !head_.chunked() && body_left_ == 0;
}

Task<Result<>> HttpStream::respond(HttpResponse response, View body) {
  if (must_ask_before_response()) KISEKI_CO_TRY(co_await ask_to_continue());
  const std::string head = begin_response(response);
  if (suppress_body_) body = {};
  KISEKI_ASSERT(body.size() <= response_left_);
  const auto sent = co_await send(as_view(head), body, Patience::whole);
  if (!sent) co_return fail(sent.error());
  response_left_ -= body.size();
  sent_ += body.size();
  co_return Result<>{};
}

Task<Result<Bytes>> HttpStream::respond_some(HttpResponse response, View first) {
  KISEKI_ASSERT(response.has_body() && head_.method() != "HEAD");
  if (must_ask_before_response()) KISEKI_CO_TRY(co_await ask_to_continue());
  const std::string head = begin_response(response);
  KISEKI_ASSERT(first.size() <= response_left_);
  auto sent = co_await send(as_view(head), first, Patience::short_pause);
  if (!sent) co_return fail(sent.error());
  const Bytes of_body = *sent - head.size();
  response_left_ -= of_body;
  sent_ += of_body;
  co_return of_body;
}

/// The head as it goes, and what it says of the connection.
std::string HttpStream::begin_response(HttpResponse& response) {
  KISEKI_ASSERT(!responded_);
  responded_ = true;
  // A client that still waits for "100 Continue" will not send the body, or may: only an end is unambiguous.
  if (response.closes() || !head_.keep_alive() || stop_ || continue_due_ || timed_out_ ||
      leaves_too_much_unread()) {
    closes_ = true;
  }
  std::string head = fmt::format("HTTP/1.1 {} {}\r\nDate: {}\r\nServer: Kiseki\r\n", response.status(),
                                 reason_phrase(response.status()), time_.date);
  head += response.fields();
  if (response.has_body())
    fmt::format_to(std::back_inserter(head), "Content-Length: {}\r\n", response.length());
  if (closes_) head += "Connection: close\r\n";
  head += "\r\n";
  if (!response.has_body()) suppress_body_ = true;
  response_left_ = suppress_body_ ? 0 : response.length();
  return head;
}

/// More of the body than is worth reading to keep the connection, or nobody knows how much.
bool HttpStream::leaves_too_much_unread() const noexcept {
  if (head_.chunked()) return framing_.state() != ChunkFraming::State::finished;
  return body_left_ > limits_.drain_max;
}

Task<Result<Bytes>> HttpStream::write_some(View piece) {
  KISEKI_ASSERT(responded_ && !suppress_body_ && piece.size() <= response_left_);
  auto sent = co_await send({}, piece, Patience::short_pause);
  if (!sent) co_return sent;
  response_left_ -= *sent;
  sent_ += *sent;
  co_return sent;
}

Task<bool> HttpStream::finish() {
  // A response that ends early can only be told by the end of the connection.
  if (broken_ || closes_ || timed_out_ || !responded_ || response_left_ > 0) co_return false;
  while (body_left_ > 0) {
    if (begin_ == end_ && !co_await fill_lookahead()) co_return false;
    const Bytes dropped = std::min<Bytes>(body_left_, end_ - begin_);
    begin_ += dropped;
    body_left_ -= dropped;
    if (begin_ == end_) begin_ = end_ = 0;
  }
  co_return true;
}

Task<> HttpStream::close() {
  phase_ = Phase::closing;
  boost::system::error_code ignored;
  if (!timed_out_ && responded_ && response_left_ == 0) {
    // Closing with bytes unread would reset the connection, and the peer might lose the response.
    socket_.shutdown(Socket::shutdown_send, ignored);
    wait_at_most(limits_.linger);
    const BootTime end = deadline_;
    broken_ = false;
    for (Bytes drained = 0; drained < linger_max && time_.now < end;) {
      const auto count = co_await receive(memory_.span(), Patience::whole);
      if (!count) break;
      drained += *count;
    }
  }
  socket_.close(ignored);
  broken_ = true;
}

/// A peer that sends or takes a little now and then would else hold a request, and its memory, for ever.
bool HttpStream::is_too_slow() {
  const Duration passed = time_.now - std::exchange(looked_, time_.now);
  if (!waiting_ || phase_ != Phase::exchange || limits_.rate_min == 0) return false;
  waited_ += passed;
  if (waited_ < limits_.rate_window) return false;
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(std::exchange(waited_, {}));
  return std::exchange(moved_, 0) < limits_.rate_min * static_cast<Bytes>(seconds.count());
}

void HttpStream::expire() {
  const bool too_slow = is_too_slow();
  if (!waiting_ || !socket_.is_open()) return;
  const bool is_over = time_.now >= deadline_ || too_slow;
  paused_ = ++ticks_waited_ > 1 && is_impatient_;
  if (!is_over && !paused_) return;
  if (is_over) timed_out_ = true;
  boost::system::error_code ignored;
  socket_.cancel(ignored);
}

void HttpStream::stop_when_idle() {
  stop_ = true;
  if (phase_ == Phase::idle || phase_ == Phase::closing) abort();
}

void HttpStream::abort() {
  broken_ = true;
  boost::system::error_code ignored;
  socket_.close(ignored);
}

}  // namespace kiseki::s3
