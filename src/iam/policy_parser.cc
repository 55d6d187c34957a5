#include <algorithm>

#include "iam/detail/json_tree.h"
#include "iam/policy.h"

namespace kiseki::iam {

namespace {

using detail::JsonValue;

std::unexpected<Error> refuse(std::string_view place, std::string_view words) {
  return fail(Errc::invalid_argument,
              place.empty() ? std::string(words) : fmt::format("{}: {}", place, words));
}

std::unexpected<Error> refuse(std::string_view place, Error error) { return refuse(place, error.words()); }

/// A text, or a list of at least one; in conditions numbers and booleans too. Each with its place.
struct Text {
  std::string text;
  std::string place;
};
enum class Scalars : std::uint8_t { strings, all };

bool is_scalar(const JsonValue& value, Scalars scalars) noexcept {
  using enum JsonValue::Type;
  if (value.type == string) return true;
  return scalars == Scalars::all && (value.type == number || value.type == boolean);
}

Result<std::vector<Text>> read_texts(const JsonValue& value, const std::string& place, Scalars scalars) {
  if (is_scalar(value, scalars)) return std::vector{Text{value.text, place}};
  if (!value.is_array() || value.items.empty())
    return refuse(place, "a string or a list of strings is needed");
  std::vector<Text> texts;
  for (std::size_t i = 0; i < value.items.size(); ++i) {
    std::string inner = fmt::format("{}[{}]", place, i);
    if (!is_scalar(value.items[i], scalars)) return refuse(inner, "a string is needed");
    texts.push_back({value.items[i].text, std::move(inner)});
  }
  return texts;
}

Result<> check_members(const JsonValue& object, const std::string& place,
                       std::span<const std::string_view> allowed) {
  for (const std::string& name : object.names) {
    if (std::ranges::find(allowed, name) == allowed.end())
      return refuse(place, fmt::format("\"{}\" is no element of it", name));
  }
  return {};
}

/// Of two elements of which one or none may stand; nothing: none does.
struct Either {
  const JsonValue* value = nullptr;
  Statement::Sense sense = Statement::Sense::listed;
  std::string place;
};

Result<Either> read_either(const JsonValue& object, const std::string& place, std::string_view name) {
  const std::string negated = fmt::format("Not{}", name);
  const JsonValue* plain = object.find(name);
  const JsonValue* other = object.find(negated);
  if (plain != nullptr && other != nullptr)
    return refuse(place, fmt::format("{} and {} exclude each other", name, negated));
  if (plain != nullptr) return Either{plain, Statement::Sense::listed, fmt::format("{}.{}", place, name)};
  if (other != nullptr)
    return Either{other, Statement::Sense::all_but_listed, fmt::format("{}.{}", place, negated)};
  return Either{};
}

/// Bytes that count against a limit: identity policies are measured without white space between tokens.
std::size_t measured_size(std::string_view document, PolicyType type) noexcept {
  if (type == PolicyType::bucket) return document.size();
  std::size_t size = 0;
  bool in_string = false, escaped = false;
  for (const char c : document) {
    if (in_string || (c != ' ' && c != '\t' && c != '\n' && c != '\r')) ++size;
    if (!escaped && c == '"') in_string = !in_string;
    escaped = in_string && !escaped && c == '\\';
  }
  return size;
}

constexpr std::size_t raw_size_max = std::size_t{64} * 1024;

bool has_only(std::string_view text, std::string_view signs) noexcept {
  return std::ranges::all_of(text, [signs](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           signs.find(c) != signs.npos;
  });
}

/// Keys of a condition that say who sends a request.
bool is_about_sender(ContextKey key) noexcept {
  switch (key) {
    case ContextKey::principal_account:
    case ContextKey::principal_arn:
    case ContextKey::source_account:
    case ContextKey::source_arn:
    case ContextKey::source_ip:
    case ContextKey::user_id:
    case ContextKey::sse_kms_key_id:
      return true;
    default:
      return false;
  }
}

}  // namespace

std::size_t document_size_max(PolicyType type) noexcept {
  switch (type) {
    case PolicyType::managed:
      return 6144;
    case PolicyType::identity_inline:
      return 10240;
    case PolicyType::session:
    case PolicyType::trust:
      return 2048;
    case PolicyType::bucket:
      return 20480;
  }
  return 0;
}

/// Makes a policy of a document's tree, statement by statement.
class PolicyParser {
 public:
  PolicyParser(PolicyType type, std::string_view bucket) : bucket_(bucket) { policy_.type_ = type; }

