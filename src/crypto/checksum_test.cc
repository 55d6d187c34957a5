#include "crypto/checksum.h"

#include <gtest/gtest.h>

#include "base/rng.h"
#include "crypto/detail/crc.h"

namespace kiseki::crypto {
namespace {

// "check" of the catalogue of parametrised CRC algorithms: the value over the digits 1 to 9.
TEST(Checksum, has_the_check_values_of_the_catalogue) {
  EXPECT_EQ(crc32c(as_view("123456789")), 0xe3069283U);
  EXPECT_EQ(crc32(as_view("123456789")), 0xcbf43926U);
  EXPECT_EQ(crc64nvme(as_view("123456789")), 0xae8b14860a799888U);
  EXPECT_EQ(crc32c({}), 0U);
  EXPECT_EQ(crc64nvme({}), 0U);
}

// RFC 3720, B.4.
TEST(Checksum, has_the_values_of_iscsi) {
  std::string rising;
  for (char c = 0; c < 32; ++c) rising += c;
  EXPECT_EQ(crc32c(as_view(std::string(32, '\0'))), 0x8a9136aaU);
  EXPECT_EQ(crc32c(as_view(std::string(32, '\xff'))), 0x62a8ab43U);
  EXPECT_EQ(crc32c(as_view(rising)), 0x46dd794eU);
}

// NVM Express NVM Command Set, "64b CRC test cases": 4 KiB of zeroes and of ones.
TEST(Checksum, has_the_values_of_nvm_express) {
  EXPECT_EQ(crc64nvme(as_view(std::string(4096, '\0'))), 0x6482d367eb22b64eU);
  EXPECT_EQ(crc64nvme(as_view(std::string(4096, '\xff'))), 0xc0ddba7302eca3acU);
}

template <class C>
void compare_ways(View bytes, typename C::Word seed) {
  for (std::size_t start = 0; start < 17; ++start) {
    for (std::size_t size = 0; start + size <= bytes.size(); size += size < 300 ? 1 : 97) {
      const View piece = bytes.subspan(start, size);
      ASSERT_EQ(detail::crc_fastest<C>(seed, piece), detail::crc_portable<C>(seed, piece))
          << start << " " << size;
    }
  }
}

TEST(Checksum, is_the_same_by_tables_and_by_multiplication) {
  SeededRng rng(1);
  std::string bytes(1500, '\0');
  rng.fill(std::as_writable_bytes(std::span(bytes)));
  compare_ways<detail::Crc32c>(as_view(bytes), 0xffffffffU);
  compare_ways<detail::Crc32>(as_view(bytes), 0x12345678U);
  compare_ways<detail::Crc64Nvme>(as_view(bytes), 0xfedcba9876543210U);
}

TEST(Checksum, continues_from_the_value_over_the_first_piece) {
  SeededRng rng(2);
  std::string text(1000, '\0');
  rng.fill(std::as_writable_bytes(std::span(text)));
  const View bytes = as_view(text);
  for (const std::size_t cut : {0U, 1U, 7U, 64U, 500U, 999U, 1000U}) {
    EXPECT_EQ(crc32c(bytes.subspan(cut), crc32c(bytes.first(cut))), crc32c(bytes));
    EXPECT_EQ(crc32(bytes.subspan(cut), crc32(bytes.first(cut))), crc32(bytes));
    EXPECT_EQ(crc64nvme(bytes.subspan(cut), crc64nvme(bytes.first(cut))), crc64nvme(bytes));
  }
}

}  // namespace
}  // namespace kiseki::crypto
