#include "shard/rows/prepared.h"

#include "shard/rows/row_codec.h"

namespace kiseki::shard::detail {

namespace {

constexpr std::uint8_t format = 1;

}  // namespace

std::string Intent::encode() const {
  RowWriter out;
  out.out().enumerator(mode);
  out.out().integer(static_cast<std::uint32_t>(holders.size()));
  for (const auto& holder : holders) out.holder(holder);
  if (staged) out.operation(*staged);
  std::string head;
  Encoder(head).integer(format);
  return std::move(out).finish(std::move(head));
}

Result<Intent> Intent::decode(View bytes) {
  auto begun = begin_value(bytes, format, "intent");
  if (!begun) return fail(std::move(begun).error());
  Decoder& in = *begun;
  RowReader rows(in);
  Intent intent;
  const auto mode = in.integer<std::uint8_t>();
  if (mode < 1 || mode > static_cast<std::uint8_t>(Mode::target)) in.reject();
  intent.mode = static_cast<Mode>(mode);
  const std::size_t holders = rows.count(intent.mode == Mode::shared ? shared_max : 1);
  for (std::size_t i = 0; i < holders && !in.failed(); ++i) intent.holders.push_back(rows.holder());
  if (intent.mode == Mode::exclusive) intent.staged = rows.operation();
  KISEKI_TRY(in.finish("intent"));
  return intent;
}

std::string Prepared::encode() const {
  RowWriter out;
  out.holder(holder);
  out.out().id(stamp).integer(time_ms);
  out.namespaces(namespaces);
  out.out().integer(static_cast<std::uint32_t>(locks.size()));
  for (const auto& lock : locks) {
    out.out().integer(static_cast<std::uint8_t>(lock.exclusive));
    out.key(lock.key);
  }
  out.out().integer(static_cast<std::uint32_t>(unlocked.size()));
  for (const auto& operation : unlocked) out.operation(operation);
  std::string head;
  Encoder(head).integer(format);
  return std::move(out).finish(std::move(head));
}

Result<Prepared> Prepared::decode(View bytes) {
  auto begun = begin_value(bytes, format, "prepared transaction");
  if (!begun) return fail(std::move(begun).error());
  Decoder& in = *begun;
  RowReader rows(in);
  Prepared prepared;
  prepared.holder = rows.holder();
  prepared.stamp = in.id<Stamp>();
  prepared.time_ms = in.integer<std::uint64_t>();
  prepared.namespaces = rows.namespaces();
  const std::size_t locks = rows.count(2 * Transaction::rows_max);
  for (std::size_t i = 0; i < locks && !in.failed(); ++i) {
    const auto exclusive = in.integer<std::uint8_t>();
    if (exclusive > 1) in.reject();
    prepared.locks.push_back({.key = rows.key(), .exclusive = exclusive == 1});
  }
  const std::size_t unlocked = rows.count(Transaction::rows_max);
  for (std::size_t i = 0; i < unlocked && !in.failed(); ++i) prepared.unlocked.push_back(rows.operation());
  KISEKI_TRY(in.finish("prepared transaction"));
  return prepared;
}

Key intent_key(const Key& row) {
  std::string item(1, static_cast<char>(row.kind));
  item += row.item;
  if (is_stamped(row.kind) || is_scanned(row.kind)) Encoder(item).id(row.stamp);
  return key(row.leaf, Kind::intent, std::move(item));
}

Key decision_key(const LeafAddress& primary, TransactionId id) {
  std::string item;
  Encoder(item).id(id.session).integer(id.sequence);
  return key(primary, Kind::decision, std::move(item));
}

std::string encode_decision(Verdict verdict, Stamp stamp) {
  std::string value;
  Encoder(value).integer(format).enumerator(verdict).id(stamp);
  return value;
}

}  // namespace kiseki::shard::detail