  Result<Policy> parse(const JsonValue& root);

 private:
  bool is_bucket() const noexcept { return policy_.type_ == PolicyType::bucket; }
  bool names_principals() const noexcept { return is_bucket() || policy_.type_ == PolicyType::trust; }

  Result<> read_version(const JsonValue& root);
  Result<> add_statement(const JsonValue& value, const std::string& place);
  Result<> read_sid(const JsonValue& value, const std::string& place, Statement& statement);
  Result<> read_effect(const JsonValue& value, const std::string& place, Statement& statement) const;
  Result<> read_principals(const JsonValue& value, const std::string& place, Statement& statement) const;
  Result<> add_principals(const Either& from, Statement& statement) const;
  static Result<> add_principal(std::string_view type, const Text& text, PrincipalSet& principals);
  Result<> read_actions(const JsonValue& value, const std::string& place, Statement& statement) const;
  Result<ActionSet> read_action(const Text& text) const;
  Result<> read_resources(const JsonValue& value, const std::string& place, Statement& statement) const;
  Result<Pattern> read_resource(const Text& text) const;
  Result<> check_levels(const std::string& place, const Statement& statement) const;
  Result<> read_conditions(const JsonValue& value, const std::string& place, Statement& statement) const;
  Result<> read_condition(const JsonValue& value, const std::string& place, std::string_view operation,
                          Statement& statement) const;
  void note(const Statement& statement);

