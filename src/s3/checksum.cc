#include "s3/checksum.h"

#include "base/codec.h"
#include "base/encoding.h"
#include "crypto/checksum.h"

namespace kiseki::s3 {

namespace {

struct Names {
  std::string_view name;
  std::string_view element;
  std::size_t size;
};

const Names& names(ChecksumAlgorithm algorithm) noexcept {
  static constexpr Names crc32{"crc32", "ChecksumCRC32", 4};
  static constexpr Names crc32c{"crc32c", "ChecksumCRC32C", 4};
  static constexpr Names crc64nvme{"crc64nvme", "ChecksumCRC64NVME", 8};
  static constexpr Names sha1{"sha1", "ChecksumSHA1", 20};
  static constexpr Names sha256{"sha256", "ChecksumSHA256", 32};
  switch (algorithm) {
    case ChecksumAlgorithm::crc32:
      return crc32;
    case ChecksumAlgorithm::crc32c:
      return crc32c;
    case ChecksumAlgorithm::crc64nvme:
      return crc64nvme;
    case ChecksumAlgorithm::sha1:
      return sha1;
    case ChecksumAlgorithm::sha256:
      return sha256;
  }
  return crc32;
}

constexpr std::string_view field_prefix = "x-amz-checksum-";

char to_lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

template <std::unsigned_integral T>
std::string big_endian_base64(T value) {
  std::string bytes;
  Encoder(bytes).integer(value);
  return base64_encode(as_view(bytes));
}

}  // namespace

std::string_view name_of(ChecksumAlgorithm algorithm) noexcept { return names(algorithm).name; }
std::string field_of(ChecksumAlgorithm algorithm) {
  return std::string(field_prefix).append(name_of(algorithm));
}
std::string_view element_of(ChecksumAlgorithm algorithm) noexcept { return names(algorithm).element; }
std::string_view constant_of(ChecksumAlgorithm algorithm) noexcept {
  return element_of(algorithm).substr(std::string_view("Checksum").size());
}
std::size_t size_of(ChecksumAlgorithm algorithm) noexcept { return names(algorithm).size; }

std::optional<ChecksumAlgorithm> algorithm_of(std::string_view name) noexcept {
  for (const ChecksumAlgorithm one : checksum_algorithms) {
    if (std::ranges::equal(name_of(one), name, {}, {}, to_lower)) return one;
  }
  return std::nullopt;
}

std::optional<ChecksumAlgorithm> algorithm_of_field(std::string_view field) noexcept {
  if (!field.starts_with(field_prefix)) return std::nullopt;
  return algorithm_of(field.substr(field_prefix.size()));
}

std::optional<ChecksumAlgorithm> algorithm_of_element(std::string_view element) noexcept {
  for (const ChecksumAlgorithm one : checksum_algorithms) {
    if (element_of(one) == element) return one;
  }
  return std::nullopt;
}

std::string_view name_of(fs::ChecksumType type) noexcept {
  return type == fs::ChecksumType::composite ? "COMPOSITE" : "FULL_OBJECT";
}

Checksum::Checksum(ChecksumAlgorithm algorithm) : algorithm_(algorithm) {
  if (algorithm == ChecksumAlgorithm::sha1) hasher_.emplace(crypto::HashKind::sha1);
  if (algorithm == ChecksumAlgorithm::sha256) hasher_.emplace(crypto::HashKind::sha256);
}

void Checksum::update(View bytes) {
  switch (algorithm_) {
    case ChecksumAlgorithm::crc32:
      crc_ = crypto::crc32(bytes, static_cast<std::uint32_t>(crc_));
      return;
    case ChecksumAlgorithm::crc32c:
      crc_ = crypto::crc32c(bytes, static_cast<std::uint32_t>(crc_));
      return;
    case ChecksumAlgorithm::crc64nvme:
      crc_ = crypto::crc64nvme(bytes, crc_);
      return;
    case ChecksumAlgorithm::sha1:
    case ChecksumAlgorithm::sha256:
      hasher_->update(bytes);
      return;
  }
}

std::string Checksum::finish() {
  switch (algorithm_) {
    case ChecksumAlgorithm::crc32:
    case ChecksumAlgorithm::crc32c:
      return big_endian_base64(static_cast<std::uint32_t>(crc_));
    case ChecksumAlgorithm::crc64nvme:
      return big_endian_base64(crc_);
    case ChecksumAlgorithm::sha1:
      return base64_encode(hasher_->finish<20>());
    case ChecksumAlgorithm::sha256:
      return base64_encode(hasher_->finish<32>());
  }
  return {};
}

}  // namespace kiseki::s3
