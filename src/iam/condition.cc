#include "iam/condition.h"

#include <arpa/inet.h>
#include <charconv>
#include <cmath>

#include "base/encoding.h"

namespace kiseki::iam {

using Operator = Condition::Operator;
using Sense = Condition::Sense;

struct Condition::Name {
  std::string_view text;
  Operator operation;
  Sense sense = Sense::positive;
  PatternRules::Case letters = PatternRules::Case::matters;
};

namespace {

constexpr auto any_case = PatternRules::Case::ignored;
constexpr auto this_case = PatternRules::Case::matters;

std::optional<double> parse_number(std::string_view text) noexcept {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
  return value;
}

std::optional<bool> parse_boolean(std::string_view text) noexcept {
  if (equal_in_any_case(text, "true")) return true;
  if (equal_in_any_case(text, "false")) return false;
  return std::nullopt;
}

/// Takes a number of exactly so many digits off the front.
std::optional<int> take_digits(std::string_view& text, std::size_t count) noexcept {
  if (text.size() < count) return std::nullopt;
  int value = 0;
  for (const char digit : text.substr(0, count)) {
    if (digit < '0' || digit > '9') return std::nullopt;
    value = value * 10 + (digit - '0');
  }
  text.remove_prefix(count);
  return value;
}

bool take(std::string_view& text, char sign) noexcept {
  if (!text.starts_with(sign)) return false;
  text.remove_prefix(1);
  return true;
}

/// "Z", "+hh:mm", "-hhmm": seconds to take off.
std::optional<std::int64_t> take_zone(std::string_view& text) noexcept {
  if (take(text, 'Z')) return 0;
  const bool east = text.starts_with('+');
  if (!east && !text.starts_with('-')) return std::nullopt;
  text.remove_prefix(1);
  const auto hours = take_digits(text, 2);
  take(text, ':');
  const auto minutes = take_digits(text, 2);
  if (!hours || !minutes || *hours > 23 || *minutes > 59) return std::nullopt;
  const std::int64_t seconds = (*hours * 60 + *minutes) * 60;
  return east ? seconds : -seconds;
}

/// "hh:mm[:ss[.f]]" and a zone: seconds since midnight of UTC.
std::optional<std::int64_t> take_clock(std::string_view& text) noexcept {
  const auto hour = take_digits(text, 2);
  if (!hour || *hour > 23 || !take(text, ':')) return std::nullopt;
  const auto minute = take_digits(text, 2);
  if (!minute || *minute > 59) return std::nullopt;
  int second = 0;
  if (take(text, ':')) {
    const auto given = take_digits(text, 2);
    if (!given || *given > 59) return std::nullopt;
    second = *given;
    if (take(text, '.')) {
      const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
      if (digits == 0) return std::nullopt;
      text.remove_prefix(digits);
    }
  }
  const auto zone = take_zone(text);
  if (!zone) return std::nullopt;
  return (*hour * 60 + *minute) * 60 + second - *zone;
}

struct Address {
  std::array<std::uint8_t, 16> bytes{};
  bool is_v4 = false;
};

constexpr std::array<std::uint8_t, 12> v4_prefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

std::optional<Address> parse_address(std::string_view text) noexcept {
  char terminated[INET6_ADDRSTRLEN] = {};
  if (text.size() >= sizeof terminated) return std::nullopt;
  std::ranges::copy(text, terminated);
  Address address;
  const bool is_v6 = text.find(':') != text.npos;
  if (is_v6 && inet_pton(AF_INET6, terminated, address.bytes.data()) == 1) {
    address.is_v4 = std::equal(v4_prefix.begin(), v4_prefix.end(), address.bytes.begin());
    return address;
  }
  if (is_v6 || inet_pton(AF_INET, terminated, address.bytes.data() + v4_prefix.size()) != 1)
    return std::nullopt;
  std::ranges::copy(v4_prefix, address.bytes.begin());
  address.is_v4 = true;
  return address;
}

constexpr unsigned v4_bits = 96;  // in front of an IPv4 address written as IPv6

Match match_of(bool matches) noexcept { return matches ? Match::yes : Match::no; }

/// Outcome of an operator on ordered values.
template <class T>
bool compare_ordered(Operator operation, const T& value, const T& bound) noexcept {
  switch (operation) {
    case Operator::number_less:
    case Operator::date_less:
      return value < bound;
    case Operator::number_less_or_equal:
    case Operator::date_less_or_equal:
      return value <= bound;
    case Operator::number_greater:
    case Operator::date_greater:
      return value > bound;
    case Operator::number_greater_or_equal:
    case Operator::date_greater_or_equal:
      return value >= bound;
    default:
      return value == bound;
  }
}

/// Where the next colon stands that is in no variable.
std::size_t find_colon(std::string_view text) noexcept {
  bool inside = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text.substr(i).starts_with("${")) inside = true;
    if (text[i] == '}') inside = false;
    if (text[i] == ':' && !inside) return i;
  }
  return text.npos;
}

}  // namespace

