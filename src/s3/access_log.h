#pragma once

#include <string>

#include "base/clock.h"
#include "base/units.h"

namespace kiseki::s3 {

/// One request, as the access log tells of it. No name of an object is in it.
struct AccessRecord {
  WallTime time;             ///< When its head was there.
  std::string request_id;    ///< As the answer carries it.
  std::string key_id;        ///< The access key, once it is proved; empty: none.
  std::string operation;     ///< "PutObject"; empty: it names none.
  std::string bucket;        ///< Empty: it names none.
  unsigned status = 0;       ///< 0: not answered.
  Bytes received = 0;        ///< Of the body, decoded.
  Bytes sent = 0;            ///< Of the body of the answer.
  Duration first_byte = {};  ///< From `time` to the first byte of the answer.
  Duration last_byte = {};   ///< From `time` to its last.
};

/// A JSON object and a line feed.
std::string access_line(const AccessRecord& record);

/// Where the lines go. Called on any core; never blocks it.
class AccessLog {
 public:
  virtual ~AccessLog() = default;
  virtual void append(std::string line) = 0;
};

}  // namespace kiseki::s3
