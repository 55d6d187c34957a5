#include "iam/policy.h"

#include <gtest/gtest.h>

#include "iam/testing/fuzz_targets.h"

namespace kiseki::iam {
namespace {

/// A document in which single quotes stand for double ones.
std::string quoted(std::string text) {
  std::ranges::replace(text, '\'', '"');
  return text;
}

Result<Policy> parse(const std::string& text, PolicyType type) {
  return Policy::parse(quoted(text), type, "b");
}

/// Why a statement with this inside is refused; empty: it is not.
std::string why(const std::string& inside, PolicyType type) {
  const auto policy = parse("{'Version':'2012-10-17','Statement':[{" + inside + "}]}", type);
  return policy ? "" : policy.error().words();
}

constexpr auto bucket = PolicyType::bucket;
constexpr auto managed = PolicyType::managed;
constexpr auto trust = PolicyType::trust;

const std::string everyone = "'Effect':'Allow','Principal':'*',";
const std::string get = "'Action':'s3:GetObject','Resource':'arn:aws:s3:::b/*'";

TEST(Policies, are_read_in_every_form) {
  EXPECT_EQ(why(everyone + get, bucket), "");
  EXPECT_EQ(why("'Effect':'Deny','Principal':{'AWS':'*'}," + get, bucket), "");
  EXPECT_EQ(why("'Effect':'Allow','Principal':{'AWS':['000000000001','arn:aws:iam::000000000002:root','arn:"
                "aws:iam::"
                "000000000002:user/p/a','arn:aws:iam::000000000002:role/"
                "r','arn:aws:sts::000000000002:assumed-role/r/"
                "s'],'CanonicalUser':'c','Service':'s3.amazonaws.com','Federated':'x'}," +
                    get,
                bucket),
            "");
  EXPECT_EQ(why("'Effect':'Deny','NotPrincipal':{'AWS':'000000000001'}," + get, bucket), "");
  EXPECT_EQ(why(everyone + "'NotAction':'s3:PutObject','NotResource':'arn:aws:s3:::b/x'", bucket), "");
  EXPECT_EQ(why(everyone + "'Action':['s3:List*','s3:Get*'],'Resource':['arn:aws:s3:::b','arn:aws:s3:::b/*']",
                bucket),
            "");
  EXPECT_EQ(why(everyone + "'Action':'*','Resource':'*'", bucket), "");
  EXPECT_EQ(
      why("'Sid':'A1','Effect':'Allow','Action':'ec2:Start*','Resource':'arn:aws:ec2:r:1:i/x'", managed), "");
  EXPECT_EQ(why("'Effect':'Allow','Principal':{'AWS':'000000000001'},'Action':'sts:AssumeRole'", trust), "");
  EXPECT_EQ(why(everyone + get +
                    ",'Condition':{'NumericLessThan':{'s3:max-keys':10},'Bool':{'aws:SecureTransport':"
                    "true},'StringLike':{'s3:prefix':['a','b*']}}",
                bucket),
            "");
  EXPECT_TRUE(parse("{'Id':'x','Statement':{" + everyone + get + "}}", bucket));
}

struct Refused {
  std::string inside;
  PolicyType type;
  std::string words;
};

TEST(Policies, are_refused_with_the_place_of_the_mistake) {
  const std::string s = "Statement[0]";
  const Refused table[] = {
      {"'Principal':'*'," + get, bucket, s + ".Effect: is Allow or Deny"},
      {"'Effect':'allow','Principal':'*'," + get, bucket, s + ".Effect: is Allow or Deny"},
      {"'Effect':'Allow'," + get, bucket, s + ".Principal: is missing"},
      {"'Effect':'Allow','Principal':'x'," + get, bucket,
       s + ".Principal: is \"*\" or an object such as {\"AWS\": …}"},
      {"'Effect':'Allow','Principal':{}," + get, bucket,
       s + ".Principal: is \"*\" or an object such as {\"AWS\": …}"},
      {"'Effect':'Allow','Principal':{'AWS':[]}," + get, bucket,
       s + ".Principal.AWS: a string or a list of strings is needed"},
      {"'Effect':'Allow','Principal':{'AWS':['*','1']}," + get, bucket,
       s + ".Principal.AWS[1]: a principal is \"*\", an account of 12 digits or the ARN of one"},
      {"'Effect':'Allow','Principal':{'AWS':'arn:aws:iam::000000000001:user/*'}," + get, bucket,
       s + ".Principal.AWS: no wildcard stands in the ARN of a principal"},
      {"'Effect':'Allow','Principal':{'Other':'x'}," + get, bucket,
       s + ".Principal.Other: the types of principals are AWS, CanonicalUser, Service and Federated"},
      {"'Effect':'Allow','Principal':'*','NotPrincipal':'*'," + get, bucket,
       s + ": Principal and NotPrincipal exclude each other"},
      {everyone + get, managed, s + ".Principal: a policy of an identity names no principal"},
      {everyone + "'Resource':'arn:aws:s3:::b/*'", bucket, s + ".Action: is missing"},
      {everyone + "'Action':[],'Resource':'*'", bucket,
       s + ".Action: a string or a list of strings is needed"},
      {everyone + "'Action':['s3:GetObject','s3:GetObjects'],'Resource':'*'", bucket,
       s + ".Action[1]: no action of s3"},
      {everyone + "'Action':'iam:CreateUser','Resource':'*'", bucket, s + ".Action: no action of s3"},
      {everyone + "'Action':'GetObject','Resource':'*'", bucket,
       s + ".Action: an action has the form service:Name"},
      {everyone + "'Action':1,'Resource':'*'", bucket,
       s + ".Action: a string or a list of strings is needed"},
      {everyone + "'Action':'s3:*','NotAction':'s3:*','Resource':'*'", bucket,
       s + ": Action and NotAction exclude each other"},
      {everyone + "'Action':'s3:GetObject'", bucket, s + ".Resource: is missing"},
      {everyone + "'Action':'s3:GetObject','Resource':'b/*'", bucket,
       s + ".Resource: a resource is \"*\" or an ARN"},
      {everyone + "'Action':'s3:GetObject','Resource':['arn:aws:s3:::b/*','arn:aws:s3:::c/*']", bucket,
       s + ".Resource[1]: names nothing of this bucket"},
      {everyone + "'Action':'s3:GetObject','Resource':'arn:aws:s3:::bb/*'", bucket,
       s + ".Resource: names nothing of this bucket"},
      {everyone + "'Action':'s3:GetObject','Resource':'arn:aws:s3:::b'", bucket,
       s + ": no action of it can be done to a resource of it"},
      {everyone + "'Action':'s3:ListBucket','Resource':'arn:aws:s3:::b/*'", bucket,
       s + ": no action of it can be done to a resource of it"},
      {everyone + "'Action':'s3:GetObject','Resource':'arn:aws:s3:::b/${'", bucket,
       s + ".Resource: a policy variable is not closed"},
      {"'Effect':'Allow','Principal':'*','Action':'sts:AssumeRole','Resource':'*'", trust,
       s + ".Resource: a trust policy is about its role alone"},
      {"'Effect':'Allow','Principal':'*','Action':'s3:GetObject'", trust, s + ".Action: no action of sts"},
      {"'Sid':'a b','Effect':'Allow'," + get, managed, s + ".Sid: a string of letters and digits is needed"},
      {everyone + get + ",'Extra':1", bucket, s + ": \"Extra\" is no element of it"},
      {everyone + get + ",'Condition':[]", bucket, s + ".Condition: is an object of operators"},
      {everyone + get + ",'Condition':{'StringEquals':'x'}", bucket,
       s + ".Condition.StringEquals: is an object of condition keys"},
      {everyone + get + ",'Condition':{'StringIs':{'s3:prefix':'x'}}", bucket,
       s + ".Condition.StringIs[\"s3:prefix\"]: no such condition operator"},
      {everyone + get + ",'Condition':{'StringEquals':{'s3:prefixes':'x'}}", bucket,
       s + ".Condition.StringEquals[\"s3:prefixes\"]: requests of S3 have no such key"},
      {everyone + get + ",'Condition':{'IpAddress':{'aws:SourceIp':['10.0.0.1','x']}}", bucket,
       s + ".Condition.IpAddress[\"aws:SourceIp\"]: x: no IP address or block of addresses"},
      {everyone + get + ",'Condition':{'StringEquals':{'s3:prefix':[]}}", bucket,
       s + ".Condition.StringEquals[\"s3:prefix\"]: a string or a list of strings is needed"},
      {everyone + get + ",'Condition':{'StringEquals':{'s3:prefix':[null]}}", bucket,
       s + ".Condition.StringEquals[\"s3:prefix\"][0]: a string is needed"},
      {everyone + get + ",'Action':'s3:*'", bucket, "\"Action\" stands twice"},
  };
  for (const Refused& row : table) EXPECT_EQ(why(row.inside, row.type), row.words) << row.inside;
}

std::string why_whole(const std::string& text) {
  const auto policy = parse(text, bucket);
  return policy ? "" : policy.error().words();
}

TEST(Policies, that_are_no_policies_are_refused) {
  EXPECT_EQ(why_whole("[]"), "a policy is a JSON object");
  EXPECT_EQ(why_whole("{}"), "Statement: is missing");
  EXPECT_EQ(why_whole("{'Statement':[]}"), "Statement: a statement or a list of them is needed");
  EXPECT_EQ(why_whole("{'Statement':[1]}"), "Statement[0]: a statement is a JSON object");
  EXPECT_EQ(why_whole("{'Version':'2020-01-01','Statement':[]}"), "Version: is 2012-10-17 or 2008-10-17");
  EXPECT_EQ(why_whole("{'Id':1,'Statement':[]}"), "Id: a string is needed");
  EXPECT_EQ(why_whole("{'Other':1}"), "policy: \"Other\" is no element of it");
  EXPECT_EQ(
      why_whole("{'Statement':[{'Sid':'a'," + everyone + get + "},{'Sid':'a'," + everyone + get + "}]}"),
      "Statement[1].Sid: another statement has it");
  for (const auto* text :
       {"", "{", "{} x", "nul", "{'a':1,}", "{'a':'\x80'}", "[[[[[[[[[[1]]]]]]]]]]", "{'a' 'b'}"}) {
    EXPECT_TRUE(why_whole(text).contains("JSON")) << text << ": " << why_whole(text);
  }
}

TEST(Policies, are_measured) {
  const auto sized = [](std::size_t size) {
    const std::string begin = "{\"Id\":\"",
                      end = "\",\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"s3:*\",\"Resource\":\"*\"}}";
    return begin + std::string(size - begin.size() - end.size(), 'x') + end;
  };
  EXPECT_TRUE(Policy::parse(sized(6144), managed));
  EXPECT_EQ(Policy::parse(sized(6145), managed).error().code(), Errc::too_large);
  EXPECT_TRUE(Policy::parse(sized(6144) + std::string(1000, ' '), managed));
  EXPECT_TRUE(Policy::parse(sized(10240), PolicyType::identity_inline));
  EXPECT_EQ(Policy::parse(sized(10241), PolicyType::identity_inline).error().code(), Errc::too_large);
  EXPECT_EQ(Policy::parse(sized(2049), PolicyType::session).error().code(), Errc::too_large);
  const auto padded = [](std::size_t size) {
    std::string text = quoted("{'Statement':{" + everyone + get + "}}");
    return text + std::string(size - text.size(), ' ');
  };
  EXPECT_TRUE(Policy::parse(padded(20480), bucket, "b"));
  EXPECT_EQ(Policy::parse(padded(20481), bucket, "b").error().code(), Errc::too_large);
}

bool is_public(const std::string& principal, const std::string& condition) {
  const auto policy =
      parse("{'Statement':{'Effect':'Allow'," + principal + "," + get + condition + "}}", bucket);
  EXPECT_TRUE(policy) << principal << condition;
  return policy && policy->is_public();
}

TEST(Policies, are_public_when_they_grant_to_everyone_anywhere) {
  EXPECT_TRUE(is_public("'Principal':'*'", ""));
  EXPECT_TRUE(is_public("'Principal':{'AWS':'*'}", ""));
  EXPECT_TRUE(is_public("'NotPrincipal':{'AWS':'000000000001'}", ""));
  EXPECT_FALSE(is_public("'Principal':{'AWS':'000000000001'}", ""));
  EXPECT_FALSE(is_public("'Principal':'*'", ",'Condition':{'IpAddress':{'aws:SourceIp':'192.0.2.0/24'}}"));
  EXPECT_TRUE(is_public("'Principal':'*'", ",'Condition':{'IpAddress':{'aws:SourceIp':'0.0.0.0/0'}}"));
  EXPECT_TRUE(is_public("'Principal':'*'", ",'Condition':{'StringEquals':{'s3:prefix':'x'}}"));
  EXPECT_FALSE(
      is_public("'Principal':'*'", ",'Condition':{'StringEquals':{'aws:PrincipalAccount':'000000000001'}}"));
  EXPECT_TRUE(is_public("'Principal':'*'", ",'Condition':{'StringLike':{'aws:PrincipalAccount':'0*'}}"));
  EXPECT_FALSE(parse("{'Statement':{'Effect':'Deny','Principal':'*'," + get + "}}", bucket)->is_public());
}

TEST(Policies, say_what_they_ask_about) {
  const auto policy =
      parse("{'Version':'2012-10-17','Statement':{" + everyone +
                "'Action':'s3:GetObject','Resource':'arn:aws:s3:::b/${aws:username}/*','Condition':{"
                "'StringEquals':{'s3:ExistingObjectTag/a':'${aws:userid}'}}}}",
            bucket);
  ASSERT_TRUE(policy);
  EXPECT_TRUE(policy->asks(ContextKey::user_name));
  EXPECT_TRUE(policy->asks(ContextKey::user_id));
  EXPECT_TRUE(policy->asks(ContextKey::existing_object_tag));
  EXPECT_FALSE(policy->asks(ContextKey::source_ip));
}

TEST(Policies, of_2008_take_variables_as_text) {
  const std::string statement =
      "'Statement':{'Effect':'Allow','Action':'s3:GetObject','Resource':'arn:aws:s3:::b/${aws:username}'}}";
  Principal alice;
  alice.type = Principal::Type::user;
  alice.name = "alice";
  Context context;
  alice.describe(context);
  const auto allows = [&](const std::string& version, std::string_view key) {
    const auto policy = parse("{" + version + statement, managed);
    return policy->judge({alice, Action::get_object, ResourceName("b", key).view(), context}).allows !=
           Naming::none;
  };
  EXPECT_TRUE(allows("'Version':'2012-10-17',", "alice"));
  EXPECT_FALSE(allows("'Version':'2012-10-17',", "${aws:username}"));
  for (const auto* version : {"'Version':'2008-10-17',", ""}) {
    EXPECT_FALSE(allows(version, "alice"));
    EXPECT_TRUE(allows(version, "${aws:username}"));
  }
}

TEST(Resources, are_named_without_and_with_allocation) {
  EXPECT_EQ(ResourceName("b").view(), "arn:aws:s3:::b");
  EXPECT_EQ(ResourceName("b", "k/l").view(), "arn:aws:s3:::b/k/l");
  const std::string key(5000, 'k');
  EXPECT_EQ(ResourceName("b", key).view(), "arn:aws:s3:::b/" + key);
}

TEST(Policies, cut_short_or_changed_never_harm) {
  const std::string seed = quoted(
      "{'Version':'2012-10-17','Statement':[{'Sid':'a','Effect':'Deny','NotPrincipal':{'AWS':['*','"
      "000000000001']},"
      "'NotAction':'s3:Get*','Resource':['arn:aws:s3:::b/${aws:username}/"
      "*'],'Condition':{'ForAnyValue:StringLike':"
      "{'s3:prefix':['a*',1,true]},'IpAddress':{'aws:SourceIp':'10.0.0.0/"
      "8'},'DateLessThan':{'aws:CurrentTime':"
      "'2026-01-01T00:00:00Z'},'ArnLike':{'aws:PrincipalArn':'arn:aws:iam::*:user/x'}}}]}");
  for (std::size_t i = 0; i < seed.size(); ++i) {
    fuzz_policy(std::string_view(seed).substr(0, i));
    for (const char other : {'"', '*', '}', '{', '\\', 'x', '0', '\x80'}) {
      std::string changed = seed;
      changed[i] = other;
      fuzz_policy(changed);
    }
  }
}

}  // namespace
}  // namespace kiseki::iam
