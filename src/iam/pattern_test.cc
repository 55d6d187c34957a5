#include "iam/pattern.h"

#include <gtest/gtest.h>

#include "iam/actions.h"

namespace kiseki::iam {
namespace {

/// Texts that match stand behind '+', others behind '-'.
struct Row {
  std::string pattern;
  std::vector<std::string> texts;
};

const Row rows[] = {
    {"", {"+", "-a"}},
    {"a", {"+a", "-", "-b", "-aa", "-A"}},
    {"*", {"+", "+a", "+a/b/c", "+*"}},
    {"**", {"+", "+abc"}},
    {"?", {"+a", "+é", "+?", "-", "-ab"}},
    {"a?c", {"+abc", "+a/c", "+aéc", "-ac", "-abbc"}},
    {"a*c", {"+ac", "+abc", "+a/b/c", "+acc", "-acb", "-ab"}},
    {"*a", {"+a", "+ba", "+aa", "-ab"}},
    {"a*", {"+a", "+ab", "-ba"}},
    {"*a*", {"+a", "+bab", "-b", "-"}},
    {"*ab*ab", {"+abab", "+xabyab", "-ab", "-aba", "+ababab"}},
    {"a*b*c", {"+abc", "+axbxc", "+abbcc", "-acb", "+abcbc"}},
    {"*?", {"+a", "+ab", "+é", "-"}},
    {"?*?", {"+ab", "+abc", "-a"}},
    {"a**b", {"+ab", "+axb", "-a"}},
    {"arn:aws:s3:::b", {"+arn:aws:s3:::b", "-arn:aws:s3:::b/k", "-arn:aws:s3:::bb"}},
    {"arn:aws:s3:::b/*",
     {"+arn:aws:s3:::b/", "+arn:aws:s3:::b/k/l", "-arn:aws:s3:::b", "-arn:aws:s3:::bb/k"}},
    {"arn:aws:s3:::b*", {"+arn:aws:s3:::b", "+arn:aws:s3:::b2/k", "-arn:aws:s3:::a"}},
    {"arn:aws:s3::*:b", {"+arn:aws:s3:::b", "+arn:aws:s3::1:b", "-arn:aws:s3:::c"}},
    {"${aws:username}", {"+alice", "-bob", "-${aws:username}"}},
    {"h/${aws:username}/*", {"+h/alice/", "+h/alice/x", "-h/bob/x", "-h/alice"}},
    {"*${aws:username}", {"+alice", "+xalice", "+alicealice", "-alicex"}},
    {"${AWS:UserName}", {"+alice"}},
    {"${*}", {"+*", "-a", "-**"}},
    {"a${?}${$}*", {"+a?$", "+a?$b", "-ab$", "-a?b"}},
    {"${aws:PrincipalTag/team, 'none'}", {"+none", "-red"}},
    {"${aws:username, 'none'}", {"+alice", "-none"}},
    {"${aws:PrincipalTag/wild}", {"+a*", "-ab", "-a"}},
    {"$", {"+$"}},
    {"$a", {"+$a"}},
};

TEST(Pattern, matches_what_it_says) {
  Context context;
  context.set(ContextKey::user_name, "alice");
  const Tag tags[] = {{"wild", "a*"}};
  context.set_tags(ContextKey::principal_tag, tags);
  for (const Row& row : rows) {
    const auto pattern = Pattern::compile(row.pattern, {});
    ASSERT_TRUE(pattern) << row.pattern;
    for (const std::string& text : row.texts) {
      EXPECT_EQ(pattern->match(std::string_view(text).substr(1), context) == Match::yes, text[0] == '+')
          << row.pattern << " on " << text;
    }
  }
}

TEST(Pattern, is_unknown_when_a_variable_has_no_value) {
  const Context nobody;
  EXPECT_EQ(Pattern::compile("h/${aws:username}/*", {})->match("h/x/y", nobody), Match::unknown);
  EXPECT_EQ(Pattern::compile("${no:such}", {})->match("", nobody), Match::unknown);
}

TEST(Pattern, does_not_expand_variables_where_they_are_text) {
  const auto pattern = Pattern::compile("${aws:username}*", {.variables = PatternRules::Variables::literal});
  EXPECT_TRUE(pattern->matches("${aws:username}x"));
  EXPECT_FALSE(pattern->matches("alice"));
}

TEST(Pattern, takes_wildcards_as_text_and_ignores_case_when_told) {
  using enum PatternRules::Wildcards;
  EXPECT_TRUE(Pattern::compile("a*", {.wildcards = literal})->matches("a*"));
  EXPECT_FALSE(Pattern::compile("a*", {.wildcards = literal})->matches("ab"));
  const PatternRules any_case{.wildcards = literal, .letters = PatternRules::Case::ignored};
  EXPECT_TRUE(Pattern::compile("aB", any_case)->matches("Ab"));
  EXPECT_FALSE(Pattern::compile("aB", any_case)->matches("Abc"));
}

TEST(Pattern, refuses_variables_that_are_none) {
  for (const auto* text :
       {"${", "${aws:username", "${}", "${username}", "${aws:username,x}", "${aws:username, 'x}",
        "${aws:username 'x'}", "${aws:username,}", "${aws:PrincipalTag/}", "${:x}"}) {
    EXPECT_FALSE(Pattern::compile(text, {})) << text;
  }
}

TEST(Pattern, says_what_it_may_begin_with_and_hold) {
  const auto may_begin = [](std::string_view pattern, std::string_view prefix) {
    return Pattern::compile(pattern, {})->may_begin_with(prefix);
  };
  EXPECT_TRUE(may_begin("b/*", "b/"));
  EXPECT_TRUE(may_begin("*", "b/"));
  EXPECT_TRUE(may_begin("?/x", "b/"));
  EXPECT_TRUE(may_begin("${aws:username}", "b/"));
  EXPECT_TRUE(may_begin("b/k", "b/"));
  EXPECT_TRUE(may_begin("*c*", "b/"));
  EXPECT_FALSE(may_begin("b", "b/"));
  EXPECT_FALSE(may_begin("bb/*", "b/"));
  EXPECT_FALSE(may_begin("?b/*", "b/"));
  EXPECT_TRUE(Pattern::wildcards("b/k").may_hold('/'));
  EXPECT_FALSE(Pattern::wildcards("b").may_hold('/'));
  EXPECT_TRUE(Pattern::wildcards("b*").may_hold('/'));
  EXPECT_TRUE(Pattern::wildcards("b*").may_lack('/'));
  EXPECT_FALSE(Pattern::wildcards("b/*").may_lack('/'));
}

TEST(Pattern, of_many_wildcards_takes_time_linear_in_text_times_pattern) {
  std::string pattern, text(1024, 'a');
  for (int i = 0; i < 500; ++i) pattern += "a*";
  EXPECT_FALSE(Pattern::wildcards(pattern + "b").matches(text));  // would not end in a lifetime otherwise
}

TEST(Actions, are_found_in_any_case_and_by_wildcards) {
  EXPECT_EQ(find_action("s3:getobject"), Action::get_object);
  EXPECT_EQ(find_action("S3:GetObject"), Action::get_object);
  EXPECT_FALSE(find_action("s3:GetObjects"));
  EXPECT_FALSE(find_action("s3:*"));
  const ActionSet gets = ActionSet::matching("s3:Get*");
  EXPECT_TRUE(gets.contains(Action::get_object));
  EXPECT_TRUE(gets.contains(Action::get_bucket_acl));
  EXPECT_FALSE(gets.contains(Action::put_object));
  EXPECT_FALSE(gets.contains(Action::get_user));
  EXPECT_TRUE(ActionSet::matching("S3:?UTobject").contains(Action::put_object));
  EXPECT_TRUE(ActionSet::matching("s3:No*").empty());
  EXPECT_FALSE(ActionSet::matching("*").complement().contains(Action::assume_role));
  EXPECT_TRUE(ActionSet::matching("s3:ListBucket").has_level(Level::bucket));
  EXPECT_FALSE(ActionSet::matching("s3:ListBucket").has_level(Level::object));
}

TEST(Actions, stand_in_the_table_under_their_own_name) {
  for (std::size_t i = 0; i < action_count; ++i) {
    const auto action = static_cast<Action>(i);
    EXPECT_EQ(find_action(describe(action).name), action) << describe(action).name;
  }
  EXPECT_EQ(describe(Action::get_object).name, "s3:GetObject");
  EXPECT_EQ(describe(Action::put_bucket_cors).name, "s3:PutBucketCORS");
  EXPECT_EQ(describe(Action::list_all_my_buckets).name, "s3:ListAllMyBuckets");
  EXPECT_EQ(describe(Action::create_user).name, "iam:CreateUser");
  EXPECT_EQ(describe(Action::assume_role).name, "sts:AssumeRole");
}

}  // namespace
}  // namespace kiseki::iam
