#pragma once

#include <array>
#include <string>
#include <variant>
#include <vector>

#include "iam/pattern.h"

namespace kiseki::iam {

enum class Effect : std::uint8_t { allow, deny };

/// Six parts between colons, each a pattern of its own; the last holds all further colons.
class ArnPattern {
 public:
  /// `invalid_argument`: fewer than six parts.
  static Result<ArnPattern> compile(std::string_view text, PatternRules::Variables variables);
  Match match(std::string_view text, const Context& context) const noexcept;
  bool is_fixed() const noexcept;
  void add_keys(ContextKeys& keys) const noexcept;

 private:
  std::array<Pattern, 6> parts_;
};

/// A block of addresses, of IPv4 or IPv6. IPv4 written as IPv6 is IPv4.
class AddressBlock {
 public:
  /// "203.0.113.0/24", "2001:db8::/32" or one address. Bits behind the prefix do not count.
  static Result<AddressBlock> parse(std::string_view text);
  /// Nothing when `text` is no address.
  std::optional<bool> holds(std::string_view text) const noexcept;
  /// So large that it says little about who asks: beyond /8 of IPv4 and /32 of IPv6, private ranges apart.
  bool is_broad() const noexcept;

 private:
  std::array<std::uint8_t, 16> bytes_{};  // IPv4 as ::ffff:a.b.c.d
  unsigned prefix_ = 0;                   // of 128 bits
};

/// One key under one operator of a statement's Condition: `"IpAddress": {"aws:SourceIp": [...]}`.
class Condition {
 public:
  enum class Operator : std::uint8_t {
    text_equals,
    text_like,
    number_equals,
    number_less,
    number_less_or_equal,
    number_greater,
    number_greater_or_equal,
    date_equals,
    date_less,
    date_less_or_equal,
    date_greater,
    date_greater_or_equal,
    boolean,
    binary_equals,
    address,
    arn,
    null,
  };
  enum class Sense : std::uint8_t { positive, negated };
  /// Of keys with several values.
  enum class Quantifier : std::uint8_t { none, for_all, for_any };

  /// `name` as a policy writes it: "ForAllValues:StringLikeIfExists".
  static Result<Condition> compile(std::string_view name, std::string_view key,
                                   std::span<const std::string> values, PatternRules::Variables variables);

  /// In a statement with this effect. A comparison that cannot be made (a variable without value, a number
  /// that is none) is no match; a negated operator, which would hold by it, holds in a Deny alone.
  bool holds(const Context& context, Effect effect) const noexcept;

  const KeyName& key() const noexcept { return key_; }
  /// Adds what it asks about, variables included.
  void add_keys(ContextKeys& keys) const noexcept;
  /// Whether it holds only for requests whose key has one of few known values: no negation, no wildcard, no
  /// variable, no "if exists", no broad block of addresses.
  bool pins_its_key() const noexcept;

 private:
  enum class Missing : std::uint8_t { fails, passes };
  using Operand = std::variant<Pattern, ArnPattern, AddressBlock, double, std::int64_t, bool, std::string>;

  struct Name;
  static Result<Operand> compile_operand(const Name& name, std::string_view text,
                                         PatternRules::Variables variables);
  Match compare(const Operand& operand, std::string_view value, const Context& context) const noexcept;
  bool accepts(std::string_view value, const Context& context, Effect effect) const noexcept;

  Operator operator_ = Operator::text_equals;
  Sense sense_ = Sense::positive;
  Quantifier quantifier_ = Quantifier::none;
  Missing missing_ = Missing::fails;
  KeyName key_;
  std::vector<Operand> operands_;
};

/// "2013-08-16T15:04:05Z", with a fraction, an offset, without seconds or time, or Unix seconds.
std::optional<std::int64_t> parse_date(std::string_view text) noexcept;

}  // namespace kiseki::iam
