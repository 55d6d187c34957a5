#include "iam/pattern.h"

namespace kiseki::iam {

namespace {

constexpr char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

/// Bytes of the character that begins at `at`: UTF-8, where it is that.
std::size_t character_size(std::string_view text, std::size_t at) noexcept {
  std::size_t end = at + 1;
  while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) ++end;
  return end - at;
}

constexpr std::size_t key_end(std::string_view inside) noexcept { return inside.find_first_of(", "); }

}  // namespace

bool equal_in_any_case(std::string_view a, std::string_view b) noexcept {
  return std::ranges::equal(a, b, {}, lower, lower);
}

std::string lower_case(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), lower);
  return out;
}

void Pattern::add_text(std::string_view text) {
  if (text.empty()) return;
  if (tokens_.empty() || tokens_.back().type != Token::Type::text) tokens_.push_back({});
  tokens_.back().text += text;
}

/// What stands between `${` and `}`: a sign, a key, or a key and a default in quotes.
Result<> Pattern::add_variable(std::string_view inside) {
  if (inside == "*" || inside == "?" || inside == "$") {
    add_text(inside);
    return {};
  }
  const auto name = KeyName::parse(inside.substr(0, key_end(inside)));
  if (!name) return fail(Errc::invalid_argument, "a policy variable has the form ${service:name}");
  Token token{.type = Token::Type::variable, .text = {}, .key = *name};
  if (std::size_t at = key_end(inside); at != inside.npos) {
    at = inside.find_first_not_of(' ', at);
    if (at == inside.npos || inside[at] != ',')
      return fail(Errc::invalid_argument, "a comma goes before the default of a policy variable");
    at = inside.find_first_not_of(' ', at + 1);
    const std::size_t last = inside.find_last_not_of(' ');
    if (at == inside.npos || last <= at || inside[at] != '\'' || inside[last] != '\'')
      return fail(Errc::invalid_argument, "the default of a policy variable stands in single quotes");
    token.text = inside.substr(at + 1, last - at - 1);
    token.has_default = true;
  }
  tokens_.push_back(std::move(token));
  has_variables_ = true;
  return {};
}

Result<Pattern> Pattern::compile(std::string_view text, PatternRules rules) {
  using enum PatternRules::Wildcards;
  Pattern made;
  made.case_ = rules.letters;
  for (std::size_t at = 0; at < text.size();) {
    if (rules.wildcards == match && text[at] == '*') {
      const bool repeated = !made.tokens_.empty() && made.tokens_.back().type == Token::Type::any;
      if (!repeated) made.tokens_.push_back({.type = Token::Type::any, .text = {}, .key = {}});
      ++at;
    } else if (rules.wildcards == match && text[at] == '?') {
      made.tokens_.push_back({.type = Token::Type::one, .text = {}, .key = {}});
      ++at;
    } else if (rules.variables == PatternRules::Variables::expand && text.substr(at).starts_with("${")) {
      const std::size_t end = text.find('}', at);
      if (end == text.npos) return fail(Errc::invalid_argument, "a policy variable is not closed");
      KISEKI_TRY(made.add_variable(text.substr(at + 2, end - at - 2)));
      at = end + 1;
    } else {
      made.add_text(text.substr(at, 1));
      ++at;
    }
  }
  return made;
}

Pattern Pattern::wildcards(std::string_view text) {
  return *compile(text, {.variables = PatternRules::Variables::literal});
}

std::optional<std::string_view> Pattern::piece(const Token& token, const Context& context) noexcept {
  if (token.type == Token::Type::text) return token.text;
  const auto values = context.find(token.key);
  if (values.size() == 1) return values[0];
  if (token.has_default) return token.text;
  return std::nullopt;
}

bool Pattern::starts_with(std::string_view text, std::string_view piece) const noexcept {
  if (case_ == PatternRules::Case::matters) return text.starts_with(piece);
  return text.size() >= piece.size() && equal_in_any_case(text.substr(0, piece.size()), piece);
}

Match Pattern::match(std::string_view text, const Context& context) const noexcept {
  if (has_variables_) {
    for (const Token& token : tokens_) {
      if (token.type == Token::Type::variable && !piece(token, context)) return Match::unknown;
    }
  }
  return run(text, context) ? Match::yes : Match::no;
}

bool Pattern::matches(std::string_view text) const noexcept { return run(text, Context{}); }

/// What stands between two `*` has a fixed number of characters, so the leftmost place for each is as good as
/// any other and only the last `*` is ever gone back to.
bool Pattern::run(std::string_view text, const Context& context) const noexcept {
  std::size_t token = 0, at = 0, after_any = tokens_.size() + 1, any_at = 0;
  for (;;) {
    if (token < tokens_.size()) {
      const Token& next = tokens_[token];
      if (next.type == Token::Type::any) {
        after_any = ++token;
        any_at = at;
        continue;
      }
      if (next.type == Token::Type::one) {
        if (at < text.size()) {
          at += character_size(text, at);
          ++token;
          continue;
        }
      } else if (const auto wanted = piece(next, context); wanted && starts_with(text.substr(at), *wanted)) {
        at += wanted->size();
        ++token;
        continue;
      }
    } else if (at == text.size() || after_any == tokens_.size()) {
      return true;
    }
    if (after_any > tokens_.size() || any_at == text.size()) return false;
    any_at += character_size(text, any_at);
    at = any_at;
    token = after_any;
  }
}

bool Pattern::may_begin_with(std::string_view prefix) const noexcept {
  std::vector<bool> places(prefix.size() + 1);  // where a token may begin
  places[0] = true;
  for (const Token& token : tokens_) {
    if (places[prefix.size()]) return true;
    std::vector<bool> next(prefix.size() + 1);
    for (std::size_t at = 0; at < prefix.size(); ++at) {
      if (!places[at]) continue;
      if (token.type == Token::Type::any || token.type == Token::Type::variable) {
        std::fill(next.begin() + static_cast<std::ptrdiff_t>(at), next.end(), true);
      } else if (token.type == Token::Type::one) {
        next[at + character_size(prefix, at)] = true;
      } else {
        const std::string_view rest = prefix.substr(at);
        const std::size_t size = std::min(rest.size(), token.text.size());
        if (starts_with(rest, std::string_view(token.text).substr(0, size))) next[at + size] = true;
      }
    }
    places = std::move(next);
  }
  return places[prefix.size()];
}

bool Pattern::may_hold(char sign) const noexcept {
  return std::ranges::any_of(tokens_, [sign](const Token& token) {
    return token.type != Token::Type::text || token.text.find(sign) != std::string::npos;
  });
}

bool Pattern::may_lack(char sign) const noexcept {
  return std::ranges::none_of(tokens_, [sign](const Token& token) {
    return token.type == Token::Type::text && token.text.find(sign) != std::string::npos;
  });
}

bool Pattern::is_fixed() const noexcept {
  return std::ranges::all_of(tokens_, [](const Token& token) { return token.type == Token::Type::text; });
}

void Pattern::add_keys(ContextKeys& keys) const noexcept {
  for (const Token& token : tokens_) {
    if (token.type == Token::Type::variable) keys.set(static_cast<std::size_t>(token.key.key));
  }
}

}  // namespace kiseki::iam
