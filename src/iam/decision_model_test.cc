#include <gtest/gtest.h>

#include "base/rng.h"
#include "iam/decision.h"
#include "iam/testing/cast.h"
#include "sim/simulation.h"

// Random policies over few names, written as documents and read by the parser, against a plain model of the
// rules that shares no code with what it judges.

namespace kiseki::iam {
namespace {

using Texts = std::vector<std::string>;

struct ModelCondition {
  std::string operation, key;
  Texts values;
};

struct ModelStatement {
  bool deny = false, not_principal = false, not_action = false, not_resource = false;
  Texts principals, actions, resources;
  std::vector<ModelCondition> conditions;
};

using ModelPolicy = std::vector<ModelStatement>;

struct ModelRequest {
  std::string action, resource;
  std::map<std::string, std::string> keys;
};

bool glob(std::string_view pattern, std::string_view text) {
  if (pattern.empty()) return text.empty();
  if (pattern[0] == '*')
    return glob(pattern.substr(1), text) || (!text.empty() && glob(pattern, text.substr(1)));
  return !text.empty() && (pattern[0] == '?' || pattern[0] == text[0]) &&
         glob(pattern.substr(1), text.substr(1));
}

std::string small_letters(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(c));
  return text;
}

/// The text with variables replaced; nothing when one has no value. No name here holds a wildcard.
std::optional<std::string> expand(std::string text, const ModelRequest& request) {
  const std::string variable = "${aws:username}";
  while (text.contains(variable)) {
    const auto name = request.keys.find("aws:username");
    if (name == request.keys.end()) return std::nullopt;
    text.replace(text.find(variable), variable.size(), name->second);
  }
  return text;
}

/// 1 holds, 0 does not, -1 cannot be said.
int any_glob(const Texts& patterns, const std::string& text, const ModelRequest& request) {
  int result = 0;
  for (const std::string& pattern : patterns) {
    const auto expanded = expand(pattern, request);
    if (!expanded)
      result = -1;
    else if (glob(*expanded, text))
      return 1;
  }
  return result;
}

bool model_holds(const ModelCondition& condition, const ModelRequest& request, bool deny) {
  const auto found = request.keys.find(condition.key);
  const bool there = found != request.keys.end();
  std::string operation = condition.operation;
  if (operation == "Null") return (condition.values[0] == "true") != there;
  if (operation.ends_with("IfExists")) {
    if (!there) return true;
    operation.resize(operation.size() - 8);
  }
  if (operation == "StringLike") return there && any_glob(condition.values, found->second, request) == 1;
  if (operation == "StringNotLike") {
    if (!there) return true;
    const int like = any_glob(condition.values, found->second, request);
    return like == 0 || (like == -1 && deny);
  }
  const bool listed = there && std::ranges::find(condition.values, found->second) != condition.values.end();
  if (operation == "StringEquals") return listed;
  if (operation == "StringNotEquals") return !listed;
  if (operation == "NumericLessThan") {
    if (!there) return false;
    for (const auto& value : condition.values) {
      if (std::stoi(found->second) < std::stoi(value)) return true;
    }
    return false;
  }
  ADD_FAILURE() << operation;
  return false;
}

bool model_applies(const ModelStatement& statement, const ModelRequest& request) {
  bool named = false;
  for (const auto& action : statement.actions) {
    named = named || glob(small_letters(action), small_letters(request.action));
  }
  if (named == statement.not_action) return false;
  const int about = any_glob(statement.resources, request.resource, request);
  if (statement.not_resource ? (about == 1 || (about == -1 && !statement.deny)) : about != 1) return false;
  for (const auto& condition : statement.conditions) {
    if (!model_holds(condition, request, statement.deny)) return false;
  }
  return true;
}

bool has(const Texts& list, const std::string& text) { return std::ranges::find(list, text) != list.end(); }

/// To whom the statements of a bucket's policy that apply speak, seen from one principal.
struct Spoken {
  bool to_me = false, to_role_or_all = false, to_account = false, denied = false;
};

void hear(const ModelStatement& statement, const Principal& who, Spoken& spoken) {
  const bool person = who.type == Principal::Type::user || who.type == Principal::Type::session;
  const bool all = has(statement.principals, "*");
  const bool account = !who.account.empty() && has(statement.principals, who.account);
  const bool me = person && has(statement.principals, who.arn);
  const bool role = who.type == Principal::Type::session && has(statement.principals, who.role_arn);
  if (!statement.not_principal) {
    if (statement.deny) spoken.denied = spoken.denied || all || account || me || role;
    if (statement.deny) return;
    spoken.to_me = spoken.to_me || me;
    spoken.to_role_or_all = spoken.to_role_or_all || all || role;
    spoken.to_account = spoken.to_account || account;
    return;
  }
  const bool whole = all || (account && (!person || me) && (who.type != Principal::Type::session || role));
  if (statement.deny)
    spoken.denied = spoken.denied || !whole;
  else
    spoken.to_role_or_all = spoken.to_role_or_all || !(all || account || me || role);
}

bool any_denies(const ModelPolicy& policy, const ModelRequest& request) {
  return std::ranges::any_of(policy,
                             [&](const auto& one) { return one.deny && model_applies(one, request); });
}
bool any_allows(const ModelPolicy& policy, const ModelRequest& request) {
  return std::ranges::any_of(policy,
                             [&](const auto& one) { return !one.deny && model_applies(one, request); });
}

struct ModelScene {
  std::optional<ModelPolicy> identity, boundary, session, bucket;
};

Decision model_decide(const ModelScene& scene, const Principal& who, const ModelRequest& request) {
  Spoken spoken;
  if (scene.bucket) {
    for (const auto& statement : *scene.bucket) {
      if (model_applies(statement, request)) hear(statement, who, spoken);
    }
  }
  for (const auto* policy : {&scene.identity, &scene.boundary, &scene.session}) {
    if (*policy && any_denies(**policy, request)) return Decision::denied_explicitly;
  }
  if (spoken.denied) return Decision::denied_explicitly;
  const bool limits = (!scene.boundary || any_allows(*scene.boundary, request)) &&
                      (!scene.session || any_allows(*scene.session, request));
  const bool root = who.type == Principal::Type::root;
  const bool own = limits && (root || (scene.identity && any_allows(*scene.identity, request)));
  bool allowed = false;
  if (who.type == Principal::Type::anonymous)
    allowed = spoken.to_role_or_all;
  else if (who.account != account_one)
    allowed = own && (spoken.to_me || spoken.to_role_or_all || spoken.to_account);
  else
    allowed = own || spoken.to_me || (spoken.to_role_or_all && limits);
  return allowed ? Decision::allowed : Decision::denied;
}

/// Draws policies and requests.
class Drawer {
 public:
  explicit Drawer(std::uint64_t seed) : rng_(seed) {}

