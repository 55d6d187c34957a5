#include "crypto/secret.h"

#include <cstring>
#include <fmt/format.h>
#include <openssl/crypto.h>

#include "base/assert.h"
#include "crypto/detail/key_arena.h"

namespace kiseki::crypto {

Key256::Key256() : slot_(detail::KeyArena::instance().take()) {}

Key256 Key256::random(Rng& rng) {
  Key256 key;
  rng.fill(key.writable());
  return key;
}

Result<Key256> Key256::copy_of(View bytes) {
  if (bytes.size() != size) {
    return fail(Errc::invalid_argument, fmt::format("a key is {} bytes, not {}", size, bytes.size()));
  }
  Key256 key;
  std::memcpy(key.slot_, bytes.data(), size);
  return key;
}

Key256::Key256(Key256&& other) noexcept : slot_(std::exchange(other.slot_, nullptr)) {}

Key256& Key256::operator=(Key256&& other) noexcept {
  Key256 taken(std::move(other));  // what stood here dies with it
  std::swap(slot_, taken.slot_);
  return *this;
}

Key256::~Key256() {
  if (slot_ != nullptr) detail::KeyArena::instance().give_back(slot_);
}

Key256 Key256::clone() const {
  Key256 key;
  std::memcpy(key.slot_, view().data(), size);
  return key;
}

std::span<const std::byte, Key256::size> Key256::view() const noexcept {
  KISEKI_ASSERT(slot_ != nullptr);
  return std::span<const std::byte, size>(slot_, size);
}

KeyMemory key_memory() { return detail::KeyArena::instance().memory(); }

Result<> refuse_unlocked_keys() {
  auto& arena = detail::KeyArena::instance();
  arena.refuse_unlocked();
  try {
    arena.give_back(arena.take());
  } catch (const std::bad_alloc&) {
    return fail(Errc::denied, "memory of keys cannot be locked: raise RLIMIT_MEMLOCK");
  }
  return {};
}

void wipe(MutableView memory) noexcept {
  if (!memory.empty()) OPENSSL_cleanse(memory.data(), memory.size());
}

namespace {

/// A moved-from string keeps short text inside itself: the whole capacity goes. Leaves it empty.
void wipe_whole(std::string& text) noexcept {
  text.resize(text.capacity());
  wipe(std::as_writable_bytes(std::span(text)));
  text.clear();
}

}  // namespace

// Copied: a short string that is moved from keeps its bytes.
SecretText::SecretText(std::string text) : text_(text) { wipe_whole(text); }

SecretText::SecretText(SecretText&& other) noexcept : text_(std::move(other.text_)) {
  wipe_whole(other.text_);
}

SecretText& SecretText::operator=(SecretText&& other) noexcept {
  if (this == &other) return *this;
  wipe_whole(text_);
  text_ = std::move(other.text_);
  wipe_whole(other.text_);
  return *this;
}

SecretText::~SecretText() { wipe_whole(text_); }

}  // namespace kiseki::crypto
