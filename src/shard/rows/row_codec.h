#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/codec.h"
#include "shard/proposal.h"

namespace kiseki::shard::detail {

/// A reader behind the format byte that every value begins with. `wrong_format` when it is another.
Result<Decoder> begin_value(View bytes, std::uint8_t format, std::string_view what);

/// Writes keys and what holds keys. A transaction names few leaves many times, so the leaves stand once, in a
/// table in front.
class RowWriter {
 public:
  Encoder& out() noexcept { return out_; }
  void key(const Key& key);
  void assertion(const Assert& assertion);
  void operation(const Operation& operation);
  void transaction(const Transaction& transaction);
  void namespaces(const std::vector<NamespaceEpoch>& namespaces);
  void holder(const Holder& holder);
  void id(TransactionId id);
  /// `head`, the table, and all that was written.
  std::string finish(std::string head) &&;

 private:
  std::string body_;
  Encoder out_{body_};
  std::map<LeafAddress, std::uint16_t> places_;
  std::vector<LeafAddress> leaves_;
};

/// Reads it back from bytes that may be hostile; after a bad field everything is empty and `finish` fails.
class RowReader {
 public:
  explicit RowReader(Decoder& in);

  Decoder& in() noexcept { return in_; }
  Key key();
  Assert assertion();
  Operation operation();
  Transaction transaction();
  std::vector<NamespaceEpoch> namespaces();
  Holder holder();
  TransactionId id();
  /// A count of what follows; more than the rest could hold is refused.
  std::size_t count(std::size_t max);

 private:
  Decoder& in_;
  std::vector<LeafAddress> leaves_;
};

}  // namespace kiseki::shard::detail
