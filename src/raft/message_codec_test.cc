#include "raft/message_codec.h"

#include <gtest/gtest.h>

#include "base/rng.h"

namespace kiseki::raft {
namespace {

Message append_message() {
  Message message{.type = MessageType::append,
                  .to = 2,
                  .from = 1,
                  .term = 5,
                  .log_term = 4,
                  .index = 10,
                  .commit = 9,
                  .priority = -1,
                  .context = as_view("context")};
  message.entries.push_back({11, 5, EntryType::normal, as_view("payload"), nullptr});
  message.entries.push_back({12, 5, EntryType::conf_change, as_view("change"), nullptr});
  return message;
}

Message snapshot_message() {
  return {.type = MessageType::snapshot,
          .to = 3,
          .from = 1,
          .term = 5,
          .snapshot = Snapshot{{8, 4, {.voters = {1, 2}, .learners = {3}, .voters_outgoing = {4}}}, {}}};
}

TEST(MessageCodec, brings_back_what_was_written) {
  Message answer{
      .type = MessageType::append_response, .to = 1, .from = 2, .term = 5, .reject_hint = 7, .reject = true};
  const std::vector<Message> sent{append_message(), snapshot_message(), answer};
  const std::string bytes = encode_messages(GroupId(7), sent);
  const auto frame = parse_messages(as_view(bytes));
  ASSERT_TRUE(frame);
  EXPECT_EQ(frame->group, GroupId(7));
  ASSERT_EQ(frame->messages.size(), 3U);
  EXPECT_EQ(as_text(frame->messages[0].entries.at(1).data), "change");
  EXPECT_EQ(frame->messages[0].priority, -1);
  EXPECT_EQ(frame->messages[1].snapshot->meta.conf, sent[1].snapshot->meta.conf);
  EXPECT_TRUE(frame->messages[2].reject);
  EXPECT_EQ(encode_messages(frame->group, frame->messages), bytes);
}

TEST(MessageCodec, refuses_another_version) {
  std::string bytes = encode_messages(GroupId(7), {{append_message()}});
  bytes[0] = 99;
  EXPECT_EQ(parse_messages(as_view(bytes)).error().code(), Errc::wrong_format);
}

TEST(MessageCodec, refuses_every_part_of_a_frame) {
  const std::string bytes = encode_messages(GroupId(7), {{append_message(), snapshot_message()}});
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    // In memory of its own size, so that a read past the end is seen.
    const std::vector<char> part(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_FALSE(parse_messages(std::as_bytes(std::span(part)))) << size;
  }
}

TEST(MessageCodec, takes_nothing_that_it_would_not_write) {
  const std::string bytes = encode_messages(GroupId(7), {{append_message(), snapshot_message()}});
  SeededRng rng(1);
  for (int round = 0; round < 20'000; ++round) {
    std::string altered = bytes;
    for (std::uint64_t i = 0; i <= rng.below(4); ++i) {
      altered[rng.below(altered.size())] = static_cast<char>(rng.below(256));
    }
    const auto frame = parse_messages(as_view(altered));
    if (frame) EXPECT_EQ(encode_messages(frame->group, frame->messages), altered);
  }
}

}  // namespace
}  // namespace kiseki::raft
