#include "iam/decision.h"

#include <gtest/gtest.h>

#include "iam/testing/cast.h"

namespace kiseki::iam {
namespace {

// Columns: what happens, then root, alice, carol (role1) of account 1, root, bob, eve (role2) of account 2,
// nobody: A allowed, . denied, D denied by a statement. Account 1 owns the bucket. Settings:
//   I   policy of users and roles (roots have none)       R  policy of the bucket, or of trust for `assume`
//   B   boundary of users and roles                       S  session policy of sessions
//   do  get put delete list get-acl put-acl list-acl (of the bucket) set-acl (of the bucket) put-policy
//   get-policy
//       delete-policy put-bucket-acl assume versioning; `get` when nothing is said
//   own enforced (when nothing is said), writer            bacl, oacl  lists of the bucket and the object
//   obj owner of the object: 1 when nothing is said       block  ignore, restrict
// Expected letters follow the texts of AWS on policy evaluation and on access control lists, not this code.
constexpr std::string_view table = R"(
own account, no limits
                                     | A......
I=allow                              | AAA....
I=deny                               | ADD.DD.
I=other                              | A......
I=put                                | A......
do=put I=put                         | AAA....
the bucket's policy: allow
R=star                               | AAAA..A
R=star I=allow                       | AAAAAAA
R=star I=deny                        | ADDADDA
R=star I=other                       | AAAA..A
R=acct1                              | A......
R=acct1 I=allow                      | AAA....
R=acct2                              | A..A...
R=acct2 I=allow                      | AAAAAA.
R=acct2 I=deny                       | ADDADD.
R=acct2 I=other                      | A..A...
R=canonical2                         | A..A...
R=canonical2 I=allow                 | AAAAAA.
R=alice                              | AA.....
R=alice I=allow                      | AAA....
R=alice I=deny                       | ADD.DD.
R=bob                                | A......
R=bob I=allow                        | AAA.A..
R=bob I=other                        | A......
R=role1                              | A.A....
R=role1 I=deny                       | ADD.DD.
R=session1                           | A.A....
R=role2                              | A......
R=role2 I=allow                      | AAA..A.
R=session2                           | A......
R=session2 I=allow                   | AAA..A.
R=service                            | A......
R=service I=allow                    | AAA....
R=not-alice                          | A.AA..A
R=not-alice I=allow                  | AAAAAAA
R=not-acct1                          | A..A..A
R=not-acct1 I=allow                  | AAAAAAA
R=star-put                           | A......
do=put R=star-put                    | AAAA..A
R=star-list                          | A......
do=list R=star-list                  | AAAA..A
R=star-elsewhere                     | A......
R=star-from-here                     | AAAA..A
R=star-from-there                    | A......
R=star-from-there I=allow            | AAA....
the bucket's policy: deny
R=deny-star                          | DDDDDDD
R=deny-star I=allow                  | DDDDDDD
R=deny-alice                         | AD.....
R=deny-alice I=allow                 | ADA....
R=deny-acct1                         | DDD....
R=deny-acct1 I=allow                 | DDD....
R=deny-acct2 I=allow                 | AAADDD.
R=deny-bob I=allow                   | AAA.D..
R=deny-role1 I=allow                 | AAD....
R=deny-session1 I=allow              | AAD....
R=deny-service I=allow               | AAA....
R=deny-not-alice I=allow             | AADDDDD
R=deny-not-only-alice I=allow        | DDDDDDD
R=deny-not-acct1 I=allow             | ADDDDDD
R=deny-not-carol I=allow             | ADADDDD
R=deny-not-role1 I=allow             | ADDDDDD
R=star-but-alice                     | ADAA..A
R=star-but-alice I=allow             | ADAAAAA
R=star-but-from-here                 | DDDDDDD
R=star-but-insecure                  | AAAA..A
R=deny-put I=allow                   | AAA....
do=put R=deny-put I=allow            | DDDDDDD
a policy never shuts its own account out for ever
do=put-policy R=deny-all I=allow     | ADDDDDD
do=get-policy R=deny-all I=allow     | ADDDDDD
do=delete-policy R=deny-all I=allow  | ADDDDDD
do=put-bucket-acl R=deny-all I=allow | DDDDDDD
do=list R=deny-all I=allow           | DDDDDDD
do=put-policy                        | A......
do=put-policy R=acct2-all I=allow    | AAAAAA.
boundaries
B=allow I=allow                      | AAA....
B=other I=allow                      | A......
B=deny I=allow                       | ADD.DD.
B=allow                              | A......
B=allow R=star                       | AAAA..A
B=other R=star                       | A..A..A
B=other R=star I=allow               | A..A..A
B=other R=alice                      | AA.....
B=other R=role1                      | A......
B=allow R=role1                      | A.A....
B=other R=session1                   | A.A....
B=other R=acct1 I=allow              | A......
B=other R=acct2 I=allow              | A..A...
B=allow R=acct2 I=allow              | AAAAAA.
B=other R=bob I=allow                | A......
B=allow R=bob I=allow                | AAA.A..
B=deny R=alice                       | ADD.DD.
session policies
S=allow I=allow                      | AAA....
S=other I=allow                      | AA.....
S=deny I=allow                       | AAD..D.
S=allow                              | A......
S=other R=role1                      | A......
S=allow R=role1                      | A.A....
S=other R=session1                   | A.A....
S=deny R=session1                    | A.D..D.
S=other R=star                       | AA.A..A
S=allow R=star                       | AAAA..A
S=allow R=role2 I=allow              | AAA..A.
S=other R=role2 I=allow              | AA.....
S=other R=session2 I=allow           | AA.....
S=allow B=other I=allow              | A......
S=other B=allow I=allow              | AA.....
S=allow B=allow I=allow              | AAA....
lists of objects
own=writer oacl=private              | A......
own=writer oacl=private I=allow      | AAA....
own=writer oacl=private I=deny       | ADD.DD.
own=writer oacl=public               | AAAA..A
own=writer oacl=public I=deny        | ADDADDA
own=writer oacl=public R=deny-alice  | ADAA..A
own=writer oacl=public B=other       | A..A..A
own=writer oacl=authenticated        | AAAA...
own=writer oacl=read2                | A..A...
own=writer oacl=read2 I=allow        | AAAAAA.
own=writer oacl=full2 I=allow        | AAAAAA.
own=writer oacl=acp2 I=allow         | AAA....
own=writer oacl=empty                | .......
own=writer oacl=empty I=allow        | .......
own=writer oacl=empty I=allow R=acct1 | AAA....
own=writer oacl=empty R=star         | AAAA..A
own=writer                           | A......
own=writer I=allow                   | AAA....
oacl=public                          | A......
oacl=read2 I=allow                   | AAA....
oacl=empty I=allow                   | AAA....
do=get-acl own=writer oacl=empty     | A......
do=get-acl own=writer oacl=empty I=allow | AAA....
do=put-acl own=writer oacl=empty I=allow | AAA....
do=get-acl own=writer oacl=public    | A......
do=get-acl own=writer oacl=acp2      | A..A...
do=put-acl own=writer oacl=acp2      | A......
do=put-acl own=writer oacl=full2     | A..A...
objects of another account
own=writer obj=2 oacl=private        | ...A...
own=writer obj=2 oacl=private I=allow | ...AAA.
own=writer obj=2 oacl=private R=star | ...A...
own=writer obj=2 oacl=private R=star I=allow | ...AAA.
own=writer obj=2 oacl=private R=deny-acct2 I=allow | ...DDD.
own=writer obj=2 oacl=public         | A..AAAA
own=writer obj=2 oacl=public I=allow | AAAAAAA
own=writer obj=2 oacl=owner-read     | A..A...
own=writer obj=2 oacl=owner-read I=allow | AAAAAA.
own=writer obj=2 oacl=owner-full I=allow | AAAAAA.
do=get-acl own=writer obj=2 oacl=owner-read I=allow | ...AAA.
do=get-acl own=writer obj=2 oacl=owner-full I=allow | AAAAAA.
do=put-acl own=writer obj=2 oacl=private I=allow | ...AAA.
do=delete own=writer obj=2 oacl=private I=allow | AAA....
do=delete own=writer obj=2 oacl=private R=star | A......
do=delete own=writer obj=2 oacl=private R=star-delete | AAAA..A
lists of buckets
do=list own=writer bacl=private      | A......
do=list own=writer bacl=private I=allow | AAA....
do=list own=writer bacl=public       | AAAA..A
do=list own=writer bacl=authenticated | AAAA...
do=list own=writer bacl=read2        | A..A...
do=list own=writer bacl=read2 I=allow | AAAAAA.
do=list own=writer bacl=empty I=allow | .......
do=list bacl=public                  | A......
do=get own=writer bacl=public oacl=private | A......
do=put own=writer bacl=private       | A......
do=put own=writer bacl=public        | A......
do=put own=writer bacl=public-write  | AAAA..A
do=put own=writer bacl=full2         | A..A...
do=put own=writer bacl=read2         | A......
do=delete own=writer bacl=public-write | AAA....
do=delete own=writer bacl=public-write obj=2 | AAAA...
do=delete own=writer bacl=full2 I=allow | AAA....
do=delete own=writer bacl=full2 obj=2 I=allow | AAAAAA.
do=list-acl own=writer bacl=empty    | A......
do=list-acl own=writer bacl=public   | A......
do=list-acl own=writer bacl=acp2     | A..A...
do=set-acl own=writer bacl=acp2      | A......
do=set-acl own=writer bacl=full2     | A..A...
do=set-acl own=writer bacl=empty I=allow | AAA....
do=versioning own=writer bacl=full2 I=allow | AAA....
do=versioning own=writer bacl=empty I=allow | AAA....
blocks of public access
block=ignore own=writer oacl=public  | A......
block=ignore own=writer oacl=authenticated | A......
block=ignore own=writer oacl=read2   | A..A...
block=ignore R=star                  | AAAA..A
block=ignore do=list own=writer bacl=public | A......
block=ignore do=put own=writer bacl=public-write | A......
block=restrict R=star                | AAA....
block=restrict R=star I=allow        | AAA....
block=restrict R=acct2 I=allow       | AAAAAA.
block=restrict R=star-and-acct2 I=allow | AAA....
block=restrict R=star-from-here      | AAAA..A
block=restrict R=deny-alice I=allow  | ADA....
block=restrict own=writer oacl=public | AAAA..A
taking a role
do=assume R=trust-acct1              | A......
do=assume R=trust-acct1 I=allow      | AAA....
do=assume R=trust-acct1 I=deny       | ADD.DD.
do=assume I=allow                    | .......
do=assume R=trust-alice              | .A.....
do=assume R=trust-alice I=deny       | .DD.DD.
do=assume R=trust-acct2              | ...A...
do=assume R=trust-acct2 I=allow      | ...AAA.
do=assume R=trust-bob                | .......
do=assume R=trust-bob I=allow        | ....A..
do=assume R=trust-role2 I=allow      | .....A.
do=assume R=trust-star               | AAAA...
do=assume R=trust-star I=allow       | AAAAAA.
do=assume R=trust-but-alice I=allow  | ADA....
)";

std::string quoted(std::string text) {
  std::ranges::replace(text, '\'', '"');
  return text;
}

std::string statement(const std::string& effect, const std::string& principal,
                      const std::string& action = "s3:GetObject",
                      const std::string& resource = "arn:aws:s3:::b/*", const std::string& more = "") {
  return "{'Effect':'" + effect + "'," + principal + "'Action':'" + action + "','Resource':'" + resource +
         "'" + more + "}";
}

std::string principal(const std::string& names) { return "'Principal':{'AWS':[" + names + "]},"; }
std::string not_principal(const std::string& names) { return "'NotPrincipal':{'AWS':[" + names + "]},"; }
std::string trusting(const std::string& effect, const std::string& names) {
  return "{'Effect':'" + effect + "'," + principal(names) + "'Action':'sts:AssumeRole'}";
}

const std::string one = "'000000000001'", two = "'000000000002'";
const std::string alice = "'arn:aws:iam::000000000001:user/alice'",
                  bob = "'arn:aws:iam::000000000002:user/bob'";
const std::string role1 = "'arn:aws:iam::000000000001:role/role1'",
                  role2 = "'arn:aws:iam::000000000002:role/role2'";
const std::string session1 = "'arn:aws:sts::000000000001:assumed-role/role1/s'";
const std::string session2 = "'arn:aws:sts::000000000002:assumed-role/role2/s'";
const std::string star = "'Principal':'*',";
const std::string all = "s3:*", bucket_arn = "arn:aws:s3:::b";
const std::string from_here = ",'Condition':{'IpAddress':{'aws:SourceIp':'192.0.2.0/24'}}";
const std::string from_there = ",'Condition':{'IpAddress':{'aws:SourceIp':'198.51.100.0/24'}}";
const std::string insecure = ",'Condition':{'Bool':{'aws:SecureTransport':'false'}}";
const std::string object_arn = "arn:aws:s3:::b/*";

const std::map<std::string, std::string> bucket_policies = {
    {"star", statement("Allow", star)},
    {"acct1", statement("Allow", principal(one))},
    {"acct2", statement("Allow", principal(two))},
    {"acct2-all", statement("Allow", principal(two), all, "*")},
    {"canonical2", statement("Allow", "'Principal':{'CanonicalUser':'canonical-000000000002'},")},
    {"alice", statement("Allow", principal(alice))},
    {"bob", statement("Allow", principal(bob))},
    {"role1", statement("Allow", principal(role1))},
    {"role2", statement("Allow", principal(role2))},
    {"session1", statement("Allow", principal(session1))},
    {"session2", statement("Allow", principal(session2))},
    {"service", statement("Allow", "'Principal':{'Service':'logging.s3.amazonaws.com'},")},
    {"not-alice", statement("Allow", not_principal(alice))},
    {"not-acct1", statement("Allow", not_principal(one))},
    {"star-put", statement("Allow", star, "s3:PutObject")},
    {"star-delete", statement("Allow", star, "s3:DeleteObject")},
    {"star-list", statement("Allow", star, "s3:ListBucket", bucket_arn)},
    {"star-elsewhere", statement("Allow", star, "s3:GetObject", "arn:aws:s3:::b/other/*")},
    {"star-from-here", statement("Allow", star, "s3:GetObject", object_arn, from_here)},
    {"star-from-there", statement("Allow", star, "s3:GetObject", object_arn, from_there)},
    {"star-and-acct2", statement("Allow", star) + "," + statement("Allow", principal(two))},
    {"star-but-alice", statement("Allow", star) + "," + statement("Deny", principal(alice))},
    {"star-but-from-here", statement("Allow", star) + "," + statement("Deny", star, "s3:*", "*", from_here)},
    {"star-but-insecure", statement("Allow", star) + "," + statement("Deny", star, "s3:*", "*", insecure)},
    {"deny-star", statement("Deny", star)},
    {"deny-all", statement("Deny", star, all, "*")},
    {"deny-put", statement("Deny", star, "s3:PutObject")},
    {"deny-alice", statement("Deny", principal(alice))},
    {"deny-bob", statement("Deny", principal(bob))},
    {"deny-acct1", statement("Deny", principal(one))},
    {"deny-acct2", statement("Deny", principal(two))},
    {"deny-role1", statement("Deny", principal(role1))},
    {"deny-session1", statement("Deny", principal(session1))},
    {"deny-service", statement("Deny", "'Principal':{'Service':'s3.amazonaws.com'},")},
    {"deny-not-alice", statement("Deny", not_principal(one + "," + alice))},
    {"deny-not-only-alice", statement("Deny", not_principal(alice))},
    {"deny-not-acct1", statement("Deny", not_principal(one))},
    {"deny-not-carol", statement("Deny", not_principal(one + "," + role1 + "," + session1))},
    {"deny-not-role1", statement("Deny", not_principal(one + "," + role1))},
    {"trust-acct1", trusting("Allow", one)},
    {"trust-acct2", trusting("Allow", two)},
    {"trust-alice", trusting("Allow", alice)},
    {"trust-bob", trusting("Allow", bob)},
    {"trust-role2", trusting("Allow", role2)},
    {"trust-star", trusting("Allow", "'*'")},
    {"trust-but-alice", trusting("Allow", one) + "," + trusting("Deny", alice)},
};

const std::map<std::string, std::string> identity_policies = {
    {"allow", "{'Effect':'Allow','Action':'*','Resource':'*'}"},
    {"deny", "{'Effect':'Allow','Action':'*','Resource':'*'},{'Effect':'Deny','Action':'*','Resource':'*'}"},
    {"other", "{'Effect':'Allow','Action':'s3:ListAllMyBuckets','Resource':'*'}"},
    {"put", "{'Effect':'Allow','Action':'s3:PutObject','Resource':'arn:aws:s3:::b/k*'}"},
};

const std::map<std::string, Action> actions = {
    {"get", Action::get_object},
    {"put", Action::put_object},
    {"delete", Action::delete_object},
    {"list", Action::list_bucket},
    {"get-acl", Action::get_object_acl},
    {"put-acl", Action::put_object_acl},
    {"list-acl", Action::get_bucket_acl},
    {"set-acl", Action::put_bucket_acl},
    {"put-bucket-acl", Action::put_bucket_acl},
    {"put-policy", Action::put_bucket_policy},
    {"get-policy", Action::get_bucket_policy},
    {"delete-policy", Action::delete_bucket_policy},
    {"versioning", Action::put_bucket_versioning},
    {"assume", Action::assume_role},
};

std::optional<Policy> find_policy(const std::map<std::string, std::string>& list, const std::string& name,
                                  PolicyType type) {
  if (name.empty()) return std::nullopt;
  const auto policy =
      Policy::parse(quoted("{'Version':'2012-10-17','Statement':[" + list.at(name) + "]}"), type, "b");
  EXPECT_TRUE(policy) << name << ": " << policy.error().words();
  return *policy;
}

Acl acl_of(const std::string& name, const std::string& owner) {
  using enum AclPermission;
  const std::string mine = "canonical-000000000001";
  const Grantee other{Grantee::Type::account, "canonical-000000000002"};
  Acl acl = Acl::of(CannedAcl::private_, owner, mine);
  if (name == "public") return Acl::of(CannedAcl::public_read, owner, mine);
  if (name == "public-write") return Acl::of(CannedAcl::public_read_write, owner, mine);
  if (name == "authenticated") return Acl::of(CannedAcl::authenticated_read, owner, mine);
  if (name == "owner-read") return Acl::of(CannedAcl::bucket_owner_read, owner, mine);
  if (name == "owner-full") return Acl::of(CannedAcl::bucket_owner_full_control, owner, mine);
  if (name == "empty") acl.grants.clear();
  if (name == "read2") acl.grants.push_back({other, read});
  if (name == "full2") acl.grants.push_back({other, full_control});
  if (name == "acp2") acl.grants.push_back({other, read_acp});
  return acl;
}

/// The settings of a row, and what is made of them.
struct Scene {
  std::map<std::string, std::string> settings;
  Action action = Action::get_object;
  std::optional<Policy> identity, resource, boundary, session;
  std::optional<Acl> bucket_acl, object_acl;
  ResourceSide side;
  std::string arn;

