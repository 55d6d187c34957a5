#include "bench/codes.h"

#include <chrono>
#include <cstring>
#include <fmt/format.h>
#include <isa-l.h>
#include <vector>

#include "base/units.h"
#include "chunk/erasure_codes.h"

namespace kiseki::bench {

namespace {

using chunk::ErasureCodes;
using chunk::Source;
using chunk::Target;

/// Bytes of data a second, the best of several runs.
template <class Run>
double gigabytes_per_second(Bytes length, Run run) {
  constexpr Bytes bytes_a_round = 256_MiB;
  double best = 0;
  for (int round = 0; round < 5; ++round) {
    const auto began = std::chrono::steady_clock::now();
    for (Bytes done = 0; done < bytes_a_round; done += length) run();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
    best = std::max(best, static_cast<double>(bytes_a_round) / took.count() / 1e9);
  }
  return best;
}

/// A chunk whose first `lost` fragments are computed, or whose parity is.
class Work {
 public:
  Work(Profile profile, Bytes length) : profile_(profile), fragment_(length / profile.data) {
    const std::size_t all = profile.data + profile.parity;
    for (std::size_t i = 0; i < all; ++i) {
      memory_.emplace_back(fragment_);
      std::memset(memory_.back().data(), static_cast<int>(i + 1), fragment_);
    }
  }

  double encode(Bytes length) {
    return measure(length, [this](std::size_t i) { return i >= profile_.data; });
  }
  double decode(Bytes length, std::size_t lost) {
    return measure(length, [lost](std::size_t i) { return i < lost; });
  }
  /// ISA-L alone, with tables of its own of the same size.
  double bare(Bytes length, std::size_t targets) {
    const int k = profile_.data;
    const int rows = static_cast<int>(targets);
    std::vector<unsigned char> matrix((profile_.data + targets) * profile_.data);
    gf_gen_cauchy1_matrix(matrix.data(), k + rows, k);
    std::vector<unsigned char> tables(32 * profile_.data * targets);
    ec_init_tables(k, rows, &matrix[static_cast<std::size_t>(k * k)], tables.data());
    std::vector<unsigned char*> from;
    std::vector<unsigned char*> to;
    for (std::size_t i = 0; i < profile_.data + targets; ++i) {
      auto& pointers = i < profile_.data ? from : to;
      pointers.push_back(reinterpret_cast<unsigned char*>(memory_[i].data()));
    }
    return gigabytes_per_second(length, [&] {
      ec_encode_data(static_cast<int>(fragment_), k, rows, tables.data(), from.data(), to.data());
    });
  }

 private:
  template <class Wanted>
  double measure(Bytes length, Wanted wanted) {
    std::vector<Source> sources;
    std::vector<Target> targets;
    for (std::size_t i = 0; i < memory_.size(); ++i) {
      const auto index = static_cast<std::uint8_t>(i);
      if (wanted(i)) {
        targets.push_back({index, memory_[i].span()});
      } else if (sources.size() < profile_.data) {
        sources.push_back({index, memory_[i].view()});
      }
    }
    return gigabytes_per_second(length, [&] { codes_.compute(profile_, sources, targets); });
  }

  Profile profile_;
  Bytes fragment_;
  std::vector<Buffer> memory_;
  ErasureCodes codes_;
};

}  // namespace

void measure_codes() {
  fmt::print("GB of data a second on one core; in brackets ISA-L alone\n");
  for (const Profile profile : {Profile{4, 2}, Profile{8, 3}, Profile{28, 4}}) {
    for (const Bytes length : {profile.data * 16_KiB, profile.data * 512_KiB}) {
      Work work(profile, length);
      fmt::print("{:>2}+{} {:>6} KiB: encode {:>5.1f} ({:.1f})", profile.data, profile.parity, length / 1_KiB,
                 work.encode(length), work.bare(length, profile.parity));
      for (std::size_t lost = 1; lost <= profile.parity; ++lost) {
        fmt::print(", without {} {:>5.1f} ({:.1f})", lost, work.decode(length, lost),
                   work.bare(length, lost));
      }
      fmt::print("\n");
    }
  }
}

}  // namespace kiseki::bench
