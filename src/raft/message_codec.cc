#include "raft/message_codec.h"

#include "base/assert.h"
#include "base/codec.h"
#include "raft/codec/meta_codec.h"

namespace kiseki::raft {

namespace {

constexpr std::uint8_t format_version = 3;
constexpr std::uint8_t flag_reject = 1;
constexpr std::uint8_t flag_snapshot = 2;
constexpr std::size_t message_size_min = 2 + 9 * 8 + 4 + 4;
constexpr std::size_t entry_size_min = 8 + 8 + 1 + 4;

bool is_known(std::uint8_t type) {
  switch (static_cast<MessageType>(type)) {
    case MessageType::append:
    case MessageType::append_response:
    case MessageType::request_vote:
    case MessageType::request_vote_response:
    case MessageType::snapshot:
    case MessageType::heartbeat:
    case MessageType::heartbeat_response:
    case MessageType::timeout_now:
    case MessageType::request_pre_vote:
    case MessageType::request_pre_vote_response:
    case MessageType::removed:
    case MessageType::quiesce:
    case MessageType::alone:
      return true;
  }
  return false;
}

bool carries_configuration(MessageType type) {
  return type == MessageType::snapshot || type == MessageType::removed;
}

void encode(Encoder& out, const Message& message) {
  const unsigned flags = (message.reject ? flag_reject : 0U) | (message.snapshot ? flag_snapshot : 0U);
  out.enumerator(message.type).integer(static_cast<std::uint8_t>(flags));
  out.integer(message.to).integer(message.from).integer(message.term).integer(message.log_term);
  out.integer(message.index).integer(message.commit).integer(message.commit_term);
  out.integer(message.reject_hint).integer(static_cast<std::uint64_t>(message.priority));
  out.sized(message.context);
  if (message.snapshot) detail::encode_meta(out, message.snapshot->meta);
  out.integer(static_cast<std::uint32_t>(message.entries.size()));
  for (const Entry& entry : message.entries) {
    out.integer(entry.index).integer(entry.term).enumerator(entry.type).sized(entry.data);
  }
}

std::vector<Entry> decode_entries(Decoder& in) {
  const auto count = in.integer<std::uint32_t>();
  if (count > in.remaining() / entry_size_min) in.reject();
  std::vector<Entry> entries;
  if (!in.failed()) entries.reserve(count);
  for (std::uint32_t i = 0; i < count && !in.failed(); ++i) {
    Entry entry{
        .index = in.integer<Index>(), .term = in.integer<Term>(), .type = {}, .data = {}, .owner = {}};
    entry.type = detail::decode_flag(in) ? EntryType::conf_change : EntryType::normal;
    entry.data = in.sized();
    entries.push_back(std::move(entry));
  }
  return entries;
}

Message decode_message(Decoder& in) {
  const auto type = in.integer<std::uint8_t>();
  const auto flags = in.integer<std::uint8_t>();
  Message message{.type = static_cast<MessageType>(type)};
  const bool has_snapshot = (flags & flag_snapshot) != 0;
  if (!is_known(type) || flags > (flag_reject | flag_snapshot) ||
      has_snapshot != carries_configuration(message.type)) {
    in.reject();
  }
  message.reject = (flags & flag_reject) != 0;
  for (auto* field : {&message.to, &message.from, &message.term, &message.log_term, &message.index,
                      &message.commit, &message.commit_term, &message.reject_hint}) {
    *field = in.integer<std::uint64_t>();
  }
  message.priority = static_cast<std::int64_t>(in.integer<std::uint64_t>());
  message.context = in.sized();
  if (has_snapshot) message.snapshot = Snapshot{detail::decode_meta(in), {}};
  message.entries = decode_entries(in);
  return message;
}

}  // namespace

std::string encode_messages(GroupId group, std::span<const Message> messages) {
  KISEKI_ASSERT(!messages.empty() && messages.size() <= MessageFrame::messages_max);
  std::string bytes;
  Encoder out(bytes);
  out.integer(format_version).id(group).integer(static_cast<std::uint16_t>(messages.size()));
  for (const Message& message : messages) encode(out, message);
  return bytes;
}

Result<MessageFrame> parse_messages(View frame) {
  Decoder in(frame);
  const auto version = in.integer<std::uint8_t>();
  if (!in.failed() && version != format_version) {
    return fail(Errc::wrong_format, fmt::format("messages of format {}, not {}", version, format_version));
  }
  MessageFrame parsed{.group = in.id<GroupId>(), .messages = {}};
  const auto count = in.integer<std::uint16_t>();
  if (count == 0 || count > in.remaining() / message_size_min) in.reject();
  for (std::uint16_t i = 0; i < count && !in.failed(); ++i) parsed.messages.push_back(decode_message(in));
  KISEKI_TRY(in.finish("raft messages"));
  return parsed;
}

}  // namespace kiseki::raft