  explicit Scene(const std::string& text) {
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = std::min(text.find(' ', at), text.size());
      const std::string word = text.substr(at, end - at);
      if (const auto sign = word.find('='); sign != word.npos)
        settings[word.substr(0, sign)] = word.substr(sign + 1);
      at = end + 1;
    }
    action = settings["do"].empty() ? Action::get_object : actions.at(settings["do"]);
    const bool assume = action == Action::assume_role;
    identity = find_policy(identity_policies, settings["I"], PolicyType::managed);
    boundary = find_policy(identity_policies, settings["B"], PolicyType::managed);
    session = find_policy(identity_policies, settings["S"], PolicyType::session);
    resource = find_policy(bucket_policies, settings["R"], assume ? PolicyType::trust : PolicyType::bucket);
    set_side(assume);
  }

  void set_side(bool assume) {
    const std::string mine = "canonical-000000000001";
    const bool lists = settings["own"] == "writer";
    bucket_acl = acl_of(settings["bacl"], mine);
    if (lists || !settings["oacl"].empty())
      object_acl = acl_of(settings["oacl"], settings["obj"] == "2" ? "canonical-000000000002" : mine);
    side.account = account_one;
    side.policy = resource ? &*resource : nullptr;
    side.within = assume ? ResourceSide::Within::resource_decides : ResourceSide::Within::account_suffices;
    side.ownership = lists ? Ownership::object_writer : Ownership::bucket_owner_enforced;
    side.bucket_acl = &*bucket_acl;
    side.object_acl = object_acl ? &*object_acl : nullptr;
    side.block.ignore_public_acls = settings["block"] == "ignore";
    side.block.restrict_public_buckets = settings["block"] == "restrict";
    const bool of_bucket = describe(action).level == Level::bucket;
    arn = assume ? "arn:aws:iam::000000000001:role/r" : of_bucket ? "arn:aws:s3:::b" : "arn:aws:s3:::b/k";
  }

