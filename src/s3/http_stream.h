#pragma once

#include <memory>
#include <string>

#include <boost/asio/generic/stream_protocol.hpp>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/task.h"
#include "s3/chunk_framing.h"
#include "s3/http_parser.h"

namespace kiseki::s3 {

using Socket = asio::basic_stream_socket<asio::generic::stream_protocol, Executor>;

struct HttpLimits {
  Duration idle = std::chrono::seconds(120);        ///< Between requests.
  Duration head = std::chrono::seconds(30);         ///< For a whole head.
  Duration progress = std::chrono::seconds(60);     ///< For the next byte of a body, either way.
  Bytes rate_min = 1_KiB;                           ///< A second, of a body, either way; 0: any.
  Duration rate_window = std::chrono::seconds(30);  ///< Of waiting for the peer, over which the rate counts.
  Duration linger = std::chrono::seconds(5);  ///< For what a client still sends after the last response.
  Bytes drain_max = 1_MiB;                    ///< Unread body that is worth reading to keep a connection.
};

/// Time as the connections of one core see it: renewed at every tick, so that no request reads a clock.
struct HttpTime {
  BootTime now;
  std::string date;  ///< For the Date field.
};

enum class NextRequest : std::uint8_t {
  ready,
  refused,  ///< `fault()` says why; answer, then close.
  ended,    ///< Closed by the peer, idle too long, or stopping.
};

/// One connection, one request at a time: read the head, read the body, answer.
///
/// A body is read straight into the caller's memory; a head and the first piece of a response's body go in
/// one write. Errors of the connection are `cancelled` (peer gone, stopping) and `timed_out`; after one the
/// connection only ends. One coroutine at a time; `expire`, `stop_when_idle` and `abort` come from others of
/// the same core.
class HttpStream {
 public:
  /// What the connections of one core share; all outlive them.
  struct Shared {
    const HttpTime& time;
    const HttpLimits& limits;
  };
  /// `peer`: its address.
  HttpStream(Socket socket, std::string peer, Shared shared);
  HttpStream(const HttpStream&) = delete;
  HttpStream& operator=(const HttpStream&) = delete;

  Task<NextRequest> next_request();
  const HttpHead& head() const noexcept { return head_; }
  HeadFault fault() const noexcept { return fault_; }

  /// At least one byte of the body; 0 at its end, and when the peer pauses. Asks a client that waits for "100
  /// Continue" to go on. `invalid_argument` when chunked coding is broken or the body ends early.
  Task<Result<std::size_t>> read_some(MutableView into);
  /// The last `read_some` brought nothing because the peer sent nothing from one tick to the next.
  bool paused() const noexcept { return paused_; }

  /// Waits for bytes of the body in the connection's own memory, so that nobody sets memory aside for bytes
  /// that do not come: until the rest is there or as much as fits. True: it is the rest.
  Task<Result<bool>> await_body();

  /// Head and body, or the head alone. Once a request, as `respond_some`.
  Task<Result<>> respond(HttpResponse response, View body);
  /// Head, and as much of `first` as `write_some` would.
  Task<Result<Bytes>> respond_some(HttpResponse response, View first);
  /// More of the body, as much as the peer takes without a pause from one tick to the next: the caller may
  /// forget the rest and come again after `writable`. Never beyond the length announced.
  Task<Result<Bytes>> write_some(View piece);
  /// Waits until the socket takes bytes, if it took none last time.
  Task<Result<>> writable();

  /// Ends the request; false when the connection cannot carry another.
  Task<bool> finish();
  /// Sends the end, waits for the peer's within bounds, and closes.
  Task<> close();

  bool responded() const noexcept { return responded_; }
  const std::string& peer() const noexcept { return peer_; }
  Bytes bytes_sent() const noexcept { return sent_; }

  /// Ends what has waited too long or moves too slowly. Called at every tick.
  void expire();
  /// Ends now if no request is under way, else after it.
  void stop_when_idle();
  /// Ends now.
  void abort();

 private:
  enum class Phase : std::uint8_t { idle, head, exchange, closing };

  enum class Patience : std::uint8_t { short_pause, whole };

  Task<Result<std::size_t>> receive(MutableView into, Patience patience);
  Task<Result<Bytes>> send(View first, View second, Patience patience);
  Task<Result<bool>> wait_to_send(Patience patience);
  void begin_wait(Patience patience);
  bool end_wait(bool is_cancelled);
  std::string begin_response(HttpResponse& response);
  Task<Result<std::size_t>> read_raw(MutableView into);
  Task<Result<std::size_t>> read_chunked(MutableView into);
  Task<Result<>> ask_to_continue();
  Task<Result<>> fill_lookahead(Patience patience = Patience::whole);
  void move_to_front();
  Task<NextRequest> read_head();
  std::size_t find_head_end();
  void begin_body();
  bool is_too_slow();
  bool leaves_too_much_unread() const noexcept;
  bool must_ask_before_response() const noexcept;
  void wait_at_most(Duration limit) { deadline_ = time_.now + limit; }
  View lookahead() const noexcept { return memory_.view().subspan(begin_, end_ - begin_); }

  Socket socket_;
  std::string peer_;
  const HttpTime& time_;
  const HttpLimits& limits_;
  BootTime deadline_;
  Phase phase_ = Phase::idle;
  bool stop_ = false;
  bool broken_ = false;
  bool timed_out_ = false;
  bool more_is_likely_ = false;  // to be received at once: the last time there was as much as fitted
  bool waiting_ = false;         // for the peer; a slow use case is no reason to end a connection
  bool is_impatient_ = false;    // the wait under way ends when the peer pauses
  bool paused_ = false;
  bool goes_on_waiting_ = false;  // for the byte that it paused before: its time is running
  unsigned ticks_waited_ = 0;

  // The pace of a body: bytes moved while the peer was waited for.
  Bytes moved_ = 0;
  Duration waited_ = {};
  BootTime looked_;

  Buffer memory_;  // received and not yet taken: [begin_, end_)
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::size_t searched_ = 0;  // of the lookahead, for the end of the head

  HttpHead head_;
  HeadFault fault_ = HeadFault::none;
  Bytes body_left_ = 0;
  ChunkFraming framing_;
  bool continue_due_ = false;

  bool responded_ = false;
  bool suppress_body_ = false;
  bool closes_ = false;
  bool blocked_ = false;  // the socket took nothing last time
  Bytes response_left_ = 0;
  Bytes sent_ = 0;
};

}  // namespace kiseki::s3
