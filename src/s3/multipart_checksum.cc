#include "s3/multipart_checksum.h"

#include <fmt/format.h>

#include "base/codec.h"
#include "base/encoding.h"

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

S3Result<> check_parts(const CompleteRequest& request, const UploadChecksum& upload,
                       const std::vector<PartChecksum>& kept) {
  for (std::size_t i = 0; i < request.parts.size(); ++i) {
    const CompleteRequest::Part& part = request.parts[i];
    for (const auto& [name, value] : part.checksums) {
      const bool is_kept = kept[i].algorithm && name_of(*kept[i].algorithm) == name;
      if (is_kept ? kept[i].value == value : !upload.named) continue;
      return refuse(S3Error{
          S3Code::invalid_part, {}, {{"PartNumber", fmt::format("{}", part.number)}, {"ETag", part.etag}}});
    }
  }
  return {};
}

S3Result<> check_size(const HttpHead& head, const std::vector<PartChecksum>& kept) {
  const auto field = head.find(size_field);
  if (!field) return {};
  Bytes sum = 0;
  for (const PartChecksum& part : kept) sum += part.size;
  if (parse_decimal<Bytes>(*field) == sum) return {};
  return refuse(S3Code::invalid_request,
                fmt::format("The provided 'x-amz-mp-object-size' header value {} does not match what was "
                            "computed: {}.",
                            *field, sum));
}

S3Result<> check_type(const HttpHead& head, const UploadChecksum& upload) {
  const auto type = head.find("x-amz-checksum-type");
  if (!type || *type == name_of(upload.type)) return {};
  return refuse(S3Code::bad_digest,
                fmt::format("The checksum type {} that you specified is not that of the upload: {}.", *type,
                            name_of(upload.type)));
}

/// Of the whole that the client claims to have sent. It may leave the number of parts to the server.
S3Result<> check_whole(const HttpHead& head, ChecksumAlgorithm computed_by, std::string_view computed) {
  for (const ChecksumAlgorithm algorithm : checksum_algorithms) {
    const auto claimed = head.find(field_of(algorithm));
    if (!claimed) continue;
    if (algorithm != computed_by) {
      return refuse(
          S3Code::invalid_request,
          fmt::format("The upload was created using the {} checksum algorithm; the whole cannot have "
                      "a checksum of another.",
                      name_of(computed_by)));
    }
    if (computed == *claimed || computed.substr(0, computed.find('-')) == *claimed) continue;
    return refuse(S3Error{
        S3Code::bad_digest,
        fmt::format("The {} you specified did not match the calculated checksum.", name_of(algorithm)),
        {{"ExpectedDigest", std::string(*claimed)}, {"CalculatedDigest", std::string(computed)}}});
  }
  return {};
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

S3Result<UploadChecksum> requested_checksum(const HttpHead& head) {
  const auto name = head.find("x-amz-checksum-algorithm");
  const auto type = head.find("x-amz-checksum-type");
  if (!name) {
    return !type ? S3Result<UploadChecksum>(UploadChecksum{})
                 : refuse(S3Code::invalid_request,
                          "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm "
                          "header.");
  }
  const auto algorithm = algorithm_of(*name);
  if (!algorithm) {
    return refuse(S3Code::invalid_request,
                  "Checksum algorithm provided is unsupported. Please try again with any of the valid types: "
                  "[CRC32, CRC32C, CRC64NVME, SHA1, SHA256]");
  }
  const bool is_crc = polynomial_of(*algorithm).has_value();
  const bool composes = *algorithm != ChecksumAlgorithm::crc64nvme;
  UploadChecksum checksum{*algorithm, composes ? fs::ChecksumType::composite : fs::ChecksumType::full_object,
                          true};
  if (!type) return checksum;
  checksum.type = *type == "COMPOSITE" ? fs::ChecksumType::composite : fs::ChecksumType::full_object;
  const bool fits =
      checksum.type == fs::ChecksumType::composite ? composes : *type == "FULL_OBJECT" && is_crc;
  if (fits) return checksum;
  return refuse(S3Code::invalid_request,
                fmt::format("The {} checksum type cannot be used with the {} checksum algorithm.", *type,
                            constant_of(*algorithm)));
}

void keep(const UploadChecksum& checksum, fs::Properties& properties) {
  if (!checksum.named) return;
  properties.checksums = {{std::string(name_of(checksum.algorithm)), {}}};
  properties.checksum_type = checksum.type;
}

UploadChecksum kept_checksum(const fs::Properties& properties) {
  if (properties.checksums.empty()) return {};
  return {algorithm_of(properties.checksums.front().first).value_or(ChecksumAlgorithm::crc64nvme),
          properties.checksum_type, true};
}

S3Result<> check_part_algorithm(const UploadChecksum& upload, std::optional<ChecksumAlgorithm> sent) {
  if (!upload.named) return {};  // what is sent is checked, and CRC64NVME kept
  if (sent ? *sent == upload.algorithm : upload.type == fs::ChecksumType::full_object) return {};
  return refuse(
      S3Code::invalid_request,
      fmt::format("Checksum Type mismatch occurred, expected checksum Type: {}, actual checksum Type: "
                  "{}",
                  name_of(upload.algorithm), sent ? name_of(*sent) : "null"));
}

S3Result<WholeChecksum> checksum_of_whole(const HttpHead& head, const CompleteRequest& request,
                                          const UploadChecksum& upload,
                                          const std::vector<PartChecksum>& kept) {
  KISEKI_S3_TRY(check_type(head, upload));
  KISEKI_S3_TRY(check_parts(request, upload, kept));
  KISEKI_S3_TRY(check_size(head, kept));
  auto whole = upload.type == fs::ChecksumType::composite ? composite_checksum(upload.algorithm, kept)
                                                          : full_object_checksum(upload.algorithm, kept);
  if (!whole) return refuse(S3Code::internal_error, "A part was kept without the checksum of its upload.");
  KISEKI_S3_TRY(check_whole(head, upload.algorithm, *whole));
  return WholeChecksum{{{std::string(name_of(upload.algorithm)), *std::move(whole)}}, upload.type};
}

}  // namespace kiseki::s3