  char ask(const Principal& who) const {
    const bool in_role = who.type == Principal::Type::session;
    const bool has_policies = in_role || who.type == Principal::Type::user;
    Context context;
    who.describe(context);
    context.set(ContextKey::source_ip, "192.0.2.7");
    context.set(ContextKey::secure_transport, "true");
    const Policy* const policies[] = {identity ? &*identity : nullptr};
    IdentitySide own;
    if (identity && has_policies) own.policies = policies;
    if (boundary && has_policies) own.boundary = &*boundary;
    if (session && in_role) own.session = &*session;
    switch (decide({who, action, arn, context}, own, side)) {
      case Decision::allowed:
        return 'A';
      case Decision::denied:
        return '.';
      case Decision::denied_explicitly:
        return 'D';
    }
    return '?';
  }
};

TEST(Decisions, follow_the_table) {
  std::size_t cases = 0;
  for (std::size_t at = 0; at < table.size();) {
    const std::size_t end = std::min(table.find('\n', at), table.size());
    const std::string line(table.substr(at, end - at));
    at = end + 1;
    const std::size_t bar = line.find('|');
    if (bar == line.npos) continue;
    const Scene scene(line.substr(0, bar));
    std::string given;
    for (const Principal& who : cast()) given.push_back(scene.ask(who));
    EXPECT_EQ(given, line.substr(bar + 2)) << line;
    cases += given.size();
  }
  EXPECT_GE(cases, 1000U);
}

