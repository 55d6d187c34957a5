#include "fs/identities.h"

#include "fs/testing/memory_world.h"

namespace kiseki::fs {
namespace {

/// Coroutines that are started hand back what can be made from nothing, which a credential cannot.
Task<Result<std::string>> secret_of(Identities& identities, std::string id) {
  const auto found = co_await identities.find(std::move(id));
  if (!found) co_return fail(found.error());
  co_return std::string(found->secret.text());
}

Task<Result<AccessKey>> create(Identities& identities, TenantId tenant, std::string& secret) {
  const auto made = co_await identities.create(tenant, false);
  if (!made) co_return fail(made.error());
  secret = made->secret.text();
  co_return made->key;
}

class IdentitiesTest : public testing::Test {
 public:
  template <class T>
  T get(Task<T> task) {
    return world.loop.get(std::move(task));
  }

  MemoryWorld world;
  KeysMade keys_made;
  Identities identities{world.services(*world.founder), keys_made};
};

TEST_F(IdentitiesTest, are_found_with_their_secret) {
  std::string secret;
  const auto made = get(create(identities, world.tenant, secret));
  ASSERT_TRUE(made);
  EXPECT_EQ(made->id.size(), 20U);
  EXPECT_EQ(made->tenant, world.tenant);
  EXPECT_FALSE(made->is_root);
  EXPECT_EQ(secret.size(), 40U);
  Identities others{world.services(*world.founder), keys_made};
  EXPECT_EQ(*get(secret_of(others, made->id)), secret);
  EXPECT_EQ(get(secret_of(others, "AKIANOSUCHKEY")).error().code(), Errc::not_found);
}

/// Counts its reads.
class CountingClient final : public ForwardingClient {
 public:
  using ForwardingClient::ForwardingClient;
  Task<Result<shard::ReadReply>> read(shard::ReadRequest request) override {
    ++reads;
    return ForwardingClient::read(std::move(request));
  }
  int reads = 0;
};

TEST_F(IdentitiesTest, an_unknown_key_costs_one_read_in_a_while) {
  CountingClient client(world.shards.connect());
  Identities counted{world.services(client), keys_made};
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(get(secret_of(counted, "AKIANOSUCHKEY")).error().code(), Errc::not_found);
  }
  EXPECT_EQ(client.reads, 1);
  world.loop.run_for(std::chrono::seconds(6));
  EXPECT_EQ(get(secret_of(counted, "AKIANOSUCHKEY")).error().code(), Errc::not_found);
  EXPECT_EQ(client.reads, 2);
}

TEST_F(IdentitiesTest, a_key_made_on_another_core_is_known_at_once) {
  Identities other{world.services(*world.founder), keys_made};
  EXPECT_EQ(get(secret_of(other, "new")).error().code(), Errc::not_found);
  EXPECT_TRUE(get(identities.put(world.tenant, "new", "secret", false)));
  EXPECT_EQ(*get(secret_of(other, "new")), "secret");
}

TEST_F(IdentitiesTest, given_ones_are_put_once) {
  EXPECT_TRUE(get(identities.put(world.tenant, "root", "secret", true)));
  EXPECT_TRUE(get(identities.put(world.tenant, "root", "secret", true)));
  EXPECT_EQ(get(identities.put(world.tenant, "root", "another", true)).error().code(), Errc::exists);
  EXPECT_EQ(get(identities.put(world.tenant, "", "x", true)).error().code(), Errc::invalid_argument);
  EXPECT_EQ(*get(secret_of(identities, "root")), "secret");
}

TEST_F(IdentitiesTest, are_listed_and_removed) {
  for (const auto* id : {"b", "a", "c"}) EXPECT_TRUE(get(identities.put(world.tenant, id, "s", false)));
  EXPECT_TRUE(get(identities.remove("b")));
  EXPECT_EQ(get(identities.remove("b")).error().code(), Errc::not_found);
  EXPECT_EQ(get(secret_of(identities, "b")).error().code(), Errc::not_found);
  const auto keys = get(identities.list());
  ASSERT_TRUE(keys);
  ASSERT_EQ(keys->size(), 2U);
  EXPECT_EQ((*keys)[0].id, "a");
  EXPECT_EQ((*keys)[1].id, "c");
}

TEST_F(IdentitiesTest, removed_by_another_are_forgotten_within_a_second) {
  EXPECT_TRUE(get(identities.put(world.tenant, "k", "s", false)));
  EXPECT_TRUE(get(secret_of(identities, "k")));
  Identities others{world.services(*world.founder), keys_made};
  EXPECT_TRUE(get(others.remove("k")));
  world.loop.run_for(std::chrono::milliseconds(1100));
  EXPECT_EQ(get(secret_of(identities, "k")).error().code(), Errc::not_found);
}

const std::string read_all =
    R"({"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:Get*","Resource":"*"}})";

/// The id, or why there is none.
Task<Result<std::string>> create_for(Identities& identities, TenantId tenant, KeyOptions options) {
  const auto made = co_await identities.create(tenant, std::move(options));
  if (!made) co_return fail(made.error());
  co_return made->key.id;
}

Task<Result<std::shared_ptr<const KeyRights>>> rights_of(Identities& identities, std::string id) {
  const auto found = co_await identities.find(std::move(id));
  if (!found) co_return fail(found.error());
  co_return found->key.rights;
}

class UserKeysTest : public IdentitiesTest {
 public:
  UserKeysTest() {
    AccountItem alice;
    alice.name = "Alice";
    alice.inline_policies = {{"read", read_all}};
    EXPECT_TRUE(get(identities.accounts().create(world.tenant, alice)));
  }
  AccountName alice() { return {world.tenant, AccountItem::Type::user, "alice"}; }
};

TEST_F(UserKeysTest, carry_the_rights_of_their_user) {
  const auto id = get(create_for(identities, world.tenant, {.user = "alice"}));
  ASSERT_TRUE(id);
  const auto rights = get(rights_of(identities, *id));
  ASSERT_TRUE(rights && *rights);
  EXPECT_EQ((*rights)->principal.name, "Alice");
  EXPECT_EQ((*rights)->policies.size(), 1U);
  EXPECT_FALSE((*rights)->limits);
  EXPECT_EQ(get(identities.accounts().find(alice()))->keys, std::vector<std::string>{*id});
  EXPECT_EQ(get(identities.list())->at(0).user, "Alice");
  EXPECT_EQ(get(create_for(identities, world.tenant, {.user = "bob"})).error().code(), Errc::not_found);
}

TEST_F(UserKeysTest, of_the_tenant_itself_have_none_unless_they_are_limited) {
  std::string secret;
  const auto whole = get(create(identities, world.tenant, secret));
  EXPECT_EQ(*get(rights_of(identities, whole->id)), nullptr);
  const auto id = get(create_for(identities, world.tenant, {.limits = read_all}));
  ASSERT_TRUE(id);
  const auto rights = get(rights_of(identities, *id));
  ASSERT_TRUE(rights && *rights);
  EXPECT_TRUE((*rights)->limits);
  EXPECT_EQ((*rights)->principal.type, iam::Principal::Type::root);
  EXPECT_EQ(get(create_for(identities, world.tenant, {.limits = "{}"})).error().code(),
            Errc::invalid_argument);
}

TEST_F(UserKeysTest, that_are_disabled_or_expired_are_not_found) {
  const auto id = get(create_for(identities, world.tenant, {.user = "alice"}));
  ASSERT_TRUE(id);
  EXPECT_TRUE(get(identities.set_state(*id, AccessKey::State::disabled)));
  EXPECT_EQ(get(secret_of(identities, *id)).error().code(), Errc::not_found);
  EXPECT_EQ(get(identities.list())->at(0).state, AccessKey::State::disabled);
  EXPECT_TRUE(get(identities.set_state(*id, AccessKey::State::active)));
  EXPECT_TRUE(get(secret_of(identities, *id)));
  const std::uint64_t now = world.founder->time_ms();
  const auto brief = get(create_for(identities, world.tenant, {.expires_ms = now + 2000}));
  ASSERT_TRUE(brief);
  EXPECT_TRUE(get(secret_of(identities, *brief)));
  world.loop.run_for(std::chrono::seconds(4));
  EXPECT_EQ(get(secret_of(identities, *brief)).error().code(), Errc::not_found);
  EXPECT_EQ(get(identities.set_state("none", AccessKey::State::active)).error().code(), Errc::not_found);
}

TEST_F(IdentitiesTest, root_credentials_are_not_disabled) {
  EXPECT_TRUE(get(identities.put(world.tenant, "root", "secret", true)));
  EXPECT_EQ(get(identities.set_state("root", AccessKey::State::disabled)).error().code(),
            Errc::invalid_argument);
  EXPECT_TRUE(get(identities.put(world.tenant, "root", "secret", true)));
}

TEST_F(UserKeysTest, hold_their_user_and_let_it_go) {
  const auto id = get(create_for(identities, world.tenant, {.user = "alice"}));
  ASSERT_TRUE(id);
  EXPECT_TRUE(get(identities.accounts().remove_inline(alice(), "read")));
  EXPECT_EQ(get(identities.accounts().remove(alice())).error().code(), Errc::not_empty);
  EXPECT_TRUE(get(identities.remove(*id)));
  EXPECT_TRUE(get(identities.accounts().remove(alice())));
}

TEST_F(UserKeysTest, follow_their_user_within_two_seconds) {
  const auto id = get(create_for(identities, world.tenant, {.user = "alice"}));
  ASSERT_TRUE(get(rights_of(identities, *id)));
  Accounts others{world.services(*world.founder)};
  EXPECT_TRUE(get(others.remove_inline(alice(), "read")));
  world.loop.run_for(std::chrono::milliseconds(2100));
  EXPECT_TRUE((*get(rights_of(identities, *id)))->policies.empty());
}

TEST_F(UserKeysTest, are_eight_at_most) {
  for (int i = 0; i < 9; ++i)
    EXPECT_EQ(get(create_for(identities, world.tenant, {.user = "alice"})).has_value(), i < 8);
}

TEST_F(IdentitiesTest, a_row_that_was_moved_to_another_key_opens_for_nobody) {
  for (const auto* id : {"a", "b"}) EXPECT_TRUE(get(identities.put(world.tenant, id, "s", false)));
  const std::vector<shard::Row> rows = world.shards.rows(shard::Kind::access_key);
  ASSERT_EQ(rows.size(), 2U);
  shard::Row moved = rows[1];
  moved.record = rows[0].record;
  world.shards.overwrite(moved);
  Identities others{world.services(*world.founder), keys_made};
  const bool opens_a = get(secret_of(others, "a")).has_value(),
             opens_b = get(secret_of(others, "b")).has_value();
  EXPECT_TRUE(opens_a != opens_b);
  EXPECT_EQ(get(others.list()).error().code(), Errc::corrupted);
}

TEST_F(IdentitiesTest, no_id_or_secret_stands_in_the_rows) {
  EXPECT_TRUE(get(identities.put(world.tenant, "PLAINACCESSKEY", "PLAINSECRET", false)));
  for (const auto& [name, row] : world.shards.all()) {
    const std::string bytes = name + row.record.encode();
    EXPECT_FALSE(bytes.contains("PLAINACCESSKEY"));
    EXPECT_FALSE(bytes.contains("PLAINSECRET"));
  }
}

}  // namespace
}  // namespace kiseki::fs
