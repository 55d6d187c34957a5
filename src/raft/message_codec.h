#pragma once

#include <span>
#include <string>

#include "base/result.h"
#include "raft/types.h"

namespace kiseki::raft {

/// Messages of one group to one node, as in docs/formats/raft-message.md. A snapshot goes without its token.
struct MessageFrame {
  static constexpr std::size_t messages_max = 0xffff;
  GroupId group;
  std::vector<Message> messages;  ///< They point into the frame that was parsed.
};

/// At most `messages_max`, at least one.
std::string encode_messages(GroupId group, std::span<const Message> messages);
/// Bytes may be hostile: `corrupted`, or `wrong_format` for another version. What the messages say is for
/// `Group` to judge.
Result<MessageFrame> parse_messages(View frame);

}  // namespace kiseki::raft