TEST(Decisions, a_deny_of_any_policy_of_an_identity_wins) {
  const Policy allow = *find_policy(identity_policies, "allow", PolicyType::managed);
  const Policy deny = *find_policy(identity_policies, "deny", PolicyType::managed);
  const Principal user = cast()[1];
  Context context;
  user.describe(context);
  const Request request{user, Action::get_object, "arn:aws:s3:::b/k", context};
  ResourceSide side;
  side.account = account_one;
  const Policy* const orders[][2] = {{&allow, &deny}, {&deny, &allow}, {&allow, &allow}};
  EXPECT_EQ(decide(request, {.policies = orders[0]}, side), Decision::denied_explicitly);
  EXPECT_EQ(decide(request, {.policies = orders[1]}, side), Decision::denied_explicitly);
  EXPECT_EQ(decide(request, {.policies = orders[2]}, side), Decision::allowed);
}

TEST(Blocks, refuse_what_is_public) {
  const auto open =
      Policy::parse(quoted("{'Statement':" + statement("Allow", star) + "}"), PolicyType::bucket, "b");
  const auto closed = Policy::parse(quoted("{'Statement':" + statement("Allow", principal(two)) + "}"),
                                    PolicyType::bucket, "b");
  ASSERT_TRUE(open && closed);
  const PublicAccessBlock none, policies{.block_public_policy = true}, lists{.block_public_acls = true};
  EXPECT_TRUE(none.takes(*open));
  EXPECT_FALSE(policies.takes(*open));
  EXPECT_TRUE(policies.takes(*closed));
  EXPECT_TRUE(lists.takes(*open));
  const Acl public_read = Acl::of(CannedAcl::public_read, "a", "a");
  EXPECT_TRUE(none.takes(public_read));
  EXPECT_TRUE(policies.takes(public_read));
  EXPECT_FALSE(lists.takes(public_read));
  EXPECT_FALSE(lists.takes(Acl::of(CannedAcl::authenticated_read, "a", "a")));
  EXPECT_TRUE(lists.takes(Acl::of(CannedAcl::bucket_owner_full_control, "a", "b")));
  EXPECT_EQ(policies.merged_with(lists),
            (PublicAccessBlock{.block_public_acls = true, .block_public_policy = true}));
}

