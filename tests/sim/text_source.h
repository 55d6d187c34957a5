#pragma once

#include <cstring>
#include <string>

#include "base/rng.h"
#include "fs/file_system.h"

// Bodies of the simulated users.

namespace kiseki::sim {

class TextSource final : public fs::Source {
 public:
  TextSource(std::string text, fs::Properties properties)
      : text_(std::move(text)), properties_(std::move(properties)) {}
  std::optional<Bytes> size() const override { return text_.size(); }
  Task<Result<std::size_t>> read(MutableView into) override {
    const std::size_t count = std::min(into.size(), text_.size() - at_);
    std::memcpy(into.data(), text_.data() + at_, count);
    at_ += count;
    co_return count;
  }
  Result<fs::Properties> finish() override { return properties_; }

 private:
  std::string text_;
  fs::Properties properties_;
  std::size_t at_ = 0;
};

inline Task<Result<std::string>> read_all(fs::Object& object) {
  std::string text;
  while (text.size() < object.attributes().size) {
    auto piece = co_await object.read(text.size(), object.attributes().size - text.size());
    if (!piece) co_return fail(std::move(piece).error());
    text.append(as_text(piece->view()));
  }
  co_return text;
}

/// `head`, then bytes that `number` chooses.
inline std::string text_of(std::string head, std::uint64_t number, Bytes size) {
  SeededRng rng(number);
  const std::size_t begin = head.size();
  head.resize(std::max<Bytes>(size, begin));
  rng.fill(std::as_writable_bytes(std::span(head)).subspan(begin));
  head.resize(size);
  return head;
}

}  // namespace kiseki::sim
