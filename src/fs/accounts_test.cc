#include "fs/accounts.h"

#include "fs/accounts/account_rows.h"
#include "fs/testing/memory_world.h"

namespace kiseki::fs {
namespace {

using Type = AccountItem::Type;

const std::string read_all =
    R"({"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:Get*","Resource":"*"}})";
const std::string list_all =
    R"({"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:List*","Resource":"*"}})";

AccountItem item_of(Type type, std::string name, std::string document = {}) {
  AccountItem item;
  item.type = type;
  item.name = std::move(name);
  item.document = std::move(document);
  return item;
}

class AccountsTest : public testing::Test {
 public:
  template <class T>
  T get(Task<T> task) {
    return world.loop.get(std::move(task));
  }
  AccountName user(std::string name) { return {world.tenant, Type::user, std::move(name)}; }
  AccountName group(std::string name) { return {world.tenant, Type::group, std::move(name)}; }
  AccountName policy(std::string name) { return {world.tenant, Type::policy, std::move(name)}; }
  bool create(Type type, std::string name, std::string document = {}) {
    return get(accounts.create(world.tenant, item_of(type, std::move(name), std::move(document))))
        .has_value();
  }
  Errc refused(Task<Result<>> task) {
    const auto done = get(std::move(task));
    EXPECT_FALSE(done);
    return done ? Errc::cancelled : done.error().code();
  }

