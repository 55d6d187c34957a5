#include "s3/multipart_checksum.h"

#include <charconv>
#include <fmt/format.h>

#include "base/codec.h"

namespace kiseki::s3 {

namespace {

constexpr std::string_view size_field = "x-amz-mp-object-size";

/// A reflected CRC's polynomial, and its number of bits.
struct Polynomial {
  std::uint64_t value;
  unsigned bits;
};

std::optional<Polynomial> polynomial_of(ChecksumAlgorithm algorithm) noexcept {
  switch (algorithm) {
    case ChecksumAlgorithm::crc32:
      return Polynomial{0xedb88320U, 32};
    case ChecksumAlgorithm::crc32c:
      return Polynomial{0x82f63b78U, 32};
    case ChecksumAlgorithm::crc64nvme:
      return Polynomial{0x9a6c9329ac4bc9b5U, 64};
    case ChecksumAlgorithm::sha1:
    case ChecksumAlgorithm::sha256:
      return std::nullopt;
  }
  return std::nullopt;
}

/// a · b modulo the polynomial; the highest bit stands for x^0.
std::uint64_t multiply(std::uint64_t a, std::uint64_t b, Polynomial polynomial) noexcept {
  std::uint64_t product = 0;
  for (std::uint64_t bit = std::uint64_t{1} << (polynomial.bits - 1); bit != 0; bit >>= 1) {
    if ((a & bit) != 0) product ^= b;
    b = (b & 1U) != 0 ? (b >> 1) ^ polynomial.value : b >> 1;
  }
  return product;
}

/// x^(8 · bytes) modulo the polynomial.
std::uint64_t shift_by(Bytes bytes, Polynomial polynomial) noexcept {
  std::uint64_t result = std::uint64_t{1} << (polynomial.bits - 1);     // x^0
  std::uint64_t power = std::uint64_t{1} << (polynomial.bits - 1 - 8);  // x^8
  for (; bytes != 0; bytes >>= 1) {
    if ((bytes & 1U) != 0) result = multiply(result, power, polynomial);
    power = multiply(power, power, polynomial);
  }
  return result;
}

std::optional<std::uint64_t> crc_value(const PartChecksum& part, ChecksumAlgorithm algorithm) {
  if (part.algorithm != algorithm) return std::nullopt;
  const auto bytes = base64_decode(part.value);
  if (!bytes || bytes->size() != size_of(algorithm)) return std::nullopt;
  Decoder in(as_view(*bytes));
  return bytes->size() == 4 ? in.integer<std::uint32_t>() : in.integer<std::uint64_t>();
}

std::string crc_text(std::uint64_t value, ChecksumAlgorithm algorithm) {
  std::string bytes;
  if (size_of(algorithm) == 4) {
    Encoder(bytes).integer(static_cast<std::uint32_t>(value));
  } else {
    Encoder(bytes).integer(value);
  }
  return base64_encode(as_view(bytes));
}

S3Result<> check_parts(const CompleteRequest& request, const std::vector<PartChecksum>& kept) {
  for (std::size_t i = 0; i < request.parts.size(); ++i) {
    for (const auto& [name, value] : request.parts[i].checksums) {
      const bool same = kept[i].algorithm && name_of(*kept[i].algorithm) == name && kept[i].value == value;
      if (!same)
        return refuse(
            S3Error{S3Code::invalid_part, {}, {{"PartNumber", fmt::format("{}", request.parts[i].number)}}});
    }
  }
  return {};
}

S3Result<> check_size(const HttpHead& head, const std::vector<PartChecksum>& kept) {
  const auto field = head.find(size_field);
  if (!field) return {};
  Bytes sum = 0;
  for (const PartChecksum& part : kept) sum += part.size;
  Bytes claimed = 0;
  const auto [end, error] = std::from_chars(field->data(), field->data() + field->size(), claimed);
  if (error == std::errc{} && end == field->data() + field->size() && claimed == sum) return {};
  return refuse(S3Code::invalid_request,
                "The provided 'x-amz-mp-object-size' header does not match what was computed.");
}

S3Result<std::string> check_whole(const HttpHead& head, ChecksumAlgorithm algorithm, std::string_view claimed,
                                  const std::vector<PartChecksum>& kept) {
  const bool composite = head.get("x-amz-checksum-type") == "COMPOSITE" || claimed.find('-') != claimed.npos;
  const auto computed =
      composite ? composite_checksum(algorithm, kept) : full_object_checksum(algorithm, kept);
  if (!computed) {
    return refuse(S3Code::invalid_request,
                  "The parts were uploaded without the checksum that the whole is claimed to have.");
  }
  // A client may leave the number of parts to the server.
  if (*computed == claimed || (composite && computed->substr(0, computed->find('-')) == claimed))
    return *computed;
  return refuse(S3Code::bad_digest);
}

}  // namespace

std::uint64_t combine_crc(ChecksumAlgorithm algorithm, std::uint64_t first, std::uint64_t second,
                          Bytes second_length) {
  const Polynomial polynomial = polynomial_of(algorithm).value();
  return multiply(shift_by(second_length, polynomial), first, polynomial) ^ second;
}

std::optional<std::string> full_object_checksum(ChecksumAlgorithm algorithm,
                                                const std::vector<PartChecksum>& parts) {
  if (!polynomial_of(algorithm)) return std::nullopt;
  std::uint64_t whole = 0;
  for (const PartChecksum& part : parts) {
    const auto value = crc_value(part, algorithm);
    if (!value) return std::nullopt;
    whole = combine_crc(algorithm, whole, *value, part.size);
  }
  return crc_text(whole, algorithm);
}

std::optional<std::string> composite_checksum(ChecksumAlgorithm algorithm,
                                              const std::vector<PartChecksum>& parts) {
  Checksum whole(algorithm);
  for (const PartChecksum& part : parts) {
    const auto bytes = base64_decode(part.value);
    if (part.algorithm != algorithm || !bytes) return std::nullopt;
    whole.update(as_view(*bytes));
  }
  return fmt::format("{}-{}", whole.finish(), parts.size());
}

bool has_claims(const HttpHead& head, const CompleteRequest& request) {
  if (head.find(size_field)) return true;
  for (const ChecksumAlgorithm algorithm : checksum_algorithms) {
    if (head.find(field_of(algorithm))) return true;
  }
  return std::ranges::any_of(request.parts,
                             [](const CompleteRequest::Part& part) { return !part.checksums.empty(); });
}

S3Result<std::vector<std::pair<std::string, std::string>>> check_claims(
    const HttpHead& head, const CompleteRequest& request, const std::vector<PartChecksum>& kept) {
  KISEKI_S3_TRY(check_parts(request, kept));
  KISEKI_S3_TRY(check_size(head, kept));
  std::vector<std::pair<std::string, std::string>> checksums;
  for (const ChecksumAlgorithm algorithm : checksum_algorithms) {
    const auto field = head.find(field_of(algorithm));
    if (!field) continue;
    auto whole = check_whole(head, algorithm, *field, kept);
    if (!whole) return refuse(std::move(whole).error());
    checksums.emplace_back(name_of(algorithm), std::move(*whole));
  }
  return checksums;
}

}  // namespace kiseki::s3
