#include "fs/bodies/piece.h"

#include <cstring>

#include <boost/asio/post.hpp>

#include "base/assert.h"
#include "base/codec.h"

namespace kiseki::fs::detail {

namespace {

/// A round that raises the epoch deletes nothing put in the epoch before: this is far less than a round.
constexpr Duration hold_interval = std::chrono::milliseconds(250);

std::string format_bytes(ChunkFormat format) {
  std::string out;
  Encoder encoder(out);
  write(encoder, format);
  return out;
}

ChunkId convergent_id(const keys::NamespaceKeys& keys, ChunkFormat format, KeyEpoch epoch,
                      const crypto::Digest256& digest) {
  std::string head = format_bytes(format);
  Encoder(head).id(epoch);
  return crypto::hmac_sha256(keys.chunk_id_key().view(), {as_view(head), digest});
}

/// The cipher and the associated data of one chunk.
struct Blocks {
  crypto::BlockCipher cipher;
  std::string associated;
  Bytes block;

  static Result<Blocks> of(const keys::NamespaceKeys& keys, KeyEpoch epoch, const ChunkId& id,
                           ChunkFormat format, Bytes length) {
    if (!format.is_known()) return fail(Errc::wrong_format, "chunk of an unknown format");
    const auto secrets = keys.epoch(epoch);
    if (!secrets) return fail(secrets.error());
    std::string name(as_text(id));
    name += format_bytes(format);
    crypto::BlockCipher cipher(crypto::hkdf_sha256((*secrets)->data.view(), {}, as_view(name)));
    Encoder(name).integer(static_cast<std::uint32_t>(chunk::block_count(format, length)));
    return Blocks{std::move(cipher), std::move(name), chunk::block_size(format)};
  }

  static crypto::Nonce96 nonce(std::size_t number) {
    crypto::Nonce96 out{};
    std::string bytes;
    Encoder(bytes).integer(static_cast<std::uint64_t>(number));
    std::memcpy(out.data() + 4, bytes.data(), bytes.size());
    return out;
  }
};

/// Of blocks from `first` on.
class BlockOpener final : public Stretch::Opener {
 public:
  BlockOpener(Blocks blocks, std::size_t first, std::vector<crypto::Tag> tags)
      : blocks_(std::move(blocks)), first_(first), tags_(std::move(tags)) {}

  Result<Bytes> open(MutableView bytes, Bytes from, Bytes until) override {
    while (from < until) {
      const std::size_t i = from / blocks_.block;
      const MutableView block = bytes.subspan(from, std::min(blocks_.block, bytes.size() - from));
      KISEKI_TRY(blocks_.cipher.open(Blocks::nonce(first_ + i), as_view(blocks_.associated), block, tags_[i],
                                     block));
      from += block.size();
    }
    return from;
  }