  MemoryWorld world;
  Accounts accounts{world.services(*world.founder)};
};

TEST_F(AccountsTest, keep_what_belongs_to_a_tenant) {
  EXPECT_TRUE(create(Type::user, "bob"));
  EXPECT_TRUE(create(Type::user, "Alice"));
  EXPECT_TRUE(create(Type::group, "bob"));
  EXPECT_EQ(get(accounts.create(world.tenant, item_of(Type::user, "alice"))).error().code(), Errc::exists);
  const auto found = get(accounts.find(user("ALICE")));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->name, "Alice");
  EXPECT_EQ(found->id.size(), 20U);
  EXPECT_TRUE(found->id.starts_with("AIDA"));
  const auto users = get(accounts.list(world.tenant, Type::user));
  ASSERT_TRUE(users);
  ASSERT_EQ(users->size(), 2U);
  EXPECT_EQ((*users)[0].name, "Alice");
  EXPECT_EQ((*users)[1].name, "bob");
  EXPECT_EQ(get(accounts.find(user("carol"))).error().code(), Errc::not_found);
  EXPECT_TRUE(get(accounts.remove(user("bob"))));
  EXPECT_EQ(refused(accounts.remove(user("bob"))), Errc::not_found);
  EXPECT_TRUE(get(accounts.find(group("bob"))));
}

TEST_F(AccountsTest, list_more_than_a_page_and_no_other_tenants) {
  for (int i = 0; i < 150; ++i) EXPECT_TRUE(create(Type::user, fmt::format("u{:03}", i)));
  EXPECT_TRUE(create(Type::group, "g"));
  const auto users = get(accounts.list(world.tenant, Type::user));
  ASSERT_TRUE(users);
  EXPECT_EQ(users->size(), 150U);
  EXPECT_TRUE(get(accounts.list(TenantId(world.tenant.value() + 1), Type::user))->empty());
  EXPECT_TRUE(get(accounts.list(world.tenant, Type::role))->empty());
  EXPECT_EQ(get(accounts.create(TenantId(99), item_of(Type::user, "x"))).error().code(), Errc::not_found);
}

TEST_F(AccountsTest, refuse_what_is_no_name_path_or_policy) {
  for (const auto* name : {"", "a b", "a/b", "é"}) EXPECT_FALSE(create(Type::user, name)) << name;
  EXPECT_FALSE(create(Type::user, std::string(65, 'a')));
  EXPECT_TRUE(create(Type::group, std::string(128, 'a')));
  EXPECT_FALSE(create(Type::policy, "p", "{}"));
  EXPECT_FALSE(create(Type::role, "r", read_all));
  AccountItem item = item_of(Type::user, "x");
  item.path = "no";
  EXPECT_FALSE(get(accounts.create(world.tenant, item)));
}

TEST_F(AccountsTest, gather_the_policies_of_users_and_their_groups) {
  EXPECT_TRUE(create(Type::user, "alice"));
  EXPECT_TRUE(create(Type::group, "staff"));
  EXPECT_TRUE(create(Type::policy, "read", read_all));
  EXPECT_TRUE(create(Type::policy, "list", list_all));
  EXPECT_TRUE(get(accounts.attach(group("staff"), "read")));
  EXPECT_TRUE(get(accounts.add_to_group(world.tenant, "alice", "staff")));
  EXPECT_TRUE(get(accounts.put_inline(user("alice"), {"own", list_all})));
  EXPECT_TRUE(get(accounts.set_boundary(user("alice"), "list")));
  const auto policies = get(accounts.policies_of(user("alice")));
  ASSERT_TRUE(policies);
  EXPECT_EQ((*policies)->policies.size(), 2U);
  EXPECT_TRUE((*policies)->boundary);
  EXPECT_EQ((*policies)->principal.arn, "arn:aws:iam::" + iam::account_of(world.tenant) + ":user/alice");
  EXPECT_TRUE(get(accounts.remove_from_group(world.tenant, "alice", "staff")));
  EXPECT_EQ((*get(accounts.policies_of(user("alice"))))->policies.size(), 1U);
}

TEST_F(AccountsTest, changes_of_others_are_seen_within_a_second) {
  EXPECT_TRUE(create(Type::user, "alice"));
  EXPECT_TRUE((*get(accounts.policies_of(user("alice"))))->policies.empty());
  Accounts others{world.services(*world.founder)};
  EXPECT_TRUE(get(others.put_inline(user("alice"), {"own", list_all})));
  world.loop.run_for(std::chrono::milliseconds(1100));
  EXPECT_EQ((*get(accounts.policies_of(user("alice"))))->policies.size(), 1U);
}

TEST_F(AccountsTest, do_not_go_while_something_hangs_on_them) {
  EXPECT_TRUE(create(Type::user, "alice"));
  EXPECT_TRUE(create(Type::group, "staff"));
  EXPECT_TRUE(create(Type::policy, "read", read_all));
  EXPECT_TRUE(get(accounts.attach(user("alice"), "read")));
  EXPECT_EQ(refused(accounts.remove(user("alice"))), Errc::not_empty);
  EXPECT_EQ(refused(accounts.remove(policy("read"))), Errc::not_empty);
  EXPECT_TRUE(get(accounts.detach(user("alice"), "read")));
  EXPECT_EQ(refused(accounts.detach(user("alice"), "read")), Errc::not_found);
  EXPECT_TRUE(get(accounts.set_boundary(user("alice"), "read")));
  EXPECT_EQ(refused(accounts.remove(policy("read"))), Errc::not_empty);
  EXPECT_TRUE(get(accounts.set_boundary(user("alice"), "")));
  EXPECT_TRUE(get(accounts.remove(policy("read"))));
  EXPECT_TRUE(get(accounts.add_to_group(world.tenant, "alice", "staff")));
  EXPECT_EQ(refused(accounts.remove(group("staff"))), Errc::not_empty);
  EXPECT_EQ(refused(accounts.attach(user("alice"), "read")), Errc::not_found);
  EXPECT_EQ(refused(accounts.add_to_group(world.tenant, "alice", "none")), Errc::not_found);
  EXPECT_EQ(refused(accounts.remove_inline(user("alice"), "none")), Errc::not_found);
}

/// A policy that is attached between the look for references and the commit of its removal.
TEST_F(AccountsTest, a_policy_attached_while_it_is_removed_stays) {
  EXPECT_TRUE(create(Type::user, "alice"));
  EXPECT_TRUE(create(Type::policy, "read", read_all));
  Accounts other{world.services(*world.founder)};
  Interrupted client(world.shards.connect());
  Accounts slow{world.services(client)};
  bool attached = false;
  // Removal reads the policy, then users, groups and roles, and then commits: its fifth call.
  client.before(4,
                [&]() -> Task<> { attached = (co_await other.attach(user("alice"), "read")).has_value(); });
  EXPECT_EQ(refused(slow.remove(policy("read"))), Errc::not_empty);
  EXPECT_TRUE(attached);
  EXPECT_TRUE(get(accounts.find(policy("read"))));
}

TEST_F(AccountsTest, are_referred_to_by_their_own_names) {
  EXPECT_TRUE(create(Type::user, "alice"));
  EXPECT_TRUE(create(Type::policy, "Read", read_all));
  EXPECT_TRUE(get(accounts.attach(user("alice"), "READ")));
  EXPECT_EQ(get(accounts.find(user("alice")))->attached, std::vector<std::string>{"Read"});
  EXPECT_EQ(refused(accounts.remove(policy("rEAD"))), Errc::not_empty);
}

TEST_F(AccountsTest, bounds_hold) {
  EXPECT_TRUE(create(Type::user, "alice"));
  for (int i = 0; i < 11; ++i) {
    const std::string name = fmt::format("p{}", i);
    EXPECT_TRUE(create(Type::policy, name, read_all));
    EXPECT_EQ(get(accounts.attach(user("alice"), name)).has_value(), i < 10);
  }
  EXPECT_FALSE(create(Type::policy, "large", read_all + std::string(20480, ' ')));
  const std::string large = read_all + std::string(6000, ' ');
  EXPECT_TRUE(get(accounts.put_inline(user("alice"), {"a", large})));
  EXPECT_EQ(refused(accounts.put_inline(user("alice"), {"b", large})), Errc::too_large);
  EXPECT_TRUE(get(accounts.put_inline(user("alice"), {"a", large})));
}

TEST_F(AccountsTest, no_name_or_policy_stands_in_the_rows) {
  EXPECT_TRUE(create(Type::policy, "PLAINNAME", read_all));
  for (const auto& [name, row] : world.shards.all()) {
    const std::string bytes = name + row.record.encode();
    EXPECT_FALSE(bytes.contains("PLAINNAME"));
    EXPECT_FALSE(bytes.contains("s3:Get"));
  }
}

TEST_F(AccountsTest, a_row_under_another_key_is_not_taken) {
  EXPECT_TRUE(create(Type::user, "alice"));
  EXPECT_TRUE(create(Type::user, "bob"));
  const auto key = [&](const char* name) { return detail::account_key(world.key_service, user(name)); };
  shard::Row row;
  for (const auto& [name, one] : world.shards.all()) {
    if (one.key.item == key("alice").item) row = one;
  }
  row.key = key("bob");
  world.shards.overwrite(row);
  EXPECT_EQ(get(accounts.find(user("bob"))).error().code(), Errc::corrupted);
}

TEST(AccountRows, are_read_as_written_and_bounded) {
  AccountItem item = item_of(Type::user, "alice", "d");
  item.id = "AIDA";
  item.created_ms = 7;
  item.boundary = "b";
  item.attached = {"x", "y"};
  item.inline_policies = {{"n", "doc"}};
  item.groups = {"g"};
  item.keys = {"k"};
  item.tags = {{"t", "v"}};
  const std::string bytes = detail::write_account_item(item);
  EXPECT_EQ(detail::read_account_item(as_view(bytes)), item);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    EXPECT_FALSE(detail::read_account_item(as_view(std::string_view(bytes).substr(0, i))));
    std::string changed = bytes;
    changed[i] = static_cast<char>(changed[i] ^ 0x5a);
    (void)detail::read_account_item(as_view(changed));
  }
}

}  // namespace
}  // namespace kiseki::fs
