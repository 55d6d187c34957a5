#pragma once

#include <memory>

#include "base/memory_budget.h"
#include "base/scope.h"
#include "fs/objects.h"
#include "s3/conditions.h"
#include "s3/http_stream.h"

namespace kiseki::s3 {

/// Sends bytes of an object, read in runs and opened in slices as the socket takes them; the next run is read
/// meanwhile. For a peer that pauses nothing is kept: its run is forgotten and read again when the socket
/// takes bytes.
class ObjectSender {
 public:
  struct Ports {
    MemoryBudget* memory;
    Clock* clock;
    Executor executor;
  };

  /// All outlive it. `range` is not empty and lies in the object.
  ObjectSender(Ports ports, HttpStream& stream, fs::Object& object, ByteRange range);

  /// Reads the first run, so that its failure still has a status of its own. `busy`.
  Task<Result<>> begin();
  /// The head and everything behind it. An error is one of reading; that the peer went is none.
  Task<Result<>> send(HttpResponse head);
  /// Of the object, so far.
  Bytes sent() const noexcept { return at_ - range_.offset; }

 private:
  struct Run {
    fs::Stretch bytes;
    MemoryBudget::Permit permit;
    Bytes sent = 0;

    Bytes left() const noexcept { return bytes.size() - sent; }
  };
  using Outcome = OneShot<Result<Run>>;

  Bytes end() const noexcept { return range_.offset + range_.length; }
  Task<Result<>> send_runs(HttpResponse head);
  Task<Result<>> begin_run();
  Task<Result<>> take_run();
  Task<Result<>> next_slice();
  Result<> open_slice();
  Task<Result<>> read_run();
  Task<Result<Run>> fetch(Bytes offset, MemoryBudget::Permit permit, Bytes length);
  Task<std::optional<MemoryBudget::Permit>> memory_for(Bytes length);
  void read_ahead();
  Task<> read_beside(Bytes offset, MemoryBudget::Permit permit, Bytes length, std::shared_ptr<Outcome> into);
  void take_note(Bytes taken);
  Task<> forget_runs();

  Ports ports_;
  HttpStream& stream_;
  fs::Object& object_;
  ByteRange range_;
  Bytes at_;      // sent before it
  Bytes length_;  // of the next run, if there is so much
  bool is_slow_ = false;
  Run run_;
  View slice_;                      // open and not sent, of `run_`
  std::shared_ptr<Outcome> ahead_;  // of us and of the read beside us: the run behind `run_`
  Scope scope_;
};

}  // namespace kiseki::s3
