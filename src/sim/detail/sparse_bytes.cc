#include "sim/detail/sparse_bytes.h"

#include "base/assert.h"

namespace kiseki::sim::detail {

namespace {

bool is_zero(View bytes) {
  static constexpr std::array<std::byte, 4096> zeros{};
  return bytes.size() <= zeros.size() && std::memcmp(bytes.data(), zeros.data(), bytes.size()) == 0;
}

}  // namespace

SparseBytes::Page& SparseBytes::writable(Bytes index) {
  auto& page = pages_[index];
  if (page == nullptr) {
    page = std::make_shared<Page>();
  } else if (page.use_count() > 1) {
    page = std::make_shared<Page>(*page);
  }
  return *page;
}

void SparseBytes::resize(Bytes size) {
  if (size < size_) {
    pages_.erase(pages_.lower_bound(round_up(size, page_size) / page_size), pages_.end());
    if (const Bytes inside = size % page_size; inside != 0 && pages_.contains(size / page_size)) {
      auto& page = writable(size / page_size);
      std::fill(page.begin() + static_cast<std::ptrdiff_t>(inside), page.end(), std::byte{0});
    }
  }
  size_ = size;
}

void SparseBytes::write(Bytes offset, View from) {
  size_ = std::max(size_, offset + from.size());
  while (!from.empty()) {
    const Bytes inside = offset % page_size;
    const View part = from.first(std::min<Bytes>(from.size(), page_size - inside));
    const bool zero = is_zero(part);
    if (zero && part.size() == page_size) {
      pages_.erase(offset / page_size);
    } else if (!zero || pages_.contains(offset / page_size)) {
      std::memcpy(writable(offset / page_size).data() + inside, part.data(), part.size());
    }
    offset += part.size();
    from = from.subspan(part.size());
  }
}

void SparseBytes::read(Bytes offset, MutableView into) const {
  KISEKI_ASSERT(offset + into.size() <= size_);
  while (!into.empty()) {
    const Bytes inside = offset % page_size;
    const MutableView part = into.first(std::min<Bytes>(into.size(), page_size - inside));
    if (const auto page = pages_.find(offset / page_size); page != pages_.end()) {
      std::memcpy(part.data(), page->second->data() + inside, part.size());
    } else {
      std::memset(part.data(), 0, part.size());
    }
    offset += part.size();
    into = into.subspan(part.size());
  }
}

void SparseBytes::flip_bit(Bytes offset, unsigned bit) {
  KISEKI_ASSERT(offset < size_ && bit < 8);
  writable(offset / page_size)[offset % page_size] ^= std::byte{1} << bit;
}

bool SparseBytes::contains(std::string_view needle) const {
  std::string window;  // the end of the page before, then the page
  Bytes expected = 0;
  for (const auto& [index, page] : pages_) {
    if (index != expected) window.clear();
    window.append(reinterpret_cast<const char*>(page->data()), page->size());
    if (window.find(needle) != std::string::npos) return true;
    window.erase(0, window.size() - std::min(window.size(), needle.size()));
    expected = index + 1;
  }
  return false;
}

}  // namespace kiseki::sim::detail