  std::string_view bucket_;
  PatternRules::Variables variables_ = PatternRules::Variables::literal;
  Policy policy_;
};

Result<Policy> Policy::parse(std::string_view document, PolicyType type, std::string_view bucket) {
  if (document.size() > raw_size_max || measured_size(document, type) > document_size_max(type))
    return fail(Errc::too_large,
                fmt::format("a policy of this type has at most {} bytes", document_size_max(type)));
  const auto root = detail::parse_json(document);
  if (!root) return fail(root.error());
  return PolicyParser(type, bucket).parse(*root);
}

Result<Policy> PolicyParser::parse(const JsonValue& root) {
  static constexpr std::string_view members[] = {"Version", "Id", "Statement"};
  if (!root.is_object()) return refuse({}, "a policy is a JSON object");
  KISEKI_TRY(check_members(root, "policy", members));
  KISEKI_TRY(read_version(root));
  if (const JsonValue* id = root.find("Id"); id != nullptr && !id->is_text())
    return refuse("Id", "a string is needed");
  const JsonValue* statements = root.find("Statement");
  if (statements == nullptr) return refuse("Statement", "is missing");
  if (statements->is_object()) {
    KISEKI_TRY(add_statement(*statements, "Statement"));
    return std::move(policy_);
  }
  if (!statements->is_array() || statements->items.empty())
    return refuse("Statement", "a statement or a list of them is needed");
  for (std::size_t i = 0; i < statements->items.size(); ++i) {
    KISEKI_TRY(add_statement(statements->items[i], fmt::format("Statement[{}]", i)));
  }
  return std::move(policy_);
}

Result<> PolicyParser::read_version(const JsonValue& root) {
  const JsonValue* version = root.find("Version");
  if (version == nullptr) return {};
  if (!version->is_text() || (version->text != "2012-10-17" && version->text != "2008-10-17"))
    return refuse("Version", "is 2012-10-17 or 2008-10-17");
  if (version->text == "2012-10-17") variables_ = PatternRules::Variables::expand;
  return {};
}

Result<> PolicyParser::add_statement(const JsonValue& value, const std::string& place) {
  static constexpr std::string_view members[] = {"Sid",          "Effect",      "Principal",
                                                 "NotPrincipal", "Action",      "NotAction",
                                                 "Resource",     "NotResource", "Condition"};
  if (!value.is_object()) return refuse(place, "a statement is a JSON object");
  KISEKI_TRY(check_members(value, place, members));
  Statement statement;
  KISEKI_TRY(read_sid(value, place, statement));
  KISEKI_TRY(read_effect(value, place, statement));
  KISEKI_TRY(read_principals(value, place, statement));
  KISEKI_TRY(read_actions(value, place, statement));
  KISEKI_TRY(read_resources(value, place, statement));
  KISEKI_TRY(check_levels(place, statement));
  KISEKI_TRY(read_conditions(value, place, statement));
  note(statement);
  policy_.statements_.push_back(std::move(statement));
  return {};
}

Result<> PolicyParser::read_sid(const JsonValue& value, const std::string& place, Statement& statement) {
  const JsonValue* sid = value.find("Sid");
  if (sid == nullptr) return {};
  const std::string_view signs = is_bucket() ? " -_.:,;/+=@" : "";
  if (!sid->is_text() || !has_only(sid->text, signs))
    return refuse(place + ".Sid", "a string of letters and digits is needed");
  const bool taken = !sid->text.empty() && std::ranges::find(policy_.statements_, sid->text,
                                                             &Statement::sid) != policy_.statements_.end();
  if (taken) return refuse(place + ".Sid", "another statement has it");
  statement.sid = sid->text;
  return {};
}

Result<> PolicyParser::read_effect(const JsonValue& value, const std::string& place,
                                   Statement& statement) const {
  const JsonValue* effect = value.find("Effect");
  if (effect == nullptr || !effect->is_text() || (effect->text != "Allow" && effect->text != "Deny"))
    return refuse(place + ".Effect", "is Allow or Deny");
  statement.effect = effect->text == "Allow" ? Effect::allow : Effect::deny;
  return {};
}

Result<> PolicyParser::read_principals(const JsonValue& value, const std::string& place,
                                       Statement& statement) const {
  const auto from = read_either(value, place, "Principal");
  if (!from) return fail(from.error());
  if (from->value == nullptr) {
    if (names_principals()) return refuse(place + ".Principal", "is missing");
    return {};
  }
  if (!names_principals()) return refuse(from->place, "a policy of an identity names no principal");
  statement.principal_sense = from->sense;
  return add_principals(*from, statement);
}

Result<> PolicyParser::add_principals(const Either& from, Statement& statement) const {
  if (from.value->is_text()) {
    if (from.value->text != "*") return refuse(from.place, "is \"*\" or an object such as {\"AWS\": …}");
    return statement.principals.add_aws("*");
  }
  if (!from.value->is_object() || from.value->names.empty())
    return refuse(from.place, "is \"*\" or an object such as {\"AWS\": …}");
  for (std::size_t i = 0; i < from.value->names.size(); ++i) {
    const std::string& type = from.value->names[i];
    const auto texts =
        read_texts(from.value->items[i], fmt::format("{}.{}", from.place, type), Scalars::strings);
    if (!texts) return fail(texts.error());
    for (const Text& text : *texts) KISEKI_TRY(add_principal(type, text, statement.principals));
  }
  return {};
}

Result<> PolicyParser::add_principal(std::string_view type, const Text& text, PrincipalSet& principals) {
  if (text.text.empty()) return refuse(text.place, "is empty");
  if (type == "AWS") {
    const auto added = principals.add_aws(text.text);
    if (!added) return refuse(text.place, added.error());
  } else if (type == "CanonicalUser") {
    principals.add_canonical(text.text);
  } else if (type == "Service" || type == "Federated") {
    principals.add_foreign();
  } else {
    return refuse(text.place, "the types of principals are AWS, CanonicalUser, Service and Federated");
  }
  return {};
}

Result<> PolicyParser::read_actions(const JsonValue& value, const std::string& place,
                                    Statement& statement) const {
  const auto from = read_either(value, place, "Action");
  if (!from) return fail(from.error());
  if (from->value == nullptr) return refuse(place + ".Action", "is missing");
  const auto texts = read_texts(*from->value, from->place, Scalars::strings);
  if (!texts) return fail(texts.error());
  for (const Text& text : *texts) {
    const auto actions = read_action(text);
    if (!actions) return fail(actions.error());
    statement.actions.add(*actions);
  }
  if (from->sense == Statement::Sense::all_but_listed) statement.actions = statement.actions.complement();
  return {};
}

/// Policies of identities may name actions of services that are not here. A bucket's or a role's may not: a
/// word nobody knows there is a mistake that would otherwise grant or forbid nothing in silence.
Result<ActionSet> PolicyParser::read_action(const Text& text) const {
  if (text.text == "*") return ActionSet::matching("*");
  const std::size_t colon = text.text.find(':');
  const bool formed = colon != std::string::npos && colon > 0 && colon + 1 < text.text.size() &&
                      has_only(text.text.substr(0, colon), "-") &&
                      has_only(text.text.substr(colon + 1), "*?");
  if (!formed) return refuse(text.place, "an action has the form service:Name");
  ActionSet actions = ActionSet::matching(text.text);
  if (!names_principals()) return actions;
  const std::string_view service = is_bucket() ? "s3" : "sts";
  if (!equal_in_any_case(text.text.substr(0, colon), service) || actions.empty())
    return refuse(text.place, fmt::format("no action of {}", service));
  return actions;
}

Result<> PolicyParser::read_resources(const JsonValue& value, const std::string& place,
                                      Statement& statement) const {
  const auto from = read_either(value, place, "Resource");
  if (!from) return fail(from.error());
  if (policy_.type_ == PolicyType::trust) {
    if (from->value != nullptr) return refuse(from->place, "a trust policy is about its role alone");
    return {};
  }
  if (from->value == nullptr) return refuse(place + ".Resource", "is missing");
  statement.resource_sense = from->sense;
  const auto texts = read_texts(*from->value, from->place, Scalars::strings);
  if (!texts) return fail(texts.error());
  for (const Text& text : *texts) {
    auto pattern = read_resource(text);
    if (!pattern) return fail(pattern.error());
    statement.resources.push_back(std::move(*pattern));
  }
  return {};
}

Result<Pattern> PolicyParser::read_resource(const Text& text) const {
  auto pattern = Pattern::compile(text.text, {.variables = variables_});
  if (!pattern) return refuse(text.place, pattern.error());
  if (text.text != "*" && std::ranges::count(text.text, ':') < 5)
    return refuse(text.place, "a resource is \"*\" or an ARN");
  if (!is_bucket()) return pattern;
  const std::string bucket = fmt::format("arn:aws:s3:::{}", bucket_);
  const bool reaches =
      pattern->may_begin_with(bucket + "/") || pattern->match(bucket, Context{}) != Match::no;
  if (!reaches) return refuse(text.place, "names nothing of this bucket");
  return pattern;
}

/// Of a bucket's policy: some action can be done to some resource.
Result<> PolicyParser::check_levels(const std::string& place, const Statement& statement) const {
  if (!is_bucket() || statement.resource_sense == Statement::Sense::all_but_listed) return {};
  const bool bucket =
      statement.actions.has_level(Level::bucket) &&
      std::ranges::any_of(statement.resources, [](const Pattern& p) { return p.may_lack('/'); });
  const bool object =
      statement.actions.has_level(Level::object) &&
      std::ranges::any_of(statement.resources, [](const Pattern& p) { return p.may_hold('/'); });
  if (!bucket && !object) return refuse(place, "no action of it can be done to a resource of it");
  return {};
}

Result<> PolicyParser::read_conditions(const JsonValue& value, const std::string& place,
                                       Statement& statement) const {
  const JsonValue* block = value.find("Condition");
  if (block == nullptr) return {};
  const std::string inner = place + ".Condition";
  if (!block->is_object()) return refuse(inner, "is an object of operators");
  for (std::size_t i = 0; i < block->names.size(); ++i) {
    const JsonValue& keys = block->items[i];
    const std::string where = fmt::format("{}.{}", inner, block->names[i]);
    if (!keys.is_object()) return refuse(where, "is an object of condition keys");
    KISEKI_TRY(read_condition(keys, where, block->names[i], statement));
  }
  return {};
}

Result<> PolicyParser::read_condition(const JsonValue& keys, const std::string& place,
                                      std::string_view operation, Statement& statement) const {
  for (std::size_t i = 0; i < keys.names.size(); ++i) {
    const std::string where = fmt::format("{}[\"{}\"]", place, keys.names[i]);
    const auto texts = read_texts(keys.items[i], where, Scalars::all);
    if (!texts) return fail(texts.error());
    std::vector<std::string> values;
    for (const Text& text : *texts) values.push_back(text.text);
    auto condition = Condition::compile(operation, keys.names[i], values, variables_);
    if (!condition) return refuse(where, condition.error());
    if (is_bucket() && condition->key().key == ContextKey::other)
      return refuse(where, "requests of S3 have no such key");
    statement.conditions.push_back(std::move(*condition));
  }
  return {};
}

void PolicyParser::note(const Statement& statement) {
  for (const Pattern& pattern : statement.resources) pattern.add_keys(policy_.keys_);
  for (const Condition& condition : statement.conditions) condition.add_keys(policy_.keys_);
  const bool to_everyone =
      statement.principals.has_everyone() || statement.principal_sense == Statement::Sense::all_but_listed;
  const bool pinned = std::ranges::any_of(statement.conditions, [](const Condition& condition) {
    return is_about_sender(condition.key().key) && condition.pins_its_key();
  });
  if (is_bucket() && statement.effect == Effect::allow && to_everyone && !pinned) policy_.is_public_ = true;
}

}  // namespace kiseki::iam
