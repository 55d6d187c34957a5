#include "chunk/device/journal.h"

namespace kiseki::chunk::detail {

namespace {

constexpr std::size_t entries_a_block = JournalBlock::entries_max;
constexpr std::size_t blocks_a_group = 8;

}  // namespace

Task<Result<>> Journal::write(std::vector<Item> items) {
  std::vector<Waiting> parts((items.size() + entries_a_block - 1) / entries_a_block);
  for (std::size_t i = 0; i < items.size(); ++i) {
    parts[i / entries_a_block].items.push_back(std::move(items[i]));
  }
  for (Waiting& part : parts) queue_.push_back(&part);
  if (!parts.empty() && !std::exchange(running_, true)) media_.scope.spawn(run());
  Result<> result;
  for (Waiting& part : parts) {
    auto done = co_await part.done.take();
    if (result && !done) result = std::move(done);
  }
  co_return result;
}

Task<> Journal::run() {
  while (!queue_.empty()) {
    std::vector<Waiting*> group;
    const auto result = co_await write_group(group);
    for (Waiting* waiting : group) waiting->done.set(result);
  }
  running_ = false;
}

/// Fills `group` with those who share the blocks and the result.
Task<Result<>> Journal::write_group(std::vector<Waiting*>& group) {
  std::size_t blocks = 0;
  const auto grant = co_await allocate(blocks);
  // Entries that came while this waited for space go along.
  group = take(blocks * entries_a_block);
  if (!grant) co_return fail(grant.error());
  std::vector<JournalEntry> entries;
  std::vector<Change> changes;
  for (Waiting* waiting : group) {
    for (Item& item : waiting->items) {
      entries.push_back(item.entry);
      changes.push_back(std::move(item.change));
    }
  }
  const Buffer bytes = encode_blocks(grant->position(), entries);
  auto done =
      co_await committer_.write_and_commit(grant->position().offset, bytes.view(), std::move(changes));
  // Blocks that are down count after a restart: what is acknowledged later must not contradict them.
  if (!done && bytes.size() > unit) media_.health.fail_for_good(done.error());
  co_return done;
}

/// In one piece, or one block where free space lies in single ones.
Task<Result<Grant>> Journal::allocate(std::size_t& blocks) {
  std::size_t entries = 0;
  for (const Waiting* waiting : queue_) entries += waiting->items.size();
  blocks = std::min((entries + entries_a_block - 1) / entries_a_block, blocks_a_group);
  if (blocks > 1) {
    auto grant = co_await regions_.allocate(blocks * unit, Purpose::journal);
    if (grant || grant.error().code() != Errc::no_space) co_return std::move(grant);
    blocks = 1;
  }
  co_return co_await regions_.allocate(unit, Purpose::journal);
}

std::vector<Journal::Waiting*> Journal::take(std::size_t entries_max) {
  std::vector<Waiting*> group;
  std::size_t entries = 0;
  while (!queue_.empty() && entries + queue_.front()->items.size() <= entries_max) {
    group.push_back(queue_.front());
    entries += group.back()->items.size();
    queue_.pop_front();
  }
  return group;
}

Buffer Journal::encode_blocks(Position position, std::span<const JournalEntry> entries) const {
  const std::size_t blocks = (entries.size() + entries_a_block - 1) / entries_a_block;
  Buffer bytes(blocks * unit);
  for (std::size_t i = 0; i < blocks; ++i) {
    const Position place{position.region, position.offset + i * unit};
    const auto part = entries.subspan(i * entries_a_block);
    const auto some = part.first(std::min(part.size(), entries_a_block));
    const Buffer block = encode({place, {some.begin(), some.end()}}, media_.mac);
    std::ranges::copy(block.view(), bytes.span().begin() + static_cast<std::ptrdiff_t>(i * unit));
  }
  return bytes;
}

}  // namespace kiseki::chunk::detail
