#include <filesystem>
#include <gtest/gtest.h>
#include <set>

#include "base/codec.h"
#include "crypto/hash.h"
#include "keys/detail/key_descriptor.h"
#include "keys/detail/wrap.h"
#include "keys/keys.h"

namespace kiseki::keys {
namespace {

using detail::KeyDescriptor;

template <class T>
Task<> store(Task<T> task, std::optional<T>& out) {
  out.emplace(co_await std::move(task));
}

/// The value of a coroutine that waits for nothing outside its loop.
template <class T>
T run(Task<T> task) {
  asio::io_context loop;
  std::optional<T> value;
  asio::co_spawn(loop, store(std::move(task), value),
                 [](const std::exception_ptr& thrown) { EXPECT_EQ(thrown, nullptr); });
  loop.run();
  return std::move(*value);
}

constexpr TenantId tenant{3};
constexpr NamespaceId ns{11};

/// Two clusters: what one made, the other must not open.
class KeyServiceTest : public testing::Test {
 protected:
  struct Cluster {
    explicit Cluster(const std::filesystem::path& path) : file(make(path)) {}
    static KeyFile make(const std::filesystem::path& path) {
      SystemRng rng;
      auto made = KeyFile::create(path, rng);
      EXPECT_TRUE(made && made->add_tenant(tenant, rng) && made->add_tenant(TenantId(4), rng));
      return std::move(*made);
    }
    SystemRng rng;
    KeyFile file;
    InternalProvider provider{file, rng};
    KeyService service{file.system_key(), provider, rng};
  };

  KeyServiceTest() {
    std::string name = "/var/tmp/kiseki-keys-XXXXXX";
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    directory_ = name;
    ours_.emplace(directory_ / "ours");
    theirs_.emplace(directory_ / "theirs");
  }
  ~KeyServiceTest() override { std::filesystem::remove_all(directory_); }

  KeyService& service() { return ours_->service; }
  std::string descriptor() { return *run(service().create(tenant, ns)); }
  Errc refusal(const std::string& bytes) {
    const auto unlocked = run(service().unlock(tenant, ns, bytes));
    EXPECT_FALSE(unlocked);
    return unlocked ? Errc::exists : unlocked.error().code();
  }

  std::optional<Cluster> ours_;
  std::optional<Cluster> theirs_;

