#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "iam/context.h"

namespace kiseki::iam {

bool equal_in_any_case(std::string_view a, std::string_view b) noexcept;
std::string lower_case(std::string_view text);

/// Outcome of a comparison: `unknown` when it depends on a variable that the request has no value for.
enum class Match : std::uint8_t { no, yes, unknown };

/// Which of a policy's signs have their meaning in a text.
struct PatternRules {
  enum class Wildcards : std::uint8_t { literal, match };
  enum class Variables : std::uint8_t { literal, expand };  ///< `expand`: of policies of version 2012-10-17.
  enum class Case : std::uint8_t { matters, ignored };
  Wildcards wildcards = Wildcards::match;
  Variables variables = Variables::expand;
  Case letters = Case::matters;
};

/// A text with `*` (any characters), `?` (one character) and variables such as `${aws:username}`, made once
/// and matched often. Matching allocates nothing and takes time linear in text times pattern. What a variable
/// stands for is compared as it is: it holds no wildcards.
class Pattern {
 public:
  Pattern() = default;
  /// `invalid_argument`: a variable that is not closed or names nothing.
  static Result<Pattern> compile(std::string_view text, PatternRules rules);
  /// Without variables, which cannot fail.
  static Pattern wildcards(std::string_view text);

  Match match(std::string_view text, const Context& context) const noexcept;
  /// Of a pattern without variables.
  bool matches(std::string_view text) const noexcept;
  /// Whether some text that begins with `prefix` may match, whatever variables stand for.
  bool may_begin_with(std::string_view prefix) const noexcept;
  /// Whether some text may match that has this sign in it; and one that has not.
  bool may_hold(char sign) const noexcept;
  bool may_lack(char sign) const noexcept;
  /// Neither a wildcard nor a variable stands in it.
  bool is_fixed() const noexcept;
  /// Adds the keys of its variables.
  void add_keys(ContextKeys& keys) const noexcept;

 private:
  struct Token {
    enum class Type : std::uint8_t { text, any, one, variable } type = Type::text;
    std::string text;  // of a variable: its default
    KeyName key;
    bool has_default = false;
  };

  Result<> add_variable(std::string_view inside);
  void add_text(std::string_view text);
  /// Nothing: the request has no value for it.
  static std::optional<std::string_view> piece(const Token& token, const Context& context) noexcept;
  bool starts_with(std::string_view text, std::string_view piece) const noexcept;
  bool run(std::string_view text, const Context& context) const noexcept;

  std::vector<Token> tokens_;
  PatternRules::Case case_ = PatternRules::Case::matters;
  bool has_variables_ = false;
};

}  // namespace kiseki::iam
