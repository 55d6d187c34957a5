#include "crypto/hash.h"

#include "crypto/detail/openssl.h"

namespace kiseki::crypto {
namespace {

const EVP_MD* algorithm_of(HashKind kind) {
  switch (kind) {
    case HashKind::sha256:
      return detail::algorithms().sha256;
    case HashKind::md5:
      return detail::algorithms().md5;
    case HashKind::sha1:
      return detail::algorithms().sha1;
  }
  return nullptr;
}

std::size_t size_of(HashKind kind) {
  switch (kind) {
    case HashKind::sha256:
      return 32;
    case HashKind::md5:
      return 16;
    case HashKind::sha1:
      return 20;
  }
  return 0;
}

}  // namespace

struct Hasher::Context {
  explicit Context(HashKind which) : kind(which), digest(detail::digest_context(algorithm_of(which))) {}

  HashKind kind;
  detail::DigestContext digest;
};

Hasher::Hasher(HashKind kind) : context_(std::make_unique<Context>(kind)) {}
Hasher::Hasher(Hasher&&) noexcept = default;
Hasher& Hasher::operator=(Hasher&&) noexcept = default;
Hasher::~Hasher() = default;

void Hasher::update(View bytes) {
  detail::require(EVP_DigestUpdate(context_->digest.get(), bytes.data(), bytes.size()));
}

void Hasher::finish(MutableView out) {
  KISEKI_ASSERT(out.size() == size_of(context_->kind));
  EVP_MD_CTX* const digest = context_->digest.get();
  detail::require(EVP_DigestFinal_ex(digest, detail::octets(out), nullptr));
  detail::require(EVP_DigestInit_ex2(digest, nullptr, nullptr));
}

Digest256 sha256(View bytes) {
  thread_local Hasher hasher(HashKind::sha256);
  hasher.update(bytes);
  return hasher.finish<32>();
}

DigestMd5 md5(View bytes) {
  thread_local Hasher hasher(HashKind::md5);
  hasher.update(bytes);
  return hasher.finish<16>();
}

}  // namespace kiseki::crypto
