#include "shard/rows/session_row.h"

#include "base/codec.h"

namespace kiseki::shard::detail {

namespace {
constexpr std::uint8_t format = 1;
}

Record SessionRow::record() const {
  std::string value;
  Encoder(value).integer(format).integer(process).enumerator(state);
  Record record;
  record.value = crypto::Sealed::from_store(std::move(value));
  return record;
}

Result<SessionRow> SessionRow::decode(const Record& record) {
  Decoder in(record.value.view());
  if (in.integer<std::uint8_t>() != format) in.reject();
  SessionRow row;
  row.process = in.integer<std::uint64_t>();
  const auto state = in.integer<std::uint8_t>();
  if (state < 1 || state > static_cast<std::uint8_t>(State::fenced)) in.reject();
  row.state = static_cast<State>(state);
  KISEKI_TRY(in.finish("session row"));
  return row;
}

Scan SessionTable::request() {
  return {.leaf = {},
          .kind = Kind::session,
          .from = {},
          .rows_max = GoneSessions::living_max / 2,
          .direction = Scan::Direction::forward};
}

Result<SessionTable> SessionTable::decode(const std::vector<Row>& rows) {
  SessionTable table;
  for (const auto& row : rows) {
    Decoder item(as_view(row.key.item));
    const auto id = item.id<SessionId>();
    KISEKI_TRY(item.finish("session key"));
    if (id.is_none()) {
      Decoder in(row.record.value.view());
      if (in.integer<std::uint8_t>() != format) in.reject();
      table.last = in.id<SessionId>();
      KISEKI_TRY(in.finish("session table"));
      table.last_version = row.record.version;
      continue;
    }
    const auto decoded = SessionRow::decode(row.record);
    if (!decoded) return fail(decoded.error());
    table.sessions.push_back({.id = id, .row = *decoded, .version = row.record.version});
  }
  return table;
}

GoneSessions SessionTable::gone() const {
  GoneSessions gone{.last = last, .living = {}};
  for (const auto& entry : sessions) {
    if (entry.row.state == SessionRow::State::open) gone.living.push_back(entry.id);
  }
  return gone;
}

Key last_session_key() { return session_key(SessionId{}); }

Record last_session_record(SessionId last) {
  std::string value;
  Encoder(value).integer(format).id(last);
  Record record;
  record.value = crypto::Sealed::from_store(std::move(value));
  return record;
}

Key session_key(SessionId session) { return system_key(Kind::session, item_of(session.value())); }

}  // namespace kiseki::shard::detail