 private:
  Blocks blocks_;
  std::size_t first_;
  std::vector<crypto::Tag> tags_;
};

}  // namespace

Task<> yield_to(Executor executor) { co_await asio::post(executor, use_task); }

Task<Result<chunk::SealedChunkPtr>> PieceStore::seal(KeysPtr keys, KeyEpoch epoch, chunk::SealedChunk chunk,
                                                     Buffer body) {
  const Bytes length = body.size();
  auto blocks = Blocks::of(*keys, epoch, chunk.name.id, chunk.format, length);
  if (!blocks) co_return fail(blocks.error());
  chunk.tags.reserve(chunk::block_count(chunk.format, length));
  for (Bytes at = 0; at < length; at += blocks->block) {
    if (at > 0 && at % slice_size == 0) co_await yield_to(services_.executor);
    const MutableView block = body.span().subspan(at, std::min(blocks->block, length - at));
    chunk.tags.push_back(
        blocks->cipher.seal(Blocks::nonce(chunk.tags.size()), as_view(blocks->associated), block, block));
  }
  chunk.ciphertext = std::move(body);
  co_return std::make_shared<const chunk::SealedChunk>(std::move(chunk));
}

Task<Result<PieceStore::Stored>> PieceStore::put(KeysPtr keys, Buffer body, crypto::Digest256 digest) {
  KISEKI_ASSERT(!body.empty() && body.size() <= piece_size_max);
  const KeyEpoch epoch = keys->current();
  const auto profile = services_.chunks->profile(chunk::default_pool);
  if (!profile) co_return fail(profile.error());
  chunk::SealedChunk chunk;
  chunk.format = chunk::format_for(*profile, body.size());
  chunk.name = {convergent_id(*keys, chunk.format, epoch, digest), keys->ns(), chunk::default_pool};
  auto sealed = co_await seal(keys, epoch, std::move(chunk), std::move(body));
  if (!sealed) co_return fail(sealed.error());
  auto reply = co_await services_.chunks->put(*sealed);
  if (!reply) co_return fail(reply.error());
  if (reply->put == chunk::Put::conflict) {
    co_return co_await put_privately(std::move(keys), epoch, *std::move(sealed));
  }
  co_return Stored{Piece{chunk::reference_to(**sealed), epoch}, reply->epoch};
}

/// Somebody put another ciphertext under the id of this content: the copy goes under an id nobody can
/// foresee.
Task<Result<PieceStore::Stored>> PieceStore::put_privately(KeysPtr keys, KeyEpoch epoch,
                                                           chunk::SealedChunkPtr taken) {
  Buffer body = Buffer::copy_of(taken->ciphertext.view());
  auto blocks = Blocks::of(*keys, epoch, taken->name.id, taken->format, body.size());
  if (!blocks) co_return fail(blocks.error());
  KISEKI_CO_TRY(BlockOpener(*std::move(blocks), 0, taken->tags).open(body.span(), 0, body.size()));
  chunk::SealedChunk chunk;
  chunk.format = taken->format;
  chunk.name = taken->name;
  services_.rng->fill(chunk.name.id);
  auto sealed = co_await seal(std::move(keys), epoch, std::move(chunk), std::move(body));
  if (!sealed) co_return fail(sealed.error());
  auto reply = co_await services_.chunks->put(*sealed);
  if (!reply) co_return fail(reply.error());
  if (reply->put == chunk::Put::conflict) co_return fail(Errc::io_error, "a random chunk id is taken");
  co_return Stored{Piece{chunk::reference_to(**sealed), epoch}, reply->epoch};
}

std::shared_ptr<PieceStore::Outcome> PieceStore::start_put(KeysPtr keys, Buffer body,
                                                           crypto::Digest256 digest,
                                                           MemoryBudget::Permit permit,
                                                           std::shared_ptr<Hold> hold) {
  // Of the caller, which may give up, and of the put, which runs to its end.
  auto outcome = std::make_shared<Outcome>();
  auto put_beside = [](PieceStore& store, KeysPtr key, Buffer bytes, crypto::Digest256 sum,
                       MemoryBudget::Permit held, std::shared_ptr<Outcome> into,
                       std::shared_ptr<Hold> holder) -> Task<> {
    auto stored = co_await store.put(std::move(key), std::move(bytes), sum);
    if (stored) holder->add(stored->piece.reference, stored->epoch);
    held.release();
    into->set(std::move(stored));
  };
  background_.spawn(put_beside(*this, std::move(keys), std::move(body), digest, std::move(permit), outcome,
                               std::move(hold)));
  return outcome;
}

Task<Result<chunk::Blocks>> PieceStore::fetch(NamespaceId ns, ChunkReference reference,
                                              chunk::BlockRange range) {
  const Bytes block = chunk::block_size(reference.format);
  auto blocks = co_await services_.chunks->read(ns, reference, range);
  if (!blocks) co_return fail(blocks.error());
  const Bytes end = std::min<Bytes>((range.first + range.count) * block, reference.length);
  if (blocks->tags.size() != range.count || blocks->ciphertext.size() != end - range.first * block) {
    co_return fail(Errc::corrupted, "a chunk of another length than its reference");
  }
  const bool whole = range.count == chunk::block_count(reference.format, reference.length);
  if (whole && chunk::root_of(reference.format, reference.length, blocks->tags) != reference.root) {
    co_return fail(Errc::corrupted, "a chunk with another root than its reference");
  }
  co_return std::move(blocks);
}

Task<Result<Stretch>> PieceStore::read(KeysPtr keys, Piece piece, Bytes offset, Bytes length) {
  const ChunkReference& reference = piece.reference;
  KISEKI_ASSERT(length > 0 && offset + length <= reference.length);
  const Bytes block = chunk::block_size(reference.format);
  if (block == 0) co_return fail(Errc::wrong_format, "chunk of an unknown codec");
  const std::size_t first = offset / block;
  const std::size_t count = (offset + length - 1) / block + 1 - first;
  auto opening = Blocks::of(*keys, piece.key_epoch, reference.id, reference.format, reference.length);
  if (!opening) co_return fail(std::move(opening).error().in("read a piece"));
  auto blocks = co_await fetch(keys->ns(), reference, {first, count});
  if (!blocks) co_return fail(std::move(blocks).error().in("read a piece"));
  co_return Stretch(std::move(blocks->ciphertext),
                    std::make_unique<BlockOpener>(*std::move(opening), first, std::move(blocks->tags)),
                    offset - first * block, length);
}

Task<Result<GcEpoch>> PieceStore::touch(NamespaceId ns, Piece piece) {
  auto epoch = co_await services_.chunks->touch(ns, piece.reference);
  if (!epoch && epoch.error().code() == Errc::not_found) {
    co_return fail(Errc::unavailable,
                   "a piece was put so long ago that it was collected; send the body again");
  }
  if (!epoch) co_return fail(std::move(epoch).error().in("touch a piece"));
  co_return *epoch;
}

void Hold::replace(const std::vector<Piece>& pieces) {
  held_.clear();
  for (const Piece& piece : pieces) held_.push_back({piece.reference, GcEpoch{}});
}

std::shared_ptr<Hold> PieceStore::hold(NamespaceId ns) {
  // Of the work that holds, and for a moment of the renewal.
  auto hold = std::make_shared<Hold>(ns);
  holds_.push_back(hold);
  if (!std::exchange(renewing_, true)) background_.spawn(renew_holds());
  return hold;
}

Task<> PieceStore::renew_holds() {
  while (!holds_.empty() && co_await background_.sleep(*services_.clock, hold_interval)) {
    const auto epoch = co_await services_.chunks->epoch();
    if (!epoch) continue;
    for (std::size_t i = 0; i < holds_.size() && !background_.stopping(); ++i) {
      if (auto hold = holds_[i].lock()) co_await renew(std::move(hold), *epoch);
    }
    std::erase_if(holds_, [](const std::weak_ptr<Hold>& hold) { return hold.expired(); });
  }
  renewing_ = false;
}

/// What has gone shows when it is needed; what could not be touched now is touched at the next look.
Task<> PieceStore::renew(std::shared_ptr<Hold> hold, GcEpoch epoch) {
  for (std::size_t i = 0; i < hold->held_.size() && !background_.stopping(); ++i) {
    if (hold->held_[i].epoch >= epoch) continue;
    const ChunkReference reference = hold->held_[i].reference;
    const auto touched = co_await services_.chunks->touch(hold->ns_, reference);
    const bool is_lost = !touched && touched.error().code() == Errc::not_found;
    if (!touched && !is_lost) continue;
    const bool is_same = i < hold->held_.size() && hold->held_[i].reference == reference;
    if (is_same) hold->held_[i].epoch = epoch;
  }
}

}  // namespace kiseki::fs::detail
