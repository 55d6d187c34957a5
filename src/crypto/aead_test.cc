#include "crypto/aead.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>

#include "base/encoding.h"
#include "crypto/detail/gcm.h"

namespace kiseki::crypto {
namespace {

Key256 key_of(std::string_view bytes) { return std::move(*Key256::copy_of(as_view(bytes))); }

template <std::size_t N>
std::array<std::byte, N> array_of(std::string_view bytes) {
  std::array<std::byte, N> out;
  EXPECT_EQ(bytes.size(), N);
  std::ranges::copy(as_view(bytes), out.begin());
  return out;
}

MutableView span_of(std::string& text) { return std::as_writable_bytes(std::span(text)); }

// Test case 16 of McGrew and Viega, "The Galois/Counter Mode of Operation": 256-bit key, 96-bit nonce.
TEST(BlockCipher, seals_the_published_case) {
  BlockCipher cipher(key_of(*hex_decode("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308")));
  const auto nonce = array_of<12>(*hex_decode("cafebabefacedbaddecaf888"));
  const std::string associated = *hex_decode("feedfacedeadbeeffeedfacedeadbeefabaddad2");
  const std::string plaintext = *hex_decode(
      "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525"
      "b16aedf5aa0de657ba637b39");
  std::string out(plaintext.size(), '\0');
  const Tag tag = cipher.seal(nonce, as_view(associated), as_view(plaintext), span_of(out));
  EXPECT_EQ(to_hex(as_view(out)),
            "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838"
            "c5f61e6393ba7a0abcc9f662");
  EXPECT_EQ(to_hex(tag), "76fc6ece0f4e1768cddf8853bb2d551b");
}

TEST(BlockCipher, opens_in_place_what_it_sealed_in_place_block_after_block) {
  SeededRng rng(1);
  BlockCipher cipher(Key256::random(rng));
  for (const std::size_t size : {0U, 1U, 15U, 16U, 4096U, 65536U}) {
    std::string text(size, 'x');
    Nonce96 nonce{};
    nonce[0] = static_cast<std::byte>(size);
    const Tag tag = cipher.seal(nonce, as_view("id"), as_view(text), span_of(text));
    ASSERT_TRUE(cipher.open(nonce, as_view("id"), as_view(text), tag, span_of(text)));
    EXPECT_EQ(text, std::string(size, 'x'));
  }
}

TEST(BlockCipher, gives_out_nothing_of_a_block_that_was_changed) {
  SeededRng rng(2);
  BlockCipher cipher(Key256::random(rng));
  const std::string plaintext(100, 'p');
  std::string sealed(100, '\0');
  const Nonce96 nonce{};
  const Tag tag = cipher.seal(nonce, as_view("id"), as_view(plaintext), span_of(sealed));
  const auto refuses = [&](View associated, std::string ciphertext, Tag with) {
    std::string out(100, '?');
    const auto opened = cipher.open(nonce, associated, as_view(ciphertext), with, span_of(out));
    return !opened && opened.error().code() == Errc::corrupted && out == std::string(100, '\0');
  };
  std::string flipped = sealed;
  flipped[99] = static_cast<char>(flipped[99] ^ 1);
  Tag other = tag;
  other[15] ^= std::byte{0x80};
  EXPECT_TRUE(refuses(as_view("id"), flipped, tag));
  EXPECT_TRUE(refuses(as_view("id"), sealed, other));
  EXPECT_TRUE(refuses(as_view("ie"), sealed, tag));
  EXPECT_TRUE(cipher.open(nonce, as_view("id"), as_view(sealed), tag, span_of(sealed)));
}

/// `text` sealed by `gcm`, and its tag behind it.
std::string sealed_by(detail::Gcm& gcm, const Nonce96& nonce, View associated, View text) {
  std::string out(text.size() + tag_size, '\0');
  const MutableView bytes = span_of(out);
  gcm.seal(nonce, associated, text, bytes.first(text.size()), bytes.last(tag_size));
  return out;
}

TEST(Gcm, of_both_libraries_is_the_same) {
  const auto wide = detail::wide_gcm(), narrow = detail::openssl_gcm();
  if (wide == nullptr) GTEST_SKIP() << "this machine has no vectors of 512 bits for AES";
  SeededRng rng(4);
  std::string text(70'000, '\0');
  rng.fill(span_of(text));
  for (int i = 0; i < 3'000; ++i) {
    const Key256 key = Key256::random(rng);
    wide->set_key(key.view());
    narrow->set_key(key.view());
    Nonce96 nonce;
    rng.fill(nonce);
    const std::size_t most = i % 10 == 0 ? 66'000 : 600;
    const View plaintext = as_view(text).subspan(rng.below(4'000), rng.below(most));
    const View associated = as_view(text).first(rng.below(80));
    const std::string sealed = sealed_by(*wide, nonce, associated, plaintext);
    ASSERT_EQ(sealed, sealed_by(*narrow, nonce, associated, plaintext));
    std::string opened = sealed.substr(0, plaintext.size());
    ASSERT_TRUE(
        wide->open(nonce, associated, as_view(opened), as_view(sealed).last(tag_size), span_of(opened)));
    ASSERT_EQ(opened, as_text(plaintext));
  }
}

TEST(Gcm, gives_out_nothing_that_was_changed) {
  SeededRng rng(5);
  for (const auto& gcm : {detail::wide_gcm(), detail::openssl_gcm()}) {
    if (gcm == nullptr) continue;
    gcm->set_key(Key256::random(rng).view());
    const Nonce96 nonce{};
    const std::string sealed = sealed_by(*gcm, nonce, as_view("id"), as_view(std::string(300, 'p')));
    for (std::size_t bit = 0; bit < sealed.size() * 8; ++bit) {
      std::string changed = sealed;
      changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << (bit % 8)));
      std::string out(300, '?');
      ASSERT_FALSE(gcm->open(nonce, as_view("id"), as_view(changed).first(300),
                             as_view(changed).last(tag_size), span_of(out)));
      ASSERT_EQ(out, std::string(300, '\0'));
    }
  }
}

// The two vectors of https://c2sp.org/XAES-256-GCM: the first with the high bit of L clear, the second with
// it set.
TEST(Record, seals_the_vectors_of_the_specification) {
  const auto nonce = array_of<24>("ABCDEFGHIJKLMNOPQRSTUVWX");
  const Sealed clear = seal_record(key_of(std::string(32, '\x01')), nonce, {}, as_view("XAES-256-GCM"));
  EXPECT_EQ(to_hex(clear.view()), "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271");
  const Sealed set = seal_record(key_of(std::string(32, '\x03')), nonce, as_view("c2sp.org/XAES-256-GCM"),
                                 as_view("XAES-256-GCM"));
  EXPECT_EQ(to_hex(set.view()), "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d");
}

std::string shake128(std::string_view input, std::size_t size) {
  std::string out(size, '\0');
  EVP_MD_CTX* const context = EVP_MD_CTX_new();
  EVP_DigestInit_ex2(context, EVP_shake128(), nullptr);
  EVP_DigestUpdate(context, input.data(), input.size());
  EVP_DigestFinalXOF(context, reinterpret_cast<unsigned char*>(out.data()), out.size());
  EVP_MD_CTX_free(context);
  return out;
}

// "Accumulated randomized tests" of the same page: inputs from SHAKE-128, ciphertexts hashed by SHAKE-128.
TEST(Record, seals_and_opens_ten_thousand_random_inputs_of_the_specification) {
  const std::string stream = shake128("", std::size_t{10'000} * (32 + 24 + 2 * 256));
  std::string_view rest = stream;
  const auto take = [&rest](std::size_t size) {
    const auto taken = rest.substr(0, size);
    rest.remove_prefix(size);
    return taken;
  };
  std::string ciphertexts;
  for (int i = 0; i < 10'000; ++i) {
    const Key256 key = key_of(take(32));
    const auto nonce = array_of<24>(take(24));
    const auto plaintext = take(static_cast<unsigned char>(take(1)[0]));
    const auto associated = take(static_cast<unsigned char>(take(1)[0]));
    const Sealed sealed = seal_record(key, nonce, as_view(associated), as_view(plaintext));
    ciphertexts += as_text(sealed.view());
    ASSERT_EQ(open_record(key, nonce, as_view(associated), sealed.view()), plaintext);
  }
  EXPECT_EQ(to_hex(as_view(shake128(ciphertexts, 32))),
            "e6b9edf2df6cec60c8cbd864e2211b597fb69a529160cd040d56c0c210081939");
}

TEST(Record, does_not_open_with_any_bit_changed_or_byte_missing) {
  SeededRng rng(3);
  const Key256 key = Key256::random(rng);
  const Nonce192 nonce = random_nonce(rng);
  const std::string sealed(as_text(seal_record(key, nonce, as_view("aad"), as_view("text")).view()));
  for (std::size_t bit = 0; bit < sealed.size() * 8; ++bit) {
    std::string changed = sealed;
    changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_EQ(open_record(key, nonce, as_view("aad"), as_view(changed)).error().code(), Errc::corrupted);
  }
  for (std::size_t size = 0; size < sealed.size(); ++size) {
    const auto opened = open_record(key, nonce, as_view("aad"), as_view(sealed).first(size));
    EXPECT_EQ(opened.error().code(), Errc::corrupted);
  }
  EXPECT_FALSE(open_record(Key256::random(rng), nonce, as_view("aad"), as_view(sealed)));
  EXPECT_FALSE(open_record(key, random_nonce(rng), as_view("aad"), as_view(sealed)));
  EXPECT_FALSE(open_record(key, nonce, as_view("aae"), as_view(sealed)));
}

}  // namespace
}  // namespace kiseki::crypto