std::optional<std::int64_t> parse_date(std::string_view text) noexcept {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc{} && end == text.data() + text.size()) return number;
  const auto year = take_digits(text, 4);
  if (!year || !take(text, '-')) return std::nullopt;
  const auto month = take_digits(text, 2);
  if (!month || !take(text, '-')) return std::nullopt;
  const auto day = take_digits(text, 2);
  if (!day) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(*year),
                                         std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok()) return std::nullopt;
  const auto midnight = std::chrono::sys_seconds(std::chrono::sys_days(date)).time_since_epoch().count();
  if (text.empty()) return midnight;
  if (!take(text, 'T')) return std::nullopt;
  const auto clock = take_clock(text);
  if (!clock || !text.empty()) return std::nullopt;
  return midnight + *clock;
}

Result<ArnPattern> ArnPattern::compile(std::string_view text, PatternRules::Variables variables) {
  ArnPattern made;
  for (std::size_t i = 0; i < made.parts_.size(); ++i) {
    const bool is_last = i + 1 == made.parts_.size();
    const std::size_t colon = is_last ? text.npos : find_colon(text);
    if (!is_last && colon == text.npos)
      return fail(Errc::invalid_argument,
                  "an ARN has the form arn:partition:service:region:account:resource");
    auto part = Pattern::compile(text.substr(0, colon), {.variables = variables});
    if (!part) return fail(std::move(part).error());
    made.parts_[i] = std::move(*part);
    if (!is_last) text.remove_prefix(colon + 1);
  }
  return made;
}

Match ArnPattern::match(std::string_view text, const Context& context) const noexcept {
  Match all = Match::yes;
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    const bool is_last = i + 1 == parts_.size();
    const std::size_t colon = is_last ? text.npos : text.find(':');
    if (!is_last && colon == text.npos) return Match::no;
    const Match one = parts_[i].match(text.substr(0, colon), context);
    if (one == Match::no) return Match::no;
    if (one == Match::unknown) all = Match::unknown;
    if (!is_last) text.remove_prefix(colon + 1);
  }
  return all;
}

bool ArnPattern::is_fixed() const noexcept { return std::ranges::all_of(parts_, &Pattern::is_fixed); }

void ArnPattern::add_keys(ContextKeys& keys) const noexcept {
  for (const Pattern& part : parts_) part.add_keys(keys);
}

Result<AddressBlock> AddressBlock::parse(std::string_view text) {
  const std::size_t slash = text.find('/');
  const auto address = parse_address(text.substr(0, slash));
  if (!address) return fail(Errc::invalid_argument, "no IP address or block of addresses");
  AddressBlock block;
  block.bytes_ = address->bytes;
  block.prefix_ = 128;
  if (slash == text.npos) return block;
  const std::string_view digits = text.substr(slash + 1);
  unsigned prefix = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), prefix);
  const bool dotted = text.substr(0, slash).find(':') == text.npos;
  const unsigned prefix_max = dotted ? 32 : 128;
  if (error != std::errc{} || end != digits.data() + digits.size() || prefix > prefix_max)
    return fail(Errc::invalid_argument, fmt::format("a prefix of 0 to {} bits follows the '/'", prefix_max));
  block.prefix_ = dotted ? v4_bits + prefix : prefix;
  return block;
}

std::optional<bool> AddressBlock::holds(std::string_view text) const noexcept {
  const auto address = parse_address(text);
  if (!address) return std::nullopt;
  const bool is_v4 = prefix_ >= v4_bits && std::equal(v4_prefix.begin(), v4_prefix.end(), bytes_.begin());
  if (is_v4 != address->is_v4) return false;
  const std::size_t whole = prefix_ / 8;
  if (!std::equal(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(whole),
                  address->bytes.begin()))
    return false;
  const unsigned rest = prefix_ % 8;
  if (rest == 0) return true;
  const auto differs = static_cast<unsigned>(bytes_[whole] ^ address->bytes[whole]);
  return (differs >> (8 - rest)) == 0;
}