TEST(Lists, of_canned_names) {
  using enum AclPermission;
  const auto grants = [](std::string_view name) {
    return Acl::of(*find_canned_acl(name), "me", "boss").grants;
  };
  const AclGrant mine{{Grantee::Type::account, "me"}, full_control};
  const Grantee boss{Grantee::Type::account, "boss"}, everyone{Grantee::Type::everyone, {}};
  const Grantee logs{Grantee::Type::log_delivery, {}};
  EXPECT_EQ(grants("private"), std::vector{mine});
  EXPECT_EQ(grants("public-read"), (std::vector{mine, AclGrant{everyone, read}}));
  EXPECT_EQ(grants("public-read-write"),
            (std::vector{mine, AclGrant{everyone, read}, AclGrant{everyone, write}}));
  EXPECT_EQ(grants("authenticated-read"),
            (std::vector{mine, AclGrant{{Grantee::Type::authenticated, {}}, read}}));
  EXPECT_EQ(grants("bucket-owner-read"), (std::vector{mine, AclGrant{boss, read}}));
  EXPECT_EQ(grants("bucket-owner-full-control"), (std::vector{mine, AclGrant{boss, full_control}}));
  EXPECT_EQ(grants("log-delivery-write"),
            (std::vector{mine, AclGrant{logs, write}, AclGrant{logs, read_acp}}));
  EXPECT_EQ(Acl::of(CannedAcl::bucket_owner_read, "me", "me").grants, std::vector{mine});
  EXPECT_FALSE(find_canned_acl("public"));
}

