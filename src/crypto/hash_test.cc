#include "crypto/hash.h"

#include <gtest/gtest.h>

#include "base/encoding.h"
#include "crypto/detail/hkdf.h"

namespace kiseki::crypto {
namespace {

std::string hash_of(HashKind kind, std::string_view text, std::size_t size) {
  Hasher hasher(kind);
  hasher.update(as_view(text));
  std::string out(size, '\0');
  hasher.finish(std::as_writable_bytes(std::span(out)));
  return to_hex(as_view(out));
}

// FIPS 180-4 examples; RFC 1321 A.5; RFC 3174 7.3.
TEST(Hash, has_the_published_values) {
  EXPECT_EQ(to_hex(sha256(as_view("abc"))),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(to_hex(sha256({})), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(to_hex(md5(as_view("message digest"))), "f96b697d7cb7938d525a2f31aaf161d0");
  EXPECT_EQ(to_hex(md5({})), "d41d8cd98f00b204e9800998ecf8427e");
  EXPECT_EQ(hash_of(HashKind::sha1, "abc", 20), "a9993e364706816aba3e25717850c26c9cd0d89d");
  EXPECT_EQ(hash_of(HashKind::sha256, "abc", 32), to_hex(sha256(as_view("abc"))));
  EXPECT_EQ(hash_of(HashKind::md5, "abc", 16), "900150983cd24fb0d6963f7d28e17f72");
}

TEST(Hasher, takes_pieces_and_starts_again_after_each_digest) {
  Hasher hasher(HashKind::sha256);
  for (int round = 0; round < 2; ++round) {
    hasher.update(as_view("a"));
    hasher.update({});
    hasher.update(as_view("bc"));
    EXPECT_EQ(hasher.finish<32>(), sha256(as_view("abc")));
  }
  Hasher moved = std::move(hasher);
  EXPECT_EQ(moved.finish<32>(), sha256({}));
}

struct HmacCase {
  std::string key;
  std::string message;
  std::string digest;
};

// RFC 4231, 4.2 to 4.4, 4.7 and 4.8: short keys and keys longer than a block.
TEST(Hmac, has_the_values_of_rfc_4231) {
  const std::vector<HmacCase> cases{
      {std::string(20, '\x0b'), "Hi There",
       "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
      {"Jefe", "what do ya want for nothing?",
       "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
      {std::string(20, '\xaa'), std::string(50, '\xdd'),
       "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
      {std::string(131, '\xaa'), "Test Using Larger Than Block-Size Key - Hash Key First",
       "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
      {std::string(131, '\xaa'),
       "This is a test using a larger than block-size key and a larger than block-size data. The key needs "
       "to be "
       "hashed before being used by the HMAC algorithm.",
       "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"},
  };
  for (const HmacCase& published : cases) {
    EXPECT_EQ(to_hex(hmac_sha256(as_view(published.key), {as_view(published.message)})), published.digest);
  }
}

TEST(Hmac, is_over_the_concatenation_and_an_empty_key_is_a_key_of_its_own) {
  const View key = as_view("key");
  EXPECT_EQ(hmac_sha256(key, {as_view("ab"), {}, as_view("c")}), hmac_sha256(key, {as_view("abc")}));
  EXPECT_EQ(to_hex(hmac_sha256({}, {})), "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

struct HkdfCase {
  std::string secret;
  std::string salt;
  std::string info;
  std::string output;
};

// RFC 5869, A.1 to A.3.
TEST(Hkdf, has_the_values_of_rfc_5869) {
  const std::vector<HkdfCase> cases{
      {std::string(22, '\x0b'), *hex_decode("000102030405060708090a0b0c"),
       *hex_decode("f0f1f2f3f4f5f6f7f8f9"),
       "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"},
      {*hex_decode(
           "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f"
           "303132333435363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f"),
       *hex_decode(
           "606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f808182838485868788898a8b8c8d8e8f"
           "909192939495969798999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeaf"),
       *hex_decode(
           "b0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedf"
           "e0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff"),
       "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09da327"
       "56"
       "00c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87"},
      {std::string(22, '\x0b'), "", "",
       "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"},
  };
  for (const HkdfCase& published : cases) {
    std::string out(published.output.size() / 2, '\0');
    detail::hkdf_sha256(as_view(published.secret), as_view(published.salt), as_view(published.info),
                        std::as_writable_bytes(std::span(out)));
    EXPECT_EQ(to_hex(as_view(out)), published.output);
  }
}

TEST(Hkdf, makes_keys_that_differ_by_info) {
  const Key256 one = hkdf_sha256(as_view("secret"), {}, as_view("one"));
  EXPECT_FALSE(equal(one.view(), hkdf_sha256(as_view("secret"), {}, as_view("two")).view()));
  EXPECT_TRUE(equal(one.view(), hkdf_sha256(as_view("secret"), {}, as_view("one")).view()));
}

}  // namespace
}  // namespace kiseki::crypto