 private:
  std::filesystem::path directory_;
};

TEST_F(KeyServiceTest, unlocks_the_same_keys_every_time_and_all_of_them_differ) {
  const std::string made = descriptor();
  const auto keys = *run(service().unlock(tenant, ns, made));
  const auto again = *run(service().unlock(tenant, ns, made));
  EXPECT_EQ(keys->ns(), ns);
  EXPECT_EQ(keys->current(), KeyEpoch(1));
  const auto* epoch = *keys->epoch(KeyEpoch(1));
  std::set<std::string> all;
  for (const auto* key : {&keys->chunk_id_key(), &keys->handle_key(), &epoch->metadata, &epoch->data}) {
    all.insert(to_hex(key->view()));
  }
  EXPECT_EQ(all.size(), 4U);
  EXPECT_TRUE(equal(keys->chunk_id_key().view(), again->chunk_id_key().view()));
  EXPECT_TRUE(equal(epoch->data.view(), (*again->epoch(KeyEpoch(1)))->data.view()));
  EXPECT_EQ(keys->epoch(KeyEpoch(2)).error().code(), Errc::key_unavailable);
  const auto other = *run(service().unlock(tenant, ns, descriptor()));
  EXPECT_FALSE(equal(keys->chunk_id_key().view(), other->chunk_id_key().view()));
}

TEST_F(KeyServiceTest, rotation_adds_an_epoch_and_keeps_everything_else) {
  const std::string first = descriptor();
  const auto before = *run(service().unlock(tenant, ns, first));
  const auto rotated = run(service().rotate(tenant, ns, first));
  ASSERT_TRUE(rotated);
  const auto after = *run(service().unlock(tenant, ns, *rotated));
  EXPECT_EQ(after->current(), KeyEpoch(2));
  EXPECT_TRUE(equal(before->chunk_id_key().view(), after->chunk_id_key().view()));
  EXPECT_TRUE(equal(before->handle_key().view(), after->handle_key().view()));
  const auto* old_epoch = *after->epoch(KeyEpoch(1));
  EXPECT_TRUE(equal((*before->epoch(KeyEpoch(1)))->metadata.view(), old_epoch->metadata.view()));
  EXPECT_FALSE(equal((*after->epoch(KeyEpoch(2)))->data.view(), old_epoch->data.view()));
}

TEST_F(KeyServiceTest, a_descriptor_needs_this_system_key_and_this_tenants_key) {
  const std::string made = descriptor();
  EXPECT_EQ(run(theirs_->service.unlock(tenant, ns, made)).error().code(), Errc::corrupted);
  EXPECT_EQ(run(theirs_->service.rotate(tenant, ns, made)).error().code(), Errc::corrupted);
  // The right system key with the wrong tenant's keys, and the other way round.
  KeyService half(ours_->file.system_key(), theirs_->provider, ours_->rng);
  EXPECT_EQ(run(half.unlock(tenant, ns, made)).error().code(), Errc::corrupted);
  KeyService other_half(theirs_->file.system_key(), ours_->provider, ours_->rng);
  EXPECT_EQ(run(other_half.unlock(tenant, ns, made)).error().code(), Errc::corrupted);
  EXPECT_TRUE(run(half.rotate(tenant, ns, made)));
}

TEST_F(KeyServiceTest, a_descriptor_opens_only_for_its_tenant_and_namespace) {
  const std::string made = descriptor();
  EXPECT_EQ(run(service().unlock(TenantId(4), ns, made)).error().code(), Errc::corrupted);
  EXPECT_EQ(run(service().unlock(tenant, NamespaceId(12), made)).error().code(), Errc::corrupted);
  auto forged = *KeyDescriptor::parse(as_view(made));
  forged.ns = NamespaceId(12);
  EXPECT_EQ(run(service().unlock(tenant, NamespaceId(12), forged.encode())).error().code(), Errc::corrupted);
  EXPECT_EQ(run(service().create(TenantId(99), ns)).error().code(), Errc::key_unavailable);
}

TEST_F(KeyServiceTest, a_wrapped_secret_opens_only_in_its_place) {
  const auto whole = *KeyDescriptor::parse(as_view(*run(service().rotate(tenant, ns, descriptor()))));
  auto swapped = whole;
  std::swap(swapped.epochs.at(KeyEpoch(1)), swapped.epochs.at(KeyEpoch(2)));
  EXPECT_EQ(refusal(swapped.encode()), Errc::corrupted);
  auto root_as_permanent = whole;
  root_as_permanent.permanent = whole.epochs.at(KeyEpoch(1));
  EXPECT_EQ(refusal(root_as_permanent.encode()), Errc::corrupted);
  auto renumbered = whole;
  renumbered.epochs = {{KeyEpoch(3), whole.epochs.at(KeyEpoch(2))}};
  EXPECT_EQ(refusal(renumbered.encode()), Errc::corrupted);
}

TEST_F(KeyServiceTest, every_flipped_bit_and_every_truncation_of_a_descriptor_is_refused) {
  const std::string made = descriptor();
  for (std::size_t bit = 0; bit < made.size() * 8; ++bit) {
    std::string changed = made;
    changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << (bit % 8)));
    const Errc code = refusal(changed);
    EXPECT_TRUE(code == Errc::corrupted || code == Errc::wrong_format) << bit;
  }
  for (std::size_t size = 0; size < made.size(); ++size) {
    EXPECT_EQ(refusal(made.substr(0, size)), Errc::corrupted) << size;
  }
  EXPECT_EQ(refusal(made + "x"), Errc::corrupted);
}

