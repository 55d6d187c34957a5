#include "shard/record.h"

#include "base/assert.h"
#include "shard/rows/row_codec.h"

namespace kiseki::shard {

namespace {

constexpr std::uint8_t format = 2;
constexpr std::uint8_t root_sha256 = 1;

/// Which optional sections of the header follow; a section that holds nothing but zeros is left out.
enum Section : std::uint16_t {
  section_seal = 1 << 0,
  section_account = 1 << 1,
  section_id = 1 << 2,
  section_home = 1 << 3,
  section_type = 1 << 4,
  section_sizes = 1 << 5,
  section_retention = 1 << 6,
  section_references = 1 << 7,
  section_link = 1 << 8,
  section_guard = 1 << 9,
  section_all = (1 << 10) - 1,
};

std::uint16_t sections_of(const Record& record) {
  const auto flag = [](bool present, Section section) { return present ? section : 0U; };
  return static_cast<std::uint16_t>(
      flag(record.cipher != 0 || !record.key_epoch.is_none() || record.nonce != crypto::Nonce192{},
           section_seal) |
      flag(record.account != 0, section_account) | flag(!record.id.is_none(), section_id) |
      flag(record.home != Home{}, section_home) |
      flag(record.type != EntryType::none || record.body != Body::none, section_type) |
      flag(record.logical != 0 || record.stored != 0, section_sizes) |
      flag(record.retention != Retention{}, section_retention) |
      flag(!record.references.empty(), section_references) | flag(record.link.has_value(), section_link) |
      flag(record.guard.has_value(), section_guard));
}

void encode_reference(Encoder& out, const ChunkReference& reference) {
  write(out.raw(reference.id), reference.format).id(reference.pool);
  out.integer(reference.length).integer(root_sha256).raw(reference.root);
}

/// The fields a writer chose. `birth` is the shard's: the authenticated form has zero in its place.
void encode_header(Encoder& out, const Record& record, Stamp birth) {
  const auto sections = sections_of(record);
  out.integer(sections);
  if (sections & section_seal) out.integer(record.cipher).id(record.key_epoch).raw(record.nonce);
  if (sections & section_account) out.integer(record.account);
  if (sections & section_id) out.id(record.id);
  if (sections & section_home) out.id(record.home.container).id(record.home.leaf);
  if (sections & section_type) out.enumerator(record.type).enumerator(record.body);
  if (sections & section_sizes) out.integer(record.logical).integer(record.stored);
  if (sections & section_retention) {
    out.enumerator(record.retention.mode).integer(record.retention.until_ms);
    out.integer(static_cast<std::uint8_t>(record.retention.legal_hold));
  }
  if (sections & section_references) {
    out.integer(static_cast<std::uint16_t>(record.references.size()));
    for (const auto& reference : record.references) encode_reference(out, reference);
  }
  if (const auto& link = record.link) {
    out.id(link->parent).id(link->leaf).raw(link->token);
    out.integer(static_cast<std::uint8_t>(link->is_explicit));
  }
  if (const auto& guard = record.guard) out.id(birth).id(guard->origin).id(guard->right);
}

template <std::size_t N>
void read_array(Decoder& in, std::array<std::byte, N>& into) {
  if (const View bytes = in.raw(N); bytes.size() == N) std::ranges::copy(bytes, into.begin());
}

bool read_flag(Decoder& in) {
  const auto value = in.integer<std::uint8_t>();
  if (value > 1) in.reject();
  return value == 1;
}

template <class E>
E read_enumerator(Decoder& in, E last) {
  const auto value = in.integer<std::uint8_t>();
  if (value > static_cast<std::uint8_t>(last)) in.reject();
  return static_cast<E>(value);
}

ChunkReference decode_reference(Decoder& in) {
  ChunkReference reference;
  read_array(in, reference.id);
  reference.format = read_chunk_format(in);
  reference.pool = in.id<PoolId>();
  reference.length = in.integer<std::uint32_t>();
  const auto algorithm = in.integer<std::uint8_t>();
  read_array(in, reference.root);
  if (algorithm != root_sha256 || reference.length == 0) in.reject();
  return reference;
}

void decode_references(Decoder& in, Record& record) {
  const auto count = in.integer<std::uint16_t>();
  if (count > Record::references_max) in.reject();
  for (std::size_t i = 0; i < count && !in.failed(); ++i) record.references.push_back(decode_reference(in));
}

void decode_rows_of_directories(Decoder& in, std::uint16_t sections, Record& record) {
  if (sections & section_link) {
    auto& link = record.link.emplace();
    link.parent = in.id<InodeId>();
    link.leaf = in.id<LeafId>();
    read_array(in, link.token);
    link.is_explicit = read_flag(in);
  }
  if (sections & section_guard) {
    auto& guard = record.guard.emplace();
    guard.birth = in.id<Stamp>();
    guard.origin = in.id<LeafId>();
    guard.right = in.id<LeafId>();
  }
}

void read_header(Decoder& in, Record& record) {
  const auto sections = in.integer<std::uint16_t>();
  if (sections & ~section_all) in.reject();
  if (sections & section_seal) {
    record.cipher = in.integer<std::uint8_t>();
    if (record.cipher > 1) in.reject();
    record.key_epoch = in.id<KeyEpoch>();
    read_array(in, record.nonce);
  }
  if (sections & section_account) record.account = in.integer<std::uint64_t>();
  if (sections & section_id) record.id = in.id<InodeId>();
  if (sections & section_home) {
    record.home.container = in.id<InodeId>();
    record.home.leaf = in.id<LeafId>();
  }
  if (sections & section_type) {
    record.type = read_enumerator(in, EntryType::upload);
    record.body = read_enumerator(in, Body::pages);
  }
  if (sections & section_sizes) {
    record.logical = in.integer<std::uint64_t>();
    record.stored = in.integer<std::uint64_t>();
  }
  if (sections & section_retention) {
    record.retention.mode = read_enumerator(in, Retention::Mode::compliance);
    record.retention.until_ms = in.integer<std::uint64_t>();
    record.retention.legal_hold = read_flag(in);
  }
  if (sections & section_references) decode_references(in, record);
  decode_rows_of_directories(in, sections, record);
  // One record, one encoding.
  if (sections_of(record) != sections) in.reject();
}

/// All but the value, whose bytes are given out.
Result<Record> read(View bytes, View& value) {
  if (bytes.size() > Record::size_max) return fail(Errc::corrupted, "record: too large");
  auto begun = detail::begin_value(bytes, format, "record");
  if (!begun) return fail(std::move(begun).error());
  Decoder& in = *begun;
  Record record;
  record.version = in.id<Stamp>();
  record.change = in.integer<std::uint64_t>();
  read_header(in, record);
  value = in.rest();
  KISEKI_TRY(in.finish("record"));
  return record;
}

}  // namespace

std::string Record::encode() const {
  KISEKI_ASSERT(references.size() <= references_max);
  std::string bytes;
  bytes.reserve(128 + references.size() * 77 + value.view().size());
  Encoder out(bytes);
  out.integer(format).id(version).integer(change);
  encode_header(out, *this, guard ? guard->birth : Stamp{});
  out.raw(value.view());
  return bytes;
}

Bytes Record::encoded_size() const {
  std::string header;
  Encoder out(header);
  out.integer(format).id(version).integer(change);
  encode_header(out, *this, Stamp{});
  return header.size() + value.view().size();
}

Result<Record> Record::decode(View bytes) {
  View value;
  auto record = read(bytes, value);
  if (record) record->value = crypto::Sealed::from_store(std::string(as_text(value)));
  return record;
}

Result<Record> Record::decode_header(View bytes) {
  View value;
  return read(bytes, value);
}

std::string associated_data(const Key& key, const Record& record) {
  std::string bytes;
  bytes.reserve(160);  // of most rows
  Encoder out(bytes);
  out.integer(format).id(key.leaf.ns).id(key.leaf.container).enumerator(key.kind);
  if (key.kind == Kind::guard || key.kind == Kind::index_page) out.id(key.leaf.leaf);
  out.sized(as_view(key.item));
  encode_header(out, record, Stamp{});
  return bytes;
}

}  // namespace kiseki::shard
