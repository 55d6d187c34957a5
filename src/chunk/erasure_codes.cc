#include "chunk/erasure_codes.h"

#include <algorithm>
#include <array>
#include <isa-l.h>
#include <iterator>

#include "base/assert.h"

namespace kiseki::chunk {

namespace {

constexpr std::size_t fragments_max = Profile::data_max + Profile::parity_max;
// What is kept per entry: at most 32 bytes x 28 x 4. Together below 1 MiB.
constexpr std::size_t tables_max = 256;

using Matrix = std::vector<unsigned char>;

/// What stands behind the end of a short source.
constexpr std::size_t zeros_size = 65'536;
alignas(64) constinit std::array<unsigned char, zeros_size> zeros{};

template <class Fragment>
std::uint32_t set_of(std::span<const Fragment> fragments) {
  std::uint32_t set = 0;
  for (const Fragment& fragment : fragments) {
    const std::uint32_t bit = std::uint32_t{1} << fragment.index;
    KISEKI_ASSERT(fragment.index < fragments_max && set < bit);  // rising, each once
    set |= bit;
  }
  return set;
}

/// The rows of the k x k matrix that give the data fragments from these sources.
Matrix decoding(const Matrix& generator, std::size_t data, std::uint32_t sources) {
  Matrix chosen;
  for (std::size_t index = 0; index < generator.size() / data; ++index) {
    if ((sources >> index & 1) == 0) continue;
    const auto row = std::span(generator).subspan(index * data, data);
    chosen.insert(chosen.end(), row.begin(), row.end());
  }
  KISEKI_ASSERT(chosen.size() == data * data);
  Matrix inverse(chosen.size());
  const bool invertible = gf_invert_matrix(chosen.data(), inverse.data(), static_cast<int>(data)) == 0;
  KISEKI_ASSERT(invertible);  // as every square part of a Cauchy matrix below the identity is
  return inverse;
}

/// A row of the generator times the decoding matrix: a fragment from the sources.
void append_product(Matrix& out, std::span<const unsigned char> row, const Matrix& inverse) {
  for (std::size_t column = 0; column < row.size(); ++column) {
    unsigned char sum = 0;
    for (std::size_t i = 0; i < row.size(); ++i) {
      sum = static_cast<unsigned char>(sum ^ gf_mul(row[i], inverse[i * row.size() + column]));
    }
    out.push_back(sum);
  }
}

// ISA-L reads its sources through pointers to what is not const.
unsigned char* pointer_to(View bytes) {
  return const_cast<unsigned char*>(reinterpret_cast<const unsigned char*>(bytes.data()));
}

/// Up to where, from `offset` on, the same sources have bytes.
std::size_t strip_end(std::size_t offset, std::size_t size, std::span<const Source> sources) {
  std::size_t end = size;
  for (const Source& source : sources) {
    const std::size_t length = source.bytes.size();
    end = std::min(end, length > offset ? length : offset + zeros_size);
  }
  return end;
}

}  // namespace

ErasureCodes::Tables& ErasureCodes::tables_for(const Key& key) {
  if (const auto found = tables_.find(key); found != tables_.end()) return found->second;
  const std::size_t data = key.data;
  const std::size_t all = data + key.parity;
  Matrix generator(all * data);
  gf_gen_cauchy1_matrix(generator.data(), static_cast<int>(all), static_cast<int>(data));
  const Matrix inverse = decoding(generator, data, key.sources);
  Matrix rows;
  for (std::size_t index = 0; index < all; ++index) {
    if ((key.targets >> index & 1) == 0) continue;
    append_product(rows, std::span(generator).subspan(index * data, data), inverse);
  }
  const std::size_t count = rows.size() / data;
  Tables tables(32 * data * count);
  ec_init_tables(static_cast<int>(data), static_cast<int>(count), rows.data(), tables.data());
  if (tables_.size() == tables_max) tables_.clear();
  return tables_.emplace(key, std::move(tables)).first->second;
}

void ErasureCodes::compute(Profile profile, std::span<const Source> sources,
                           std::span<const Target> targets) {
  const std::uint64_t known = (std::uint64_t{1} << (profile.data + profile.parity)) - 1;
  const Fragments given = set_of(sources);
  const Fragments wanted = set_of(targets);
  KISEKI_ASSERT(sources.size() == profile.data && (given & wanted) == 0 && ((given | wanted) & ~known) == 0);
  // Those of one length together: of a chunk only its last data fragments are shorter.
  for (std::size_t i = 0; i < targets.size(); ++i) {
    const std::size_t size = targets[i].bytes.size();
    const auto same = [size](const Target& target) { return target.bytes.size() == size; };
    if (std::ranges::any_of(targets.first(i), same)) continue;
    std::vector<Target> together;
    std::ranges::copy_if(targets, std::back_inserter(together), same);
    fill(profile, sources, together);
  }
}

void ErasureCodes::fill(Profile profile, std::span<const Source> sources, std::span<const Target> targets) {
  Tables& tables = tables_for({profile.data, profile.parity, set_of(sources), set_of(targets)});
  const std::size_t size = targets.front().bytes.size();
  std::array<unsigned char*, Profile::data_max> from{};
  std::array<unsigned char*, Profile::parity_max> to{};
  for (std::size_t offset = 0; offset < size;) {
    const std::size_t end = strip_end(offset, size, sources);
    for (std::size_t i = 0; i < sources.size(); ++i) {
      const View bytes = sources[i].bytes;
      from[i] = bytes.size() > offset ? pointer_to(bytes.subspan(offset)) : zeros.data();
    }
    for (std::size_t i = 0; i < targets.size(); ++i) to[i] = pointer_to(targets[i].bytes.subspan(offset));
    ec_encode_data(static_cast<int>(end - offset), profile.data, static_cast<int>(targets.size()),
                   tables.data(), from.data(), to.data());
    offset = end;
  }
}

}  // namespace kiseki::chunk