  bool one_in(std::uint64_t n) { return rng_.below(n) == 0; }
  const std::string& pick(const Texts& from) { return from[rng_.below(from.size())]; }
  Texts some(const Texts& from) {
    Texts picked;
    for (std::uint64_t i = 0; i <= rng_.below(2); ++i) picked.push_back(pick(from));
    return picked;
  }

  ModelCondition condition() {
    static const Texts operations = {"StringEquals",      "StringNotEquals",      "StringLike",
                                     "StringNotLike",     "StringEqualsIfExists", "StringNotLikeIfExists",
                                     "StringLikeIfExists"};
    if (one_in(6))
      return {"Null", pick({"s3:prefix", "s3:delimiter", "aws:username"}), {pick({"true", "false"})}};
    if (one_in(5))
      return {pick({"NumericLessThan", "NumericLessThanIfExists"}), "s3:max-keys", some({"1", "5", "10"})};
    const std::string operation = pick(operations);
    const bool like = operation.contains("Like");
    return {operation, pick({"s3:prefix", "s3:delimiter"}),
            some(like ? Texts{"a*", "*", "?", "*a", "${aws:username}*", "b"} : Texts{"a", "ab", "", "b"})};
  }

  ModelStatement statement(bool of_bucket) {
    ModelStatement made;
    made.deny = one_in(3);
    made.not_action = one_in(6);
    made.not_resource = one_in(6);
    made.actions =
        some({"s3:GetObject", "s3:Get*", "s3:*", "s3:PutObject", "s3:?utobject", "S3:LISTBUCKET", "*"});
    made.resources = some({"arn:aws:s3:::b/*", "arn:aws:s3:::b*", "*", "arn:aws:s3:::b/a*",
                           "arn:aws:s3:::b/?", "arn:aws:s3:::b/${aws:username}/*", "arn:aws:s3:::b/*a*"});
    if (of_bucket) {
      made.not_principal = one_in(5);
      Texts names = {"*", account_one, account_two};
      for (const Principal& who : cast()) {
        if (who.type == Principal::Type::user || who.type == Principal::Type::session)
          names.push_back(who.arn);
        if (who.type == Principal::Type::session) names.push_back(who.role_arn);
      }
      made.principals = some(names);
      if (made.not_principal) made.principals.push_back(pick(names));
    }
    for (std::uint64_t i = rng_.below(3); i > 0; --i) {
      const ModelCondition drawn = condition();
      const auto same = [&](const auto& other) { return other.operation == drawn.operation; };
      if (std::ranges::none_of(made.conditions, same)) made.conditions.push_back(drawn);
    }
    return made;
  }

