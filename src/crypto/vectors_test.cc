#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <sstream>

#include "base/encoding.h"
#include "crypto/aead.h"
#include "crypto/detail/hkdf.h"
#include "crypto/hash.h"

// Runs the lines that tests/vectors/dump writes; their format is in tests/vectors/README.md.

namespace kiseki::crypto {
namespace {

struct Line {
  std::string kind;
  bool valid = false;
  std::vector<std::string> fields;
};

Line parse(const std::string& text) {
  std::istringstream words(text);
  Line line;
  std::string word;
  words >> line.kind >> word;
  line.valid = word == "valid";
  EXPECT_TRUE(line.valid || word == "invalid") << text;
  while (words >> word) line.fields.push_back(word == "-" ? "" : *hex_decode(word));
  return line;
}

/// Whether the last field belongs to the others.
bool aes_gcm_holds(const Line& line) {
  const auto& [key, nonce_bytes, associated, plaintext, ciphertext, tag_bytes] = std::tie(
      line.fields[0], line.fields[1], line.fields[2], line.fields[3], line.fields[4], line.fields[5]);
  BlockCipher cipher(*Key256::copy_of(as_view(key)));
  Nonce96 nonce;
  Tag tag;
  if (nonce_bytes.size() != nonce.size() || tag_bytes.size() != tag.size()) {
    ADD_FAILURE() << "a nonce is 12 bytes and a tag 16";
    return false;
  }
  std::ranges::copy(as_view(nonce_bytes), nonce.begin());
  std::ranges::copy(as_view(tag_bytes), tag.begin());
  std::string out(ciphertext.size(), '\0');
  const auto space = std::as_writable_bytes(std::span(out));
  if (!cipher.open(nonce, as_view(associated), as_view(ciphertext), tag, space)) return false;
  EXPECT_EQ(out, plaintext);
  EXPECT_EQ(cipher.seal(nonce, as_view(associated), as_view(plaintext), space), tag);
  EXPECT_EQ(out, ciphertext);
  return true;
}

bool hkdf_holds(const Line& line) {
  std::string out(line.fields[3].size(), '\0');
  detail::hkdf_sha256(as_view(line.fields[0]), as_view(line.fields[1]), as_view(line.fields[2]),
                      std::as_writable_bytes(std::span(out)));
  return out == line.fields[3];
}

bool hmac_holds(const Line& line) {
  const Digest256 digest = hmac_sha256(as_view(line.fields[0]), {as_view(line.fields[1])});
  EXPECT_GE(line.fields[2].size(), 16U);
  return as_text(digest).starts_with(line.fields[2]);
}

bool sha256_holds(const Line& line) { return as_text(sha256(as_view(line.fields[0]))) == line.fields[1]; }

struct Check {
  std::size_t fields;
  bool (*holds)(const Line&);
  std::size_t lines_min;  // a dump that lost its content must not pass
};

const std::map<std::string, Check>& checks() {
  static const std::map<std::string, Check> all{
      {"aes-256-gcm", {6, aes_gcm_holds, 700}},
      {"hkdf-sha256", {4, hkdf_holds, 50}},
      {"hmac-sha256", {3, hmac_holds, 100}},
      {"sha256", {2, sha256_holds, 100}},
  };
  return all;
}

void run_file(const std::filesystem::path& path, std::map<std::string, std::size_t>& counts) {
  std::ifstream file(path);
  std::string text;
  for (std::size_t number = 1; std::getline(file, text); ++number) {
    SCOPED_TRACE(path.filename().native() + ":" + std::to_string(number));
    const Line line = parse(text);
    const auto check = checks().find(line.kind);
    ASSERT_NE(check, checks().end()) << text;
    ASSERT_EQ(line.fields.size(), check->second.fields) << text;
    EXPECT_EQ(check->second.holds(line), line.valid) << text;
    ++counts[line.kind];
  }
}

TEST(Vectors, of_the_registry_packages_hold) {
  const char* const folder = std::getenv("KISEKI_VECTORS");
  if (folder == nullptr) {
    GTEST_SKIP() << "KISEKI_VECTORS names no folder; tests/vectors/dump makes one from registry packages";
  }
  std::map<std::string, std::size_t> counts;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() == ".txt") run_file(entry.path(), counts);
  }
  for (const auto& [kind, check] : checks()) EXPECT_GE(counts[kind], check.lines_min) << kind;
}

}  // namespace
}  // namespace kiseki::crypto
