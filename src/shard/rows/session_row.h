#pragma once

#include <string>

#include "base/ids.h"
#include "base/result.h"
#include "shard/proposal.h"

namespace kiseki::shard::detail {

/// Value of a session's row in the system shard (docs/formats/transaction.md).
struct SessionRow {
  enum class State : std::uint8_t {
    open = 1,
    fenced = 2,  ///< In every shard.
  };
  std::uint64_t process = 0;
  State state = State::open;

  Record record() const;
  static Result<SessionRow> decode(const Record& record);
};

/// All session rows, from a scan of the system leaf.
struct SessionTable {
  struct Entry {
    SessionId id;
    SessionRow row;
    Stamp version;
  };
  SessionId last;      ///< The last id given out.
  Stamp last_version;  ///< Of its row; zero: there is none.
  std::vector<Entry> sessions;

  /// A reply that says `more` is no table.
  static Scan request();
  static Result<SessionTable> decode(const std::vector<Row>& rows);
  GoneSessions gone() const;
};

/// The row that holds the last id given out.
Key last_session_key();
Record last_session_record(SessionId last);
Key session_key(SessionId session);

}  // namespace kiseki::shard::detail
