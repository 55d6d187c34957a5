#include "s3/time_format.h"

#include <array>
#include <fmt/format.h>

#include "base/encoding.h"

namespace kiseki::s3 {

namespace {

using Days = std::chrono::sys_days;

constexpr std::array<std::string_view, 7> weekdays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr std::array<std::string_view, 12> months = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

struct Civil {
  int year = 0;
  unsigned month = 0;
  unsigned day = 0;
  unsigned hour = 0;
  unsigned minute = 0;
  unsigned second = 0;
  unsigned weekday = 0;
};

Civil civil_of(std::int64_t seconds) {
  const std::chrono::sys_seconds time{std::chrono::seconds(seconds)};
  const Days day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  return {static_cast<int>(date.year()),
          static_cast<unsigned>(date.month()),
          static_cast<unsigned>(date.day()),
          static_cast<unsigned>(clock.hours().count()),
          static_cast<unsigned>(clock.minutes().count()),
          static_cast<unsigned>(clock.seconds().count()),
          std::chrono::weekday(day).c_encoding()};
}

std::optional<std::int64_t> seconds_of(const Civil& civil) {
  const std::chrono::year_month_day date{std::chrono::year(civil.year), std::chrono::month(civil.month),
                                         std::chrono::day(civil.day)};
  if (!date.ok() || civil.hour > 23 || civil.minute > 59 || civil.second > 60) return std::nullopt;
  const std::int64_t days = Days(date).time_since_epoch().count();
  return ((days * 24 + civil.hour) * 60 + civil.minute) * 60 + civil.second;
}

/// Takes a text apart from its front; once a piece is missing, `ok` stays false.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}

  unsigned digits(std::size_t count) {
    if (rest_.size() < count) return reject();
    const auto value = parse_decimal<unsigned>(rest_.substr(0, count));
    if (!value) return reject();
    rest_.remove_prefix(count);
    return *value;
  }
  void skip(std::string_view text) {
    if (!rest_.starts_with(text)) {
      reject();
      return;
    }
    rest_.remove_prefix(text.size());
  }
  /// A month's name, as its number.
  unsigned month() {
    const auto found = std::ranges::find(months, rest_.substr(0, 3));
    if (found == months.end()) return reject();
    rest_.remove_prefix(3);
    return static_cast<unsigned>(found - months.begin()) + 1;
  }
  void clock(Civil& civil) {
    civil.hour = digits(2);
    skip(":");
    civil.minute = digits(2);
    skip(":");
    civil.second = digits(2);
  }
  bool done() const noexcept { return ok_ && rest_.empty(); }

 private:
  unsigned reject() {
    ok_ = false;
    rest_ = {};
    return 0;
  }

  std::string_view rest_;
  bool ok_ = true;
};

std::optional<std::int64_t> parse_asctime(std::string_view text) {
  Civil civil;
  Scanner in(text);
  civil.month = in.month();
  in.skip(" ");
  if (text.size() > 4 && text[4] == ' ') {
    in.skip(" ");
    civil.day = in.digits(1);
  } else {
    civil.day = in.digits(2);
  }
  in.skip(" ");
  in.clock(civil);
  in.skip(" ");
  civil.year = static_cast<int>(in.digits(4));
  return in.done() ? seconds_of(civil) : std::nullopt;
}

/// Both forms with a comma; RFC 850's year has two digits.
std::optional<std::int64_t> parse_comma_form(std::string_view text) {
  Civil civil;
  Scanner in(text);
  const bool rfc850 = text.size() > 2 && text[2] == '-';
  const std::string_view separator = rfc850 ? "-" : " ";
  civil.day = in.digits(2);
  in.skip(separator);
  civil.month = in.month();
  in.skip(separator);
  civil.year = static_cast<int>(in.digits(rfc850 ? 2 : 4));
  if (rfc850) civil.year += civil.year < 70 ? 2000 : 1900;
  in.skip(" ");
  in.clock(civil);
  in.skip(" GMT");
  return in.done() ? seconds_of(civil) : std::nullopt;
}

}  // namespace

std::string http_date(std::int64_t unix_seconds) {
  const Civil t = civil_of(unix_seconds);
  return fmt::format("{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT", weekdays[t.weekday], t.day,
                     months[t.month - 1], t.year, t.hour, t.minute, t.second);
}

std::optional<std::int64_t> parse_http_date(std::string_view text) {
  if (const std::size_t comma = text.find(", "); comma != text.npos)
    return parse_comma_form(text.substr(comma + 2));
  return text.size() > 4 && text[3] == ' ' ? parse_asctime(text.substr(4)) : std::nullopt;
}

std::string compact_time(std::int64_t unix_seconds) {
  const Civil t = civil_of(unix_seconds);
  return fmt::format("{:04}{:02}{:02}T{:02}{:02}{:02}Z", t.year, t.month, t.day, t.hour, t.minute, t.second);
}

std::optional<std::int64_t> parse_compact_time(std::string_view text) {
  Civil civil;
  Scanner in(text);
  civil.year = static_cast<int>(in.digits(4));
  civil.month = in.digits(2);
  civil.day = in.digits(2);
  in.skip("T");
  civil.hour = in.digits(2);
  civil.minute = in.digits(2);
  civil.second = in.digits(2);
  in.skip("Z");
  return in.done() ? seconds_of(civil) : std::nullopt;
}

std::string iso_time(std::uint64_t unix_milliseconds) {
  const Civil t = civil_of(static_cast<std::int64_t>(unix_milliseconds / 1000));
  // Listings write a thousand of them a page: digits are set into a picture.
  std::string text = "0000-00-00T00:00:00.000Z";
  const auto set = [&text](std::size_t last, std::uint64_t value) {
    for (; value > 0; value /= 10) text[last--] = static_cast<char>('0' + value % 10);
  };
  set(3, static_cast<std::uint64_t>(t.year));
  set(6, t.month);
  set(9, t.day);
  set(12, t.hour);
  set(15, t.minute);
  set(18, t.second);
  set(22, unix_milliseconds % 1000);
  return text;
}

std::string_view IsoTimes::of(std::uint64_t unix_milliseconds) {
  constexpr std::uint64_t length = 60'000;
  const std::uint64_t minute = unix_milliseconds / length;
  if (minute_ != minute) text_ = iso_time(minute * length);
  minute_ = minute;
  std::uint64_t rest = unix_milliseconds % length;
  for (const std::size_t place : {22U, 21U, 20U, 18U, 17U}) {
    text_[place] = static_cast<char>('0' + rest % 10);
    rest /= 10;
  }
  return text_;
}

}  // namespace kiseki::s3