bool AddressBlock::is_broad() const noexcept {
  const bool is_v4 = prefix_ >= v4_bits && std::equal(v4_prefix.begin(), v4_prefix.end(), bytes_.begin());
  return is_v4 ? prefix_ < v4_bits + 8 : prefix_ < 32;
}

namespace {

struct ReadName {
  std::string_view operation;
  Condition::Quantifier quantifier = Condition::Quantifier::none;
  bool if_exists = false;
};

ReadName read_name(std::string_view name) noexcept {
  constexpr std::string_view for_all = "ForAllValues:", for_any = "ForAnyValue:", if_exists = "IfExists";
  ReadName read;
  if (name.starts_with(for_all)) {
    read.quantifier = Condition::Quantifier::for_all;
    name.remove_prefix(for_all.size());
  } else if (name.starts_with(for_any)) {
    read.quantifier = Condition::Quantifier::for_any;
    name.remove_prefix(for_any.size());
  }
  if (name.ends_with(if_exists)) {
    read.if_exists = true;
    name.remove_suffix(if_exists.size());
  }
  read.operation = name;
  return read;
}

}  // namespace

Result<Condition> Condition::compile(std::string_view name, std::string_view key,
                                     std::span<const std::string> values, PatternRules::Variables variables) {
  static constexpr Name names[] = {
      {"StringEquals", Operator::text_equals},
      {"StringNotEquals", Operator::text_equals, Sense::negated},
      {"StringEqualsIgnoreCase", Operator::text_equals, Sense::positive, any_case},
      {"StringNotEqualsIgnoreCase", Operator::text_equals, Sense::negated, any_case},
      {"StringLike", Operator::text_like},
      {"StringNotLike", Operator::text_like, Sense::negated},
      {"NumericEquals", Operator::number_equals},
      {"NumericNotEquals", Operator::number_equals, Sense::negated},
      {"NumericLessThan", Operator::number_less},
      {"NumericLessThanEquals", Operator::number_less_or_equal},
      {"NumericGreaterThan", Operator::number_greater},
      {"NumericGreaterThanEquals", Operator::number_greater_or_equal},
      {"DateEquals", Operator::date_equals},
      {"DateNotEquals", Operator::date_equals, Sense::negated},
      {"DateLessThan", Operator::date_less},
      {"DateLessThanEquals", Operator::date_less_or_equal},
      {"DateGreaterThan", Operator::date_greater},
      {"DateGreaterThanEquals", Operator::date_greater_or_equal},
      {"Bool", Operator::boolean},
      {"BinaryEquals", Operator::binary_equals},
      {"IpAddress", Operator::address},
      {"NotIpAddress", Operator::address, Sense::negated},
      {"ArnEquals", Operator::arn},
      {"ArnLike", Operator::arn},
      {"ArnNotEquals", Operator::arn, Sense::negated},
      {"ArnNotLike", Operator::arn, Sense::negated},
      {"Null", Operator::null},
  };
  const ReadName read = read_name(name);
  const auto found = std::ranges::find(names, read.operation, &Name::text);
  if (found == std::end(names)) return fail(Errc::invalid_argument, "no such condition operator");
  if (found->operation == Operator::null && (read.if_exists || read.quantifier != Quantifier::none))
    return fail(Errc::invalid_argument, "Null stands alone");
  auto key_name = KeyName::parse(key);
  if (!key_name) return fail(std::move(key_name).error());
  if (values.empty()) return fail(Errc::invalid_argument, "a condition key needs a value");
  Condition made;
  made.operator_ = found->operation;
  made.sense_ = found->sense;
  made.quantifier_ = read.quantifier;
  made.missing_ = read.if_exists ? Missing::passes : Missing::fails;
  made.key_ = std::move(*key_name);
  for (const std::string& value : values) {
    auto operand = compile_operand(*found, value, variables);
    if (!operand) return fail(std::move(operand).error().in(value));
    made.operands_.push_back(std::move(*operand));
  }
  return made;
}