TEST_F(KeyServiceTest, the_last_epoch_cannot_be_rotated_past_its_limit) {
  auto whole = *KeyDescriptor::parse(as_view(descriptor()));
  const auto provided = run(ours_->provider.wrap(tenant, ours_->file.system_key()));
  std::string associated = "kiseki v1 descriptor";
  Encoder(associated).integer<std::uint8_t>(2).id(tenant).id(ns).integer<std::uint32_t>(0xffff'ffff);
  const auto key =
      crypto::hkdf_sha256(ours_->file.system_key().view(), {}, as_view("kiseki v1 descriptor wrap"));
  whole.epochs = {
      {KeyEpoch(0xffff'ffff), detail::wrap(key, ours_->rng, as_view(associated), as_view(*provided))}};
  EXPECT_TRUE(run(service().unlock(tenant, ns, whole.encode())));
  EXPECT_EQ(run(service().rotate(tenant, ns, whole.encode())).error().code(), Errc::out_of_range);
}

TEST_F(KeyServiceTest, seals_under_the_system_key_and_a_context) {
  const std::string sealed = service().seal(as_view("key 1"), as_view("secret"));
  EXPECT_EQ(*service().open(as_view("key 1"), as_view(sealed)), "secret");
  EXPECT_EQ(sealed.find("secret"), std::string::npos);
  EXPECT_NE(service().seal(as_view("key 1"), as_view("secret")), sealed);
  EXPECT_EQ(service().open(as_view("key 2"), as_view(sealed)).error().code(), Errc::corrupted);
  EXPECT_EQ(theirs_->service.open(as_view("key 1"), as_view(sealed)).error().code(), Errc::corrupted);
  EXPECT_EQ(service().open(as_view("key 1"), {}).error().code(), Errc::corrupted);
  EXPECT_EQ(service().open(as_view("key 1"), as_view("\x02" + sealed.substr(1))).error().code(),
            Errc::wrong_format);
}

TEST_F(KeyServiceTest, the_provider_refuses_what_another_tenant_wrapped) {
  const auto wrapped = *run(ours_->provider.wrap(tenant, ours_->file.system_key()));
  EXPECT_EQ(wrapped.size(), 73U);
  EXPECT_TRUE(equal(run(ours_->provider.unwrap(tenant, wrapped))->view(), ours_->file.system_key().view()));
  EXPECT_EQ(run(ours_->provider.unwrap(TenantId(4), wrapped)).error().code(), Errc::corrupted);
  EXPECT_EQ(run(ours_->provider.unwrap(TenantId(5), wrapped)).error().code(), Errc::key_unavailable);
  EXPECT_EQ(run(ours_->provider.unwrap(tenant, wrapped.substr(0, 20))).error().code(), Errc::corrupted);
}

// Bytes that a hostile keeper of descriptors would try.
TEST(KeyDescriptor, refuses_impossible_fields) {
  const KeyDescriptor good{
      .tenant = tenant, .ns = ns, .permanent = "p", .epochs = {{KeyEpoch(1), "a"}, {KeyEpoch(2), "b"}}};
  const std::string bytes = good.encode();
  ASSERT_EQ(KeyDescriptor::parse(as_view(bytes))->encode(), bytes);
  const auto refused = [](std::string text) {
    return KeyDescriptor::parse(as_view(text)).error().code() == Errc::corrupted;
  };
  const auto with = [&bytes](std::size_t at, std::string_view value) {
    std::string changed = bytes;
    return changed.replace(at, value.size(), value);
  };
  using namespace std::string_view_literals;
  EXPECT_TRUE(refused(with(17, "\xff\xff\xff\xff"sv)));  // longer than the descriptor
  EXPECT_TRUE(refused(with(22, "\0\0\0\0"sv)));          // no epoch
  EXPECT_TRUE(refused(with(22, "\xff\xff\xff\xff"sv)));  // more epochs than bytes
  EXPECT_TRUE(refused(with(26, "\0\0\0\0"sv)));          // epoch 0
  EXPECT_TRUE(refused(with(35, "\0\0\0\1"sv)));          // the same epoch twice
  EXPECT_EQ(KeyDescriptor::parse(as_view(with(0, "\x02"sv))).error().code(), Errc::wrong_format);
  KeyDescriptor empty = good;
  empty.permanent.clear();
  EXPECT_TRUE(refused(empty.encode()));
  KeyDescriptor long_secret = good;
  long_secret.permanent.assign(KeyDescriptor::wrapped_size_max + 1, 'x');
  EXPECT_TRUE(refused(long_secret.encode()));
}

}  // namespace
}  // namespace kiseki::keys
