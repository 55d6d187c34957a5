#include "chunk/pools/chunk_read.h"

#include <algorithm>
#include <cstring>

#include "base/planted.h"
#include "crypto/checksum.h"

namespace kiseki::chunk::detail {

namespace {

bool says_no(Errc code) noexcept { return code == Errc::not_found || code == Errc::corrupted; }

/// Of several answers the one that leaves the most hope: a device that did not answer may have it.
void keep_hopeful(std::optional<Error>& kept, const Error& error) {
  const auto hope = [](Errc code) { return code == Errc::not_found ? 0 : code == Errc::corrupted ? 1 : 2; };
  if (!kept || hope(error.code()) > hope(kept->code())) kept = error;
}

/// An index from the first of its devices that has it.
Task<Result<Blocks>> read_index(PoolServices services, std::vector<DeviceId> places, FragmentKey key,
                                ChunkReference reference, BlockRange rows) {
  std::optional<Error> error;
  for (const DeviceId& place : places) {
    const auto device = find_device(services, place);
    if (!device) {
      keep_hopeful(error, device.error());
      continue;
    }
    const BootTime began = services.clock.now();
    auto blocks = co_await (*device)->read(key, reference, rows);
    if (blocks) {
      services.reads.took(services.clock.now() - began);
      co_return blocks;
    }
    keep_hopeful(error, blocks.error());
  }
  co_return fail(*error);
}

/// What the first of its devices that has the index says of the chunk.
Task<Result<StoredFragment>> describe_index(PoolServices services, std::vector<DeviceId> places,
                                            FragmentKey key, ChunkReference reference) {
  std::optional<Error> error;
  for (const DeviceId& place : places) {
    const auto device = find_device(services, place);
    if (!device) {
      keep_hopeful(error, device.error());
      continue;
    }
    auto stored = co_await (*device)->describe(key);
    if (stored && reference_to(stored->chunk) == reference) co_return stored;
    keep_hopeful(error, stored ? Error(Errc::corrupted, "another chunk") : stored.error());
  }
  co_return fail(*error);
}

bool contains(BlockRange outer, BlockRange inner) {
  return outer.first <= inner.first && inner.first + inner.count <= outer.first + outer.count;
}

}  // namespace

ChunkRead::ChunkRead(PoolServices services, PlacedGroup place, ChunkName name, ChunkReference reference)
    : services_(services),
      place_(place),
      name_(name),
      reference_(reference),
      width_(fragment_count(reference.format)),
      began_(services.clock.now()),
      hedged_(began_) {}

Task<Result<Blocks>> ChunkRead::run(BlockRange blocks) {
  const std::size_t count = block_count(reference_.format, reference_.length);
  if (blocks.count == 0 || blocks.first >= count || blocks.count > count - blocks.first) {
    co_return fail(Errc::out_of_range, "blocks beyond the chunk");
  }
  if (width_ == 1) {
    co_return co_await read_index(services_, places_of(place_.group, 0), {name_, 0}, reference_, blocks);
  }
  if (reference_.format.data == 1) co_return co_await read_copy(blocks);
  split(blocks);
  co_return co_await read_coded();
}

void ChunkRead::split(BlockRange blocks) {
  const std::size_t rows = row_count(reference_.format, reference_.length);
  std::size_t first = rows;
  std::size_t end = 0;
  for (std::size_t at = blocks.first; at < blocks.first + blocks.count;) {
    const std::size_t row = at % rows;
    const std::size_t count = std::min(rows - row, blocks.first + blocks.count - at);
    parts_.push_back({static_cast<std::uint8_t>(at / rows), {row, count}});
    first = std::min(first, row);
    end = std::max(end, row + count);
    at += count;
  }
  window_ = {first, end - first};
}

Task<Result<Blocks>> ChunkRead::read_copy(BlockRange blocks) {
  calls_ = Calls<Blocks>::make(services_.scope, width_);
  slots_.resize(width_);
  // Copies share the load: each chunk has another one that is asked first.
  const auto offset = std::to_integer<std::size_t>(name_.id.back());
  std::vector<std::uint8_t> order;
  for (std::size_t i = 0; i < width_; ++i) order.push_back(static_cast<std::uint8_t>((offset + i) % width_));
  order = place_.active_first(order);
  for (std::size_t next = 0;;) {
    bool awaited = false;
    for (std::size_t slot = 0; slot < width_; ++slot) {
      if (Blocks* found = good(slot)) co_return std::move(*found);
      awaited = awaited || is_awaited(slot);
    }
    if (!awaited && next < width_) {
      const std::uint8_t index = order[next++];
      start(index, index, blocks);
      continue;
    }
    KISEKI_CO_TRY(co_await wait());
  }
}

Task<Result<Blocks>> ChunkRead::read_coded() {
  calls_ = Calls<Blocks>::make(services_.scope, 2 * width_);
  slots_.resize(2 * width_);
  for (const Part& part : parts_) start(part.index, part.index, part.rows);
  while (!have_all()) {
    if (is_degraded()) {
      // First, as some calls end where they begin.
      start_others(reference_.format.data);
      auto found = sources();
      if (found.size() == reference_.format.data) co_return co_await decode(std::move(found));
    }
    KISEKI_CO_TRY(co_await wait());
  }
  if (parts_.size() == 1) co_return std::move(*good(parts_[0].index));
  co_return joined();
}

void ChunkRead::start(std::size_t slot, std::uint8_t index, BlockRange rows) {
  slots_[slot] = {index, rows, !place_.is_active(index)};
  hedged_ = services_.clock.now();
  calls_->start(slot,
                read_index(services_, places_of(place_.group, index), {name_, index}, reference_, rows));
}

Task<Result<>> ChunkRead::wait() {
  const BootTime now = services_.clock.now();
  if (calls_->running() > 0 && now - began_ < call_limit) {
    const Duration hedge = services_.reads.percentile_95() - (now - hedged_);
    if (hedge > Duration() && co_await calls_->next(services_.clock, hedge)) co_return Result<>();
    hedged_ = services_.clock.now();
    for (Slot& slot : slots_) slot.late = true;
    co_return Result<>();
  }
  std::optional<Error> error;
  for (std::size_t slot = 0; slot < slots_.size(); ++slot) {
    if (calls_->is_running(slot)) keep_hopeful(error, Error(Errc::unavailable, "a device does not answer"));
    if (failed(slot)) keep_hopeful(error, calls_->reply(slot)->error());
  }
  bool found = false;
  for (std::size_t slot = 0; slot < slots_.size(); ++slot) found = found || good(slot) != nullptr;
  if (!found && error->code() == Errc::not_found) co_return fail(*error);
  const Errc code = says_no(error->code()) ? Errc::corrupted : Errc::unavailable;
  co_return fail(code, fmt::format("too few fragments: {}", error->words()));
}

bool ChunkRead::failed(std::size_t slot) const {
  const auto& reply = calls_->reply(slot);
  return reply && !*reply;
}

Blocks* ChunkRead::good(std::size_t slot) const {
  auto& reply = calls_->reply(slot);
  return reply && *reply ? &**reply : nullptr;
}

std::uint32_t ChunkRead::damaged() const {
  std::uint32_t indexes = 0;
  for (std::size_t slot = 0; slot < slots_.size(); ++slot) {
    if (failed(slot) && says_no(calls_->reply(slot)->error().code())) {
      indexes |= std::uint32_t{1} << slots_[slot].index;
    }
  }
  return indexes;
}

bool ChunkRead::have_all() const {
  return std::ranges::all_of(parts_, [this](const Part& part) { return good(part.index) != nullptr; });
}

bool ChunkRead::is_degraded() const {
  return std::ranges::any_of(parts_, [this](const Part& part) {
    return failed(part.index) || (calls_->is_running(part.index) && slots_[part.index].late);
  });
}

BlockRange ChunkRead::window_of(std::uint8_t index) const {
  const Bytes length = fragment_length(reference_.format, reference_.length, index);
  const std::size_t rows = block_count(reference_.format, length);
  if (rows <= window_.first) return {};
  return {window_.first, std::min(window_.count, rows - window_.first)};
}

std::optional<std::size_t> ChunkRead::covering(std::uint8_t index) const {
  for (const std::size_t slot : {std::size_t{index}, width_ + index}) {
    if (calls_->is_started(slot) && !failed(slot) && contains(slots_[slot].rows, window_of(index)))
      return slot;
  }
  return std::nullopt;
}

std::vector<std::uint8_t> ChunkRead::sources() const {
  std::vector<std::uint8_t> found;
  for (std::uint8_t index = 0; index < width_ && found.size() < reference_.format.data; ++index) {
    const auto slot = covering(index);
    // A fragment that ends before the window is nothing but zeros there.
    if (window_of(index).count == 0 || (slot && good(*slot))) found.push_back(index);
  }
  return found;
}

void ChunkRead::start_others(std::size_t wanted) {
  std::size_t expected = 0;
  std::vector<std::uint8_t> others;
  for (std::uint8_t index = 0; index < width_; ++index) {
    const auto slot = covering(index);
    if (window_of(index).count == 0 || (slot && (good(*slot) || is_awaited(*slot)))) ++expected;
    const bool silent = failed(index) || (calls_->is_running(index) && slots_[index].late);
    if (window_of(index).count > 0 && !slot && !silent && !calls_->is_started(width_ + index)) {
      others.push_back(index);
    }
  }
  for (const std::uint8_t index : place_.active_first(others)) {
    if (expected >= wanted) return;
    start(width_ + index, index, window_of(index));
    if (good(width_ + index) != nullptr || is_awaited(width_ + index)) ++expected;
  }
}

View ChunkRead::rows_of(std::uint8_t index, BlockRange rows) const {
  const auto slot = covering(index);
  if (window_of(index).count == 0 || !slot) return {};
  const Bytes size = block_size(reference_.format);
  const View bytes = good(*slot)->ciphertext.view();
  const Bytes from = std::min<Bytes>(bytes.size(), (rows.first - slots_[*slot].rows.first) * size);
  return bytes.subspan(from, std::min<Bytes>(rows.count * size, bytes.size() - from));
}

Bytes ChunkRead::bytes_of(const Part& part) const {
  const Bytes size = block_size(reference_.format);
  const Bytes length = fragment_length(reference_.format, reference_.length, part.index);
  return std::min(length, (part.rows.first + part.rows.count) * size) - part.rows.first * size;
}

Blocks ChunkRead::joined() {
  Bytes size = 0;
  for (const Part& part : parts_) size += bytes_of(part);
  Blocks out{Buffer(size), {}};
  std::byte* to = out.ciphertext.data();
  for (const Part& part : parts_) {
    if (const Blocks* blocks = good(part.index)) {
      std::memcpy(to, blocks->ciphertext.data(), blocks->ciphertext.size());
      out.tags.insert(out.tags.end(), blocks->tags.begin(), blocks->tags.end());
    }
    to += bytes_of(part);
  }
  return out;
}

Task<Result<Blocks>> ChunkRead::decode(std::vector<std::uint8_t> indexes) {
  auto chunk = co_await describe(indexes);
  if (!chunk) co_return fail(std::move(chunk).error());
  const ChunkFormat format = reference_.format;
  const std::size_t rows = row_count(format, reference_.length);
  Blocks out = joined();
  out.tags.clear();
  MutableView rest = out.ciphertext.span();
  for (const Part& part : parts_) {
    const MutableView bytes = rest.first(bytes_of(part));
    rest = rest.subspan(bytes.size());
    const auto tags = std::span(chunk->tags).subspan(part.index * rows + part.rows.first, part.rows.count);
    out.tags.insert(out.tags.end(), tags.begin(), tags.end());
    if (good(part.index) != nullptr) continue;
    std::vector<Source> sources;
    for (const std::uint8_t index : indexes) sources.push_back({index, rows_of(index, part.rows)});
    const Target target{part.index, bytes};
    services_.codes.compute({format.data, format.parity}, sources, {&target, 1});
    for (std::size_t block = 0; block < part.rows.count; ++block) {
      const Bytes from = block * block_size(format);
      const View piece = bytes.subspan(from, std::min<Bytes>(block_size(format), bytes.size() - from));
      const std::size_t at = first_checksum(format, reference_.length, part.index) + part.rows.first + block;
      if (crypto::crc32c(piece) == chunk->checksums[at]) continue;
      if (KISEKI_PLANTED("8.7 a decoded block is not checked")) continue;
      co_return fail(Errc::corrupted, "a block decoded from good fragments fails its check");
    }
  }
  co_return out;
}

/// Tags and checksums of what is decoded, from a fragment of the same chunk; another one is asked when the
/// first is late.
Task<Result<ChunkDescription>> ChunkRead::describe(std::vector<std::uint8_t> indexes) {
  const auto calls = Calls<StoredFragment>::make(services_.scope, indexes.size());
  const BootTime began = services_.clock.now();
  std::optional<Error> error;
  for (std::size_t asked = 0;;) {
    for (std::size_t slot = 0; slot < asked; ++slot) {
      auto& reply = calls->reply(slot);
      if (reply && *reply) co_return std::move((*reply)->chunk);
      if (reply) keep_hopeful(error, reply->error());
    }
    if (asked < indexes.size()) {
      const std::uint8_t index = indexes[asked];
      calls->start(asked++,
                   describe_index(services_, places_of(place_.group, index), {name_, index}, reference_));
    } else if (calls->running() == 0 || services_.clock.now() - began >= call_limit) {
      break;
    }
    const Duration limit = asked < indexes.size() ? services_.reads.percentile_95() : call_limit;
    if (calls->running() > 0) static_cast<void>(co_await calls->next(services_.clock, limit));
  }
  if (error && says_no(error->code())) co_return fail(Errc::corrupted, "no fragment describes its chunk");
  co_return fail(Errc::unavailable, "no fragment describes its chunk in time");
}

}  // namespace kiseki::chunk::detail
