#include "shard/rows/row_codec.h"

#include <fmt/format.h>

#include "base/assert.h"

namespace kiseki::shard::detail {

namespace {

bool has_record(Operation::Type type) {
  return type == Operation::Type::put || type == Operation::Type::put_stamped ||
         type == Operation::Type::move_in;
}

}  // namespace

Result<Decoder> begin_value(View bytes, std::uint8_t format, std::string_view what) {
  Decoder in(bytes);
  const auto found = in.integer<std::uint8_t>();
  if (!in.failed() && found != format) {
    return fail(Errc::wrong_format, fmt::format("{}: format {}", what, found));
  }
  return in;
}

void RowWriter::key(const Key& key) {
  const auto next = static_cast<std::uint16_t>(leaves_.size());
  const auto [place, is_new] = places_.try_emplace(key.leaf, next);
  if (is_new) {
    KISEKI_ASSERT(leaves_.size() < 0xffff);
    leaves_.push_back(key.leaf);
  }
  out_.integer(place->second).enumerator(key.kind).integer(static_cast<std::uint8_t>(key.item.size()));
  out_.raw(as_view(key.item));
  if (is_stamped(key.kind) || is_scanned(key.kind)) out_.id(key.stamp);
}

void RowWriter::assertion(const Assert& assertion) {
  out_.enumerator(assertion.type).id(assertion.stamp);
  key(assertion.key);
}

void RowWriter::operation(const Operation& operation) {
  out_.enumerator(operation.type);
  key(operation.key);
  if (has_record(operation.type)) {
    const std::string record = operation.record.encode();
    out_.sized(as_view(record));
  }
  if (operation.type == Operation::Type::move) key(operation.to);
  if (operation.type == Operation::Type::touch) {
    out_.integer(operation.touch.logical_at_least).integer(operation.touch.modified_at_least_ms);
  }
}

void RowWriter::namespaces(const std::vector<NamespaceEpoch>& namespaces) {
  out_.integer(static_cast<std::uint32_t>(namespaces.size()));
  for (const auto& ns : namespaces) out_.id(ns.ns).integer(ns.epoch);
}

void RowWriter::transaction(const Transaction& transaction) {
  out_.id(transaction.chunk_epoch).integer(transaction.time_ms);
  namespaces(transaction.namespaces);
  out_.integer(static_cast<std::uint32_t>(transaction.asserts.size()));
  for (const auto& one : transaction.asserts) assertion(one);
  out_.integer(static_cast<std::uint32_t>(transaction.operations.size()));
  for (const auto& one : transaction.operations) operation(one);
}

void RowWriter::id(TransactionId id) { out_.id(id.session).integer(id.sequence); }

void RowWriter::holder(const Holder& holder) {
  id(holder.id);
  out_.id(holder.age);
  key(holder.primary);
}

std::string RowWriter::finish(std::string head) && {
  head.reserve(head.size() + 2 + leaves_.size() * 20 + body_.size());
  Encoder out(head);
  out.integer(static_cast<std::uint16_t>(leaves_.size()));
  for (const auto& leaf : leaves_) out.id(leaf.ns).id(leaf.container).id(leaf.leaf);
  out.raw(as_view(body_));
  return head;
}

RowReader::RowReader(Decoder& in) : in_(in) {
  const auto count = in.integer<std::uint16_t>();
  for (std::size_t i = 0; i < count && !in.failed(); ++i) {
    const auto ns = in.id<NamespaceId>();
    const auto container = in.id<InodeId>();
    const auto leaf = in.id<LeafId>();
    if (ns.value() >= namespace_end) in.reject();
    leaves_.push_back({ns, container, leaf});
  }
}

Key RowReader::key() {
  Key key;
  const auto place = in_.integer<std::uint16_t>();
  if (place < leaves_.size()) {
    key.leaf = leaves_[place];
  } else {
    in_.reject();
  }
  const auto kind = in_.integer<std::uint8_t>();
  if (!is_known(kind)) in_.reject();
  key.kind = static_cast<Kind>(kind);
  const auto size = in_.integer<std::uint8_t>();
  if (size > item_max) in_.reject();
  key.item = as_text(in_.raw(size));
  if (is_stamped(key.kind) || is_scanned(key.kind)) key.stamp = in_.id<Stamp>();
  return key;
}

std::size_t RowReader::count(std::size_t max) {
  const auto count = in_.integer<std::uint32_t>();
  if (count > max || count > in_.remaining()) in_.reject();
  return in_.failed() ? 0 : count;
}

Assert RowReader::assertion() {
  Assert assertion;
  const auto type = in_.integer<std::uint8_t>();
  if (type < 1 || type > static_cast<std::uint8_t>(Assert::Type::prefix_empty)) in_.reject();
  assertion.type = static_cast<Assert::Type>(type);
  assertion.stamp = in_.id<Stamp>();
  assertion.key = key();
  return assertion;
}

Operation RowReader::operation() {
  Operation operation;
  const auto type = in_.integer<std::uint8_t>();
  if (type < 1 || type > static_cast<std::uint8_t>(Operation::Type::fence)) in_.reject();
  operation.type = static_cast<Operation::Type>(type);
  operation.key = key();
  if (has_record(operation.type)) {
    auto record = Record::decode(in_.sized());
    if (record) {
      operation.record = std::move(*record);
    } else {
      in_.reject();
    }
  }
  if (operation.type == Operation::Type::move) operation.to = key();
  if (operation.type == Operation::Type::touch) {
    operation.touch.logical_at_least = in_.integer<std::uint64_t>();
    operation.touch.modified_at_least_ms = in_.integer<std::uint64_t>();
  }
  return operation;
}

std::vector<NamespaceEpoch> RowReader::namespaces() {
  std::vector<NamespaceEpoch> namespaces(count(Transaction::rows_max));
  for (auto& ns : namespaces) {
    ns.ns = in_.id<NamespaceId>();
    ns.epoch = in_.integer<std::uint32_t>();
  }
  return namespaces;
}

Transaction RowReader::transaction() {
  Transaction transaction;
  transaction.chunk_epoch = in_.id<GcEpoch>();
  transaction.time_ms = in_.integer<std::uint64_t>();
  transaction.namespaces = namespaces();
  const std::size_t asserts = count(Transaction::rows_max);
  for (std::size_t i = 0; i < asserts && !in_.failed(); ++i) transaction.asserts.push_back(assertion());
  const std::size_t operations = count(Transaction::rows_max);
  for (std::size_t i = 0; i < operations && !in_.failed(); ++i) transaction.operations.push_back(operation());
  return transaction;
}

TransactionId RowReader::id() {
  const auto session = in_.id<SessionId>();
  return {session, in_.integer<std::uint64_t>()};
}

Holder RowReader::holder() {
  Holder holder;
  holder.id = id();
  holder.age = in_.id<Stamp>();
  holder.primary = key();
  return holder;
}

}  // namespace kiseki::shard::detail