TEST(Lists, of_fields) {
  Acl acl;
  ASSERT_TRUE(add_grants(acl, R"(id="abc", uri="http://acs.amazonaws.com/groups/global/AllUsers" ,id=d)",
                         AclPermission::read));
  ASSERT_EQ(acl.grants.size(), 3U);
  EXPECT_EQ(acl.grants[0], (AclGrant{{Grantee::Type::account, "abc"}, AclPermission::read}));
  EXPECT_EQ(acl.grants[1].grantee.type, Grantee::Type::everyone);
  EXPECT_EQ(acl.grants[2].grantee.canonical, "d");
  for (const auto* field :
       {"id", "id=", "id=\"\"", "name=x", "uri=\"http://example.org\"", ",", "id=a,,id=b"}) {
    EXPECT_EQ(add_grants(acl, field, AclPermission::read).error().code(), Errc::invalid_argument) << field;
  }
  EXPECT_EQ(add_grants(acl, "emailAddress=\"a@b\"", AclPermission::read).error().code(), Errc::not_supported);
  std::string many = "id=x";
  for (int i = 0; i < 200; ++i) many += ",id=x";
  EXPECT_FALSE(add_grants(acl, many, AclPermission::read));
  EXPECT_EQ(group_of(uri_of(Grantee::Type::log_delivery))->type, Grantee::Type::log_delivery);
}

TEST(Ownership, says_whose_a_new_object_is) {
  using enum Ownership;
  EXPECT_EQ(owner_of_new_object(bucket_owner_enforced, "me", "boss", std::nullopt), "boss");
  EXPECT_EQ(owner_of_new_object(object_writer, "me", "boss", CannedAcl::bucket_owner_full_control), "me");
  EXPECT_EQ(owner_of_new_object(bucket_owner_preferred, "me", "boss", CannedAcl::bucket_owner_full_control),
            "boss");
  EXPECT_EQ(owner_of_new_object(bucket_owner_preferred, "me", "boss", CannedAcl::private_), "me");
}

}  // namespace
}  // namespace kiseki::iam
