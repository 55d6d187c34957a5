#pragma once

#include <memory>

#include "base/memory_budget.h"
#include "base/scope.h"
#include "fs/objects.h"
#include "s3/conditions.h"
#include "s3/http_stream.h"

namespace kiseki::s3 {

/// Sends bytes of an object as they are opened, in runs that grow while the peer keeps up; the next run is
/// read while the socket takes the one before. For a peer that pauses nothing is kept: its run is forgotten
/// and read again when the socket takes bytes.
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
    Buffer bytes;
    MemoryBudget::Permit permit;
  };
  using Outcome = OneShot<Result<Run>>;

  Bytes end() const noexcept { return range_.offset + range_.length; }
  Task<Result<>> send_runs(HttpResponse head);
  Task<Result<>> take_run();
  Task<Result<Run>> read_run(Bytes offset, MemoryBudget::Permit permit, Bytes length);
  Task<std::optional<MemoryBudget::Permit>> memory_for(Bytes length);
  void read_ahead();
  Task<> read_beside(Bytes offset, MemoryBudget::Permit permit, Bytes length, std::shared_ptr<Outcome> into);
  void keep_pace(Bytes taken);
  Task<> forget_runs();

  Ports ports_;
  HttpStream& stream_;
  fs::Object& object_;
  ByteRange range_;
  Bytes at_;  // sent before it
  Bytes length_;
  bool is_slow_ = false;
  Run run_;                         // begins at `at_`
  std::shared_ptr<Outcome> ahead_;  // of us and of the read beside us: the run behind `run_`
  Scope scope_;
};

}  // namespace kiseki::s3
