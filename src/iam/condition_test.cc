#include "iam/condition.h"

#include <gtest/gtest.h>

#include "iam/policy.h"

namespace kiseki::iam {
namespace {

// operator ; key ; values of the policy, between '|' ; requests, each with '+' when the condition holds.
// A request's value: several between '&', "~" when it does not have the key. Expected values follow the text
// of AWS's reference of condition operators, not this code.
constexpr std::string_view table = R"(
StringEquals ; s3:prefix ; a|b ; a+ b+ c- A- a*- ~-
StringEquals ; s3:prefix ; a* ; a*+ ab- a-
StringEquals ; s3:prefix ; ${aws:username} ; alice+ bob- ${aws:username}- ~-
StringEquals ; s3:prefix ; h/${aws:username} ; h/alice+ h/- h/bob-
StringNotEquals ; s3:prefix ; a|b ; a- b- c+ A+ ~+
StringNotEquals ; s3:prefix ; ${aws:username} ; alice- bob+ ~+
StringEqualsIfExists ; s3:prefix ; a ; a+ b- ~+
StringNotEqualsIfExists ; s3:prefix ; a ; a- b+ ~+
StringEqualsIgnoreCase ; s3:prefix ; aB ; ab+ AB+ aB+ abc- ~-
StringEqualsIgnoreCaseIfExists ; s3:prefix ; aB ; ab+ x- ~+
StringNotEqualsIgnoreCase ; s3:prefix ; aB ; ab- AB- abc+ ~+
StringNotEqualsIgnoreCaseIfExists ; s3:prefix ; aB ; AB- x+ ~+
StringLike ; s3:prefix ; a* ; a+ ab+ a/b+ b- A- ~-
StringLike ; s3:prefix ; a?c|x ; abc+ ac- x+ xx-
StringLike ; s3:prefix ; ${aws:username}/* ; alice/+ alice/x+ alice- bob/x-
StringLike ; s3:prefix ; ${*} ; *+ a-
StringLike ; s3:prefix ; * ; a+ ~-
StringLikeIfExists ; s3:prefix ; a* ; ab+ b- ~+
StringNotLike ; s3:prefix ; a*|b* ; a- ab- bc- c+ ~+
StringNotLikeIfExists ; s3:prefix ; a* ; ab- b+ ~+
NumericEquals ; s3:max-keys ; 10 ; 10+ 10.0+ 9- 11- x- ~-
NumericEquals ; s3:max-keys ; 10|20 ; 10+ 20+ 15-
NumericNotEquals ; s3:max-keys ; 10 ; 10- 9+ ~+
NumericLessThan ; s3:max-keys ; 10 ; 9+ 9.99+ 10- 11- -1+ ~-
NumericLessThanEquals ; s3:max-keys ; 10 ; 10+ 11- 0+ ~-
NumericGreaterThan ; s3:max-keys ; 10 ; 11+ 10- 9- ~-
NumericGreaterThanEquals ; s3:max-keys ; 10 ; 10+ 11+ 9- ~-
NumericLessThanIfExists ; s3:max-keys ; 10 ; 9+ 10- ~+
NumericGreaterThanIfExists ; s3:max-keys ; 10 ; 11+ 10- ~+
DateEquals ; aws:CurrentTime ; 2026-01-02T03:04:05Z ; 2026-01-02T03:04:05Z+ 2026-01-02T03:04:06Z-
DateEquals ; aws:CurrentTime ; 2026-01-02T03:04:05Z ; 2026-01-02T04:04:05+01:00+ ~-
DateEquals ; aws:CurrentTime ; 0 ; 1970-01-01T00:00:00Z+ 1970-01-01+ 0+ 1-
DateNotEquals ; aws:CurrentTime ; 0 ; 0- 1+ ~+
DateLessThan ; aws:CurrentTime ; 2026-01-02T00:00:00Z ; 2026-01-01T23:59:59Z+ 2026-01-02T00:00:00Z-
DateLessThan ; aws:CurrentTime ; 2026-01-02T00:00:00Z ; 2026-01-02T00:00:01Z- ~-
DateLessThan ; aws:CurrentTime ; 2026-01-02 ; 2026-01-01T23:59:59Z+ 2026-01-02T00:00:00Z-
DateLessThan ; aws:CurrentTime ; 2026-01-02T00:00:00-02:00 ; 2026-01-02T01:59:59Z+ 2026-01-02T02:00:00Z-
DateLessThanEquals ; aws:CurrentTime ; 2026-01-02T00:00:00Z ; 2026-01-02T00:00:00Z+ 2026-01-02T00:00:01Z- ~-
DateGreaterThan ; aws:CurrentTime ; 2026-01-02T00:00:00Z ; 2026-01-02T00:00:01Z+ 2026-01-02T00:00:00Z- ~-
DateGreaterThan ; aws:EpochTime ; 100 ; 101+ 100- 99-
DateGreaterThanEquals ; aws:CurrentTime ; 2026-01-02T00:00:00Z ; 2026-01-02T00:00:00Z+
DateGreaterThanEquals ; aws:CurrentTime ; 2026-01-02T00:00:00Z ; 2026-01-01T23:59:59Z- ~-
DateGreaterThanIfExists ; aws:TokenIssueTime ; 100 ; 101+ 100- ~+
Bool ; aws:SecureTransport ; true ; true+ TRUE+ false- x- ~-
Bool ; aws:SecureTransport ; false ; false+ true- ~-
BoolIfExists ; aws:SecureTransport ; true ; true+ false- ~+
Bool ; aws:MultiFactorAuthPresent ; false ; false+ true- ~-
BoolIfExists ; aws:MultiFactorAuthPresent ; false ; false+ true- ~+
BinaryEquals ; s3:VersionId ; QmluYXJ5 ; QmluYXJ5+ QmluYXJ6- ~-
BinaryEqualsIfExists ; s3:VersionId ; QmluYXJ5 ; QmluYXJ5+ AAAA- ~+
IpAddress ; aws:SourceIp ; 192.0.2.0/24 ; 192.0.2.0+ 192.0.2.255+ 192.0.3.0-
IpAddress ; aws:SourceIp ; 192.0.2.0/24 ; 2001:db8::1- ::ffff:192.0.2.7+ x- ~-
IpAddress ; aws:SourceIp ; 192.0.2.7 ; 192.0.2.7+ 192.0.2.8-
IpAddress ; aws:SourceIp ; 192.0.2.128/25|198.51.100.0/30 ; 192.0.2.127- 192.0.2.128+
IpAddress ; aws:SourceIp ; 192.0.2.128/25|198.51.100.0/30 ; 198.51.100.3+ 198.51.100.4-
IpAddress ; aws:SourceIp ; 0.0.0.0/0 ; 1.2.3.4+ 255.255.255.255+ ::1-
IpAddress ; aws:SourceIp ; 2001:db8::/33 ; 2001:db8::1+ 2001:db8:7fff::1+ 2001:db8:8000::1- 192.0.2.1-
IpAddress ; aws:SourceIp ; ::/0 ; ::1+ 2001:db8::1+ 192.0.2.1-
IpAddress ; aws:SourceIp ; ::ffff:192.0.2.0/120 ; 192.0.2.9+ 192.0.3.9-
NotIpAddress ; aws:SourceIp ; 192.0.2.0/24 ; 192.0.2.1- 192.0.3.0+ 2001:db8::1+ ~+
NotIpAddress ; aws:SourceIp ; 192.0.2.0/24|198.51.100.0/24 ; 192.0.2.1- 198.51.100.1- 203.0.113.1+
IpAddressIfExists ; aws:SourceIp ; 192.0.2.0/24 ; 192.0.2.1+ 192.0.3.1- ~+
NotIpAddressIfExists ; aws:SourceIp ; 192.0.2.0/24 ; 192.0.2.1- 192.0.3.1+ ~+
ArnEquals ; aws:PrincipalArn ; arn:aws:iam::1:user/a ; arn:aws:iam::1:user/a+ arn:aws:iam::1:user/b- x- ~-
ArnEquals ; aws:PrincipalArn ; arn:aws:iam::1:user/* ; arn:aws:iam::1:user/a+
ArnEquals ; aws:PrincipalArn ; arn:aws:iam::1:user/* ; arn:aws:iam::1:user/p/a+ arn:aws:iam::1:role/a-
ArnLike ; aws:PrincipalArn ; arn:aws:iam::*:user/a ; arn:aws:iam::1:user/a+
ArnLike ; aws:PrincipalArn ; arn:aws:iam::*:user/a ; arn:aws:iam::2:user/a+ arn:aws:sts::1:user/a-
ArnLike ; aws:PrincipalArn ; arn:aws:*:*:*:x ; arn:aws:iam::1:x+ arn:aws:iam:r:1:x+ arn:aws:iam::1:y:x-
ArnLike ; aws:PrincipalArn ; arn:aws:iam::1:* ; arn:aws:iam::1:a:b+ arn:aws:iam::2:a- arn:aws:iam:1-
ArnLike ; aws:PrincipalArn ; arn:aws:iam::1:user/${aws:username} ; arn:aws:iam::1:user/alice+
ArnLike ; aws:PrincipalArn ; arn:aws:iam::1:user/${aws:username} ; arn:aws:iam::1:user/bob-
ArnNotEquals ; aws:PrincipalArn ; arn:aws:iam::1:user/a ; arn:aws:iam::1:user/a- arn:aws:iam::1:user/b+ ~+
ArnNotLike ; aws:PrincipalArn ; arn:aws:iam::1:* ; arn:aws:iam::1:user/a- arn:aws:iam::2:user/a+ ~+
ArnLikeIfExists ; aws:SourceArn ; arn:aws:s3:::b ; arn:aws:s3:::b+ arn:aws:s3:::c- ~+
ArnNotLikeIfExists ; aws:SourceArn ; arn:aws:s3:::b ; arn:aws:s3:::b- arn:aws:s3:::c+ ~+
Null ; s3:prefix ; true ; a- ~+
Null ; s3:prefix ; false ; a+ ~-
ForAllValues:StringEquals ; s3:RequestObjectTagKeys ; a|b ; a+ b+ a&b+ a&c- c- ~+
ForAllValues:StringLike ; s3:RequestObjectTagKeys ; a* ; a+ ab&ac+ ab&b- ~+
ForAllValues:StringNotEquals ; s3:RequestObjectTagKeys ; a|b ; c+ c&d+ a&c- a- ~+
ForAllValues:StringEqualsIgnoreCase ; s3:RequestObjectTagKeys ; A ; a+ A&a+ a&b- ~+
ForAllValues:StringEqualsIfExists ; s3:RequestObjectTagKeys ; a ; a+ b- ~+
ForAnyValue:StringEquals ; s3:RequestObjectTagKeys ; a|b ; a+ a&c+ c- c&d- ~-
ForAnyValue:StringLike ; s3:RequestObjectTagKeys ; a* ; ab&c+ b&c- ~-
ForAnyValue:StringNotEquals ; s3:RequestObjectTagKeys ; a ; a- a&b+ b+ ~-
ForAnyValue:StringEqualsIfExists ; s3:RequestObjectTagKeys ; a ; a+ b- ~+
StringEquals ; s3:RequestObjectTagKeys ; a ; a+ a&b+ b-
StringNotEquals ; s3:RequestObjectTagKeys ; a ; a- a&b- b+ b&c+
StringEquals ; s3:ExistingObjectTag/team ; red ; red+ blue- Red- ~-
StringNotEquals ; s3:ExistingObjectTag/team ; red ; red- blue+ ~+
StringLike ; s3:RequestObjectTag/team ; r* ; red+ blue- ~-
Null ; s3:ExistingObjectTag/team ; true ; red- ~+
StringEquals ; aws:PrincipalTag/team ; red ; red+ blue- ~-
StringEquals ; s3:x-amz-acl ; public-read ; public-read+ private- ~-
StringEquals ; s3:x-amz-server-side-encryption ; AES256 ; AES256+ aws:kms- ~-
StringEquals ; s3:VersionId ; v1 ; v1+ v2- ~-
StringEquals ; s3:delimiter ; / ; /+ -- ~-
StringEquals ; AWS:SOURCEIP ; 192.0.2.1 ; 192.0.2.1+ 192.0.2.2-
StringEquals ; aws:PrincipalOrgID ; o-1 ; ~-
StringNotEquals ; aws:PrincipalOrgID ; o-1 ; ~+
)";

std::vector<std::string> split(std::string_view text, char sign) {
  std::vector<std::string> parts;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find(sign, at), text.size());
    parts.emplace_back(text.substr(at, end - at));
    at = end + 1;
  }
  return parts;
}

std::string strip(std::string text) {
  text.erase(0, text.find_first_not_of(' '));
  text.erase(text.find_last_not_of(' ') + 1);
  return text;
}

/// Whether the condition holds in an Allow, for a user alice, when the key has these values.
bool holds(const Condition& condition, const std::string& given, Effect effect = Effect::allow) {
  Context context;
  if (condition.key().key != ContextKey::user_name) context.set(ContextKey::user_name, "alice");
  const auto texts = split(given, '&');
  const std::vector<std::string_view> values(texts.begin(), texts.end());
  const Tag tag{condition.key().tag, values[0]};
  const bool is_tag = !condition.key().tag.empty() && condition.key().key != ContextKey::other;
  if (given != "~") {
    if (is_tag)
      context.set_tags(condition.key().key, {&tag, 1});
    else
      context.set(condition.key().key, values);
  }
  return condition.holds(context, effect);
}

TEST(Conditions, hold_by_the_table) {
  std::size_t cases = 0;
  for (const std::string& line : split(table, '\n')) {
    if (line.empty()) continue;
    const auto fields = split(line, ';');
    ASSERT_EQ(fields.size(), 4U) << line;
    const auto condition = Condition::compile(strip(fields[0]), strip(fields[1]),
                                              split(strip(fields[2]), '|'), PatternRules::Variables::expand);
    ASSERT_TRUE(condition) << line << ": " << condition.error().words();
    for (const std::string& given : split(strip(fields[3]), ' ')) {
      const bool expected = given.back() == '+';
      const std::string value = given.substr(0, given.size() - 1);
      EXPECT_EQ(holds(*condition, value), expected) << line << " on " << value;
      EXPECT_EQ(holds(*condition, value, Effect::deny), expected) << line << " on " << value;
      ++cases;
    }
  }
  EXPECT_GE(cases, 300U);
}

Condition make(std::string_view name, std::string_view key, std::vector<std::string> values) {
  return *Condition::compile(name, key, values, PatternRules::Variables::expand);
}

TEST(Conditions, that_cannot_be_decided_neither_help_to_allow_nor_hinder_to_deny) {
  const auto like = make("StringLike", "s3:prefix", {"${aws:PrincipalTag/team}"});
  EXPECT_FALSE(holds(like, "x", Effect::allow));
  EXPECT_FALSE(holds(like, "x", Effect::deny));
  const auto unlike = make("StringNotLike", "s3:prefix", {"${aws:PrincipalTag/team}"});
  EXPECT_FALSE(holds(unlike, "x", Effect::allow));
  EXPECT_TRUE(holds(unlike, "x", Effect::deny));
  const auto outside = make("NotIpAddress", "aws:SourceIp", {"192.0.2.0/24"});
  EXPECT_FALSE(holds(outside, "no address", Effect::allow));
  EXPECT_TRUE(holds(outside, "no address", Effect::deny));
  const auto other = make("NumericNotEquals", "s3:max-keys", {"1"});
  EXPECT_FALSE(holds(other, "x", Effect::allow));
  EXPECT_TRUE(holds(other, "x", Effect::deny));
}

TEST(Conditions, pin_their_key_only_to_known_values) {
  EXPECT_TRUE(make("IpAddress", "aws:SourceIp", {"192.0.2.0/24"}).pins_its_key());
  EXPECT_TRUE(make("IpAddress", "aws:SourceIp", {"10.0.0.0/8"}).pins_its_key());
  EXPECT_FALSE(make("IpAddress", "aws:SourceIp", {"192.0.2.0/24", "10.0.0.0/7"}).pins_its_key());
  EXPECT_FALSE(make("IpAddress", "aws:SourceIp", {"0.0.0.0/0"}).pins_its_key());
  EXPECT_TRUE(make("IpAddress", "aws:SourceIp", {"2001:db8::/32"}).pins_its_key());
  EXPECT_FALSE(make("IpAddress", "aws:SourceIp", {"2001:d00::/31"}).pins_its_key());
  EXPECT_FALSE(make("NotIpAddress", "aws:SourceIp", {"192.0.2.0/24"}).pins_its_key());
  EXPECT_FALSE(make("IpAddressIfExists", "aws:SourceIp", {"192.0.2.0/24"}).pins_its_key());
  EXPECT_TRUE(make("StringEquals", "aws:PrincipalAccount", {"000000000001"}).pins_its_key());
  EXPECT_TRUE(make("StringLike", "aws:PrincipalAccount", {"000000000001"}).pins_its_key());
  EXPECT_FALSE(make("StringLike", "aws:PrincipalAccount", {"0*"}).pins_its_key());
  EXPECT_FALSE(make("StringEquals", "aws:userid", {"${aws:userid}"}).pins_its_key());
  EXPECT_FALSE(make("ForAllValues:StringEquals", "aws:userid", {"x"}).pins_its_key());
  EXPECT_TRUE(make("ArnLike", "aws:PrincipalArn", {"arn:aws:iam::000000000001:user/a"}).pins_its_key());
  EXPECT_FALSE(make("ArnLike", "aws:PrincipalArn", {"arn:aws:iam::*:user/a"}).pins_its_key());
}

TEST(Dates, are_read_in_all_their_forms) {
  EXPECT_EQ(parse_date("1970-01-01"), 0);
  EXPECT_EQ(parse_date("1970-01-02T00:00Z"), 86400);
  EXPECT_EQ(parse_date("2013-08-16T15:04:05Z"), 1376665445);
  EXPECT_EQ(parse_date("2013-08-16T15:04:05.123Z"), 1376665445);
  EXPECT_EQ(parse_date("2013-08-16T17:04:05+02:00"), 1376665445);
  EXPECT_EQ(parse_date("2013-08-16T13:34:05-0130"), 1376665445);
  EXPECT_EQ(parse_date("2024-02-29"), 1709164800);
  EXPECT_EQ(parse_date("1376665445"), 1376665445);
  EXPECT_EQ(parse_date("-1"), -1);
  for (const auto* text : {"", "x", "2013-08", "2013-13-01", "2023-02-29", "2013-08-16T", "2013-08-16T15",
                           "2013-08-16T15:04:05", "2013-08-16T24:00:00Z", "2013-08-16T15:60:00Z",
                           "2013-08-16T15:04:60Z", "2013-08-16T15:04:05.Z", "2013-08-16T15:04:05Zx",
                           "2013-08-16T15:04:05+25:00", "2013-08-16 15:04:05Z", "99999999999999999999"}) {
    EXPECT_FALSE(parse_date(text)) << text;
  }
}

TEST(Dates, are_written_as_they_are_read) {
  EXPECT_EQ(TimeText(1376665445).view(), "2013-08-16T15:04:05Z");
  EXPECT_EQ(parse_date(TimeText(1709164800).view()), 1709164800);
}

TEST(Conditions, refuse_what_makes_no_sense) {
  const auto refused = [](std::string_view name, std::string_view key, std::vector<std::string> values) {
    return !Condition::compile(name, key, values, PatternRules::Variables::expand);
  };
  EXPECT_TRUE(refused("StringEqual", "s3:prefix", {"a"}));
  EXPECT_TRUE(refused("stringequals", "s3:prefix", {"a"}));
  EXPECT_TRUE(refused("ForSomeValues:StringEquals", "s3:prefix", {"a"}));
  EXPECT_TRUE(refused("NullIfExists", "s3:prefix", {"true"}));
  EXPECT_TRUE(refused("ForAnyValue:Null", "s3:prefix", {"true"}));
  EXPECT_TRUE(refused("StringEquals", "prefix", {"a"}));
  EXPECT_TRUE(refused("StringEquals", "s3:", {"a"}));
  EXPECT_TRUE(refused("StringEquals", "s3:prefix", {}));
  EXPECT_TRUE(refused("StringEquals", "s3:ExistingObjectTag/", {"a"}));
  EXPECT_TRUE(refused("StringLike", "s3:prefix", {"${"}));
  EXPECT_TRUE(refused("NumericEquals", "s3:max-keys", {"ten"}));
  EXPECT_TRUE(refused("NumericEquals", "s3:max-keys", {"inf"}));
  EXPECT_TRUE(refused("DateEquals", "aws:CurrentTime", {"tomorrow"}));
  EXPECT_TRUE(refused("Bool", "aws:SecureTransport", {"yes"}));
  EXPECT_TRUE(refused("Null", "aws:SecureTransport", {"1"}));
  EXPECT_TRUE(refused("BinaryEquals", "s3:VersionId", {"%"}));
  EXPECT_TRUE(refused("IpAddress", "aws:SourceIp", {"192.0.2.256"}));
  EXPECT_TRUE(refused("IpAddress", "aws:SourceIp", {"192.0.2.0/33"}));
  EXPECT_TRUE(refused("IpAddress", "aws:SourceIp", {"2001:db8::/129"}));
  EXPECT_TRUE(refused("IpAddress", "aws:SourceIp", {"192.0.2.0/"}));
  EXPECT_TRUE(refused("ArnLike", "aws:PrincipalArn", {"arn:aws:iam"}));
}

}  // namespace
}  // namespace kiseki::iam