Result<Condition::Operand> Condition::compile_operand(const Name& name, std::string_view text,
                                                      PatternRules::Variables variables) {
  const auto wrap = [](auto made, std::string_view what) -> Result<Operand> {
    if (made) return Operand(*std::move(made));
    if constexpr (requires { made.error(); }) return fail(std::move(made).error());
    return fail(Errc::invalid_argument, std::string(what));
  };
  using Wildcards = PatternRules::Wildcards;
  switch (name.operation) {
    case Operator::text_equals:
      return wrap(Pattern::compile(text, {Wildcards::literal, variables, name.letters}), {});
    case Operator::text_like:
      return wrap(Pattern::compile(text, {Wildcards::match, variables, this_case}), {});
    case Operator::number_equals:
    case Operator::number_less:
    case Operator::number_less_or_equal:
    case Operator::number_greater:
    case Operator::number_greater_or_equal:
      return wrap(parse_number(text), "no number");
    case Operator::date_equals:
    case Operator::date_less:
    case Operator::date_less_or_equal:
    case Operator::date_greater:
    case Operator::date_greater_or_equal:
      return wrap(parse_date(text), "no date");
    case Operator::boolean:
    case Operator::null:
      return wrap(parse_boolean(text), "neither true nor false");
    case Operator::binary_equals:
      if (!base64_decode(text)) return fail(Errc::invalid_argument, "no base64");
      return Operand(std::string(text));
    case Operator::address:
      return wrap(AddressBlock::parse(text), {});
    case Operator::arn:
      return wrap(ArnPattern::compile(text, variables), {});
  }
  return fail(Errc::invalid_argument, "no such condition operator");
}

Match Condition::compare(const Operand& operand, std::string_view value,
                         const Context& context) const noexcept {
  if (const auto* pattern = std::get_if<Pattern>(&operand)) return pattern->match(value, context);
  if (const auto* arn = std::get_if<ArnPattern>(&operand)) return arn->match(value, context);
  if (const auto* text = std::get_if<std::string>(&operand)) return match_of(*text == value);
  if (const auto* block = std::get_if<AddressBlock>(&operand)) {
    const auto holds = block->holds(value);
    return holds ? match_of(*holds) : Match::unknown;
  }
  if (const auto* wanted = std::get_if<bool>(&operand)) {
    const auto given = parse_boolean(value);
    return given ? match_of(*given == *wanted) : Match::unknown;
  }
  if (const auto* bound = std::get_if<double>(&operand)) {
    const auto given = parse_number(value);
    return given ? match_of(compare_ordered(operator_, *given, *bound)) : Match::unknown;
  }
  const auto given = parse_date(value);
  return given ? match_of(compare_ordered(operator_, *given, std::get<std::int64_t>(operand)))
               : Match::unknown;
}

/// One value of the request against all of the policy.
bool Condition::accepts(std::string_view value, const Context& context, Effect effect) const noexcept {
  bool unknown = false;
  for (const Operand& operand : operands_) {
    const Match match = compare(operand, value, context);
    if (match == Match::yes) return sense_ == Sense::positive;
    unknown = unknown || match == Match::unknown;
  }
  if (sense_ == Sense::positive) return false;
  return !unknown || effect == Effect::deny;
}

bool Condition::holds(const Context& context, Effect effect) const noexcept {
  const auto values = context.find(key_);
  if (operator_ == Operator::null) {
    return std::ranges::any_of(
        operands_, [&](const Operand& operand) { return std::get<bool>(operand) == values.empty(); });
  }
  if (values.empty()) {
    if (quantifier_ == Quantifier::for_all || missing_ == Missing::passes) return true;
    return quantifier_ == Quantifier::none && sense_ == Sense::negated;
  }
  const bool every =
      quantifier_ == Quantifier::for_all || (quantifier_ == Quantifier::none && sense_ == Sense::negated);
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (accepts(values[i], context, effect) != every) return !every;
  }
  return every;
}

void Condition::add_keys(ContextKeys& keys) const noexcept {
  keys.set(static_cast<std::size_t>(key_.key));
  for (const Operand& operand : operands_) {
    if (const auto* pattern = std::get_if<Pattern>(&operand)) pattern->add_keys(keys);
    if (const auto* arn = std::get_if<ArnPattern>(&operand)) arn->add_keys(keys);
  }
}

bool Condition::pins_its_key() const noexcept {
  if (sense_ == Sense::negated || missing_ == Missing::passes || quantifier_ == Quantifier::for_all)
    return false;
  return std::ranges::all_of(operands_, [](const Operand& operand) {
    if (const auto* pattern = std::get_if<Pattern>(&operand)) return pattern->is_fixed();
    if (const auto* arn = std::get_if<ArnPattern>(&operand)) return arn->is_fixed();
    if (const auto* block = std::get_if<AddressBlock>(&operand)) return !block->is_broad();
    return false;
  });
}

}  // namespace kiseki::iam
