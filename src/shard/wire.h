#pragma once

#include <string>

#include "shard/requests.h"

// Calls of shards as bytes, between nodes and from processes without one (docs/formats/shard-call.md).

namespace kiseki::shard {

struct Call {
  std::uint64_t caller = 0;  ///< The node, or the process without one: what it may have under way is bounded.
  ShardId shard;
  Duration limit = call_limit;  ///< What is left of its deadline, in whole milliseconds.
  Request request;
};

std::string encode(const Call& call);
/// `corrupted`, `wrong_format`.
Result<Call> decode_call(View bytes);
/// A reply, or the error in its place.
std::string encode(const Result<Reply>& reply);
/// The error may be that of the call: `corrupted` and `wrong_format` also of the bytes.
Result<Reply> decode_reply(View bytes);
/// Whether the reply is of the type that the request names.
bool answers(const Reply& reply, const Request& request);

}  // namespace kiseki::shard