  std::optional<ModelPolicy> policy(bool of_bucket, std::uint64_t absent_in) {
    if (one_in(absent_in)) return std::nullopt;
    ModelPolicy made;
    for (std::uint64_t i = 0; i <= rng_.below(3); ++i) made.push_back(statement(of_bucket));
    return made;
  }

  ModelRequest request(const Principal& who) {
    ModelRequest made;
    made.action = pick({"s3:GetObject", "s3:PutObject", "s3:ListBucket", "s3:DeleteObject"});
    made.resource = pick({"arn:aws:s3:::b", "arn:aws:s3:::b/a", "arn:aws:s3:::b/alice/x",
                          "arn:aws:s3:::b/bob/x", "arn:aws:s3:::b/ba", "arn:aws:s3:::b/x"});
    if (one_in(2)) made.keys["s3:prefix"] = pick({"a", "ab", "b", "", "alice/", "ba"});
    if (one_in(2)) made.keys["s3:delimiter"] = pick({"a", "b", ""});
    if (one_in(2)) made.keys["s3:max-keys"] = pick({"0", "1", "7", "100"});
    if (who.type == Principal::Type::user) made.keys["aws:username"] = who.name;
    return made;
  }

 private:
  SeededRng rng_;
};

std::string list_of(const Texts& texts) {
  std::string out;
  for (const auto& text : texts) out += (out.empty() ? "\"" : ",\"") + text + "\"";
  return "[" + out + "]";
}

std::string document_of(const ModelPolicy& policy, bool of_bucket) {
  std::string statements;
  for (const ModelStatement& one : policy) {
    std::string text =
        fmt::format(R"({{"Effect":"{}","{}Action":{},"{}Resource":{})", one.deny ? "Deny" : "Allow",
                    one.not_action ? "Not" : "", list_of(one.actions), one.not_resource ? "Not" : "",
                    list_of(one.resources));
    if (of_bucket)
      text += fmt::format(R"(,"{}Principal":{{"AWS":{}}})", one.not_principal ? "Not" : "",
                          list_of(one.principals));
    std::string conditions;
    for (const ModelCondition& condition : one.conditions) {
      conditions += fmt::format(R"({}"{}":{{"{}":{}}})", conditions.empty() ? "" : ",", condition.operation,
                                condition.key, list_of(condition.values));
    }
    statements +=
        fmt::format(R"({}{},"Condition":{{{}}}}})", statements.empty() ? "" : ",", text, conditions);
  }
  return fmt::format(R"({{"Version":"2012-10-17","Statement":[{}]}})", statements);
}

/// Nothing: the document is refused, as a bucket's whose actions fit none of its resources.
std::optional<Policy> read(const std::optional<ModelPolicy>& policy, PolicyType type, bool& refused) {
  if (!policy) return std::nullopt;
  auto parsed = Policy::parse(document_of(*policy, type == PolicyType::bucket), type, "b");
  if (!parsed) {
    EXPECT_TRUE(parsed.error().words().contains("no action of it can be done")) << parsed.error().words();
    refused = true;
    return std::nullopt;
  }
  return *parsed;
}

std::string describe_scene(const ModelScene& scene, const Principal& who, const ModelRequest& request) {
  std::string out = who.arn + " " + request.action + " " + request.resource;
  for (const auto& [key, value] : request.keys) out += " " + key + "=" + value;
  for (const auto* policy : {&scene.identity, &scene.boundary, &scene.session, &scene.bucket}) {
    out += "\n" + (*policy ? document_of(**policy, policy == &scene.bucket) : "none");
  }
  return out;
}

Decision ask(const std::array<std::optional<Policy>, 4>& policies, const Principal& who,
             const ModelRequest& asked) {
  Context context;
  who.describe(context);
  const std::pair<ContextKey, const char*> keys[] = {{ContextKey::prefix, "s3:prefix"},
                                                     {ContextKey::delimiter, "s3:delimiter"},
                                                     {ContextKey::max_keys, "s3:max-keys"}};
  for (const auto& [key, name] : keys) {
    if (const auto found = asked.keys.find(name); found != asked.keys.end()) context.set(key, found->second);
  }
  const Policy* const own[] = {policies[0] ? &*policies[0] : nullptr};
  IdentitySide identity;
  if (policies[0]) identity.policies = own;
  if (policies[1]) identity.boundary = &*policies[1];
  if (policies[2]) identity.session = &*policies[2];
  ResourceSide resource;
  resource.account = account_one;
  resource.policy = policies[3] ? &*policies[3] : nullptr;
  return decide({who, *find_action(asked.action), asked.resource, context}, identity, resource);
}

TEST(Decisions, agree_with_a_plain_model) {
  std::array<std::size_t, 3> outcomes{};
  const auto seeds = sim::Seeds::from_environment(8000);
  for (std::uint64_t seed = seeds.first; seed < seeds.first + seeds.count; ++seed) {
    Drawer drawer(seed);
    const auto people = cast();
    const Principal& who = people[seed % cast_size];
    ModelScene scene;
    const bool person = who.type == Principal::Type::user || who.type == Principal::Type::session;
    if (person) scene.identity = drawer.policy(false, 4);
    if (person) scene.boundary = drawer.policy(false, 2);
    if (who.type == Principal::Type::session) scene.session = drawer.policy(false, 2);
    scene.bucket = drawer.policy(true, 4);
    bool refused = false;
    const std::array<std::optional<Policy>, 4> policies = {read(scene.identity, PolicyType::managed, refused),
                                                           read(scene.boundary, PolicyType::managed, refused),
                                                           read(scene.session, PolicyType::session, refused),
                                                           read(scene.bucket, PolicyType::bucket, refused)};
    if (refused) continue;
    for (int i = 0; i < 8; ++i) {
      const ModelRequest request = drawer.request(who);
      const Decision expected = model_decide(scene, who, request);
      ASSERT_EQ(ask(policies, who, request), expected)
          << "seed " << seed << ": " << describe_scene(scene, who, request);
      ++outcomes[static_cast<std::size_t>(expected)];
    }
  }
  if (seeds.count < 100) return;  // too few to meet every outcome often
  for (const std::size_t count : outcomes) EXPECT_GT(count, seeds.count / 4);
}

}  // namespace
}  // namespace kiseki::iam
