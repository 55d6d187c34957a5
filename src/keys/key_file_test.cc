#include <csignal>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/codec.h"
#include "crypto/hash.h"
#include "keys/keys.h"

namespace kiseki::keys {
namespace {

namespace fs = std::filesystem;

/// A directory of its own for each test.
class KeyFileTest : public testing::Test {
 protected:
  KeyFileTest() {
    std::string name = "/var/tmp/kiseki-keys-XXXXXX";
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    directory_ = name;
  }
  ~KeyFileTest() override { fs::remove_all(directory_); }

  fs::path path() const { return directory_ / "cluster.key"; }

  std::string read() const {
    std::ifstream in(path(), std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void write(const std::string& bytes, unsigned mode = 0600) const {
    std::ofstream(path(), std::ios::binary | std::ios::trunc) << bytes;
    ::chmod(path().c_str(), mode);
  }
  /// As `write`, with the checksum made right again.
  void write_signed(std::string bytes) const {
    bytes.resize(bytes.size() - 32);
    bytes += as_text(crypto::sha256(as_view(bytes)));
    write(bytes);
  }
  Error refusal() const {
    auto opened = KeyFile::open(path());
    EXPECT_FALSE(opened);
    return opened ? Error(Errc::exists) : std::move(opened).error();
  }
  std::size_t files() const {
    return static_cast<std::size_t>(
        std::distance(fs::directory_iterator(directory_), fs::directory_iterator{}));
  }

  SystemRng rng_;

 private:
  fs::path directory_;
};

void expect(const Error& error, Errc code, std::string_view words) {
  EXPECT_EQ(error.code(), code) << error.to_string();
  EXPECT_NE(error.words().find(words), std::string::npos) << error.to_string();
}

TEST_F(KeyFileTest, keeps_the_system_key_and_the_tenants_keys) {
  auto made = KeyFile::create(path(), rng_);
  ASSERT_TRUE(made);
  ASSERT_TRUE(made->add_tenant(TenantId(7), rng_));
  ASSERT_TRUE(made->add_tenant(TenantId(2), rng_));
  const auto opened = KeyFile::open(path());
  ASSERT_TRUE(opened) << opened.error().to_string();
  EXPECT_EQ(opened->fingerprint(), made->fingerprint());
  EXPECT_TRUE(equal(opened->system_key().view(), made->system_key().view()));
  for (const TenantId tenant : {TenantId(7), TenantId(2)}) {
    EXPECT_TRUE(equal((*opened->tenant_key(tenant))->view(), (*made->tenant_key(tenant))->view()));
  }
  EXPECT_EQ(opened->tenant_key(TenantId(3)).error().code(), Errc::key_unavailable);
  EXPECT_EQ(files(), 1U);
  struct stat status{};
  ::stat(path().c_str(), &status);
  EXPECT_EQ(status.st_mode & 07777U, 0600U);
}

// docs/formats/key-file.md, byte by byte.
TEST_F(KeyFileTest, is_written_as_the_format_page_says) {
  auto made = KeyFile::create(path(), rng_);
  ASSERT_TRUE(made && made->add_tenant(TenantId(5), rng_));
  std::string expected = "KSEKIKEY";
  Encoder to(expected);
  const crypto::Key256 print =
      crypto::hkdf_sha256(made->system_key().view(), {}, as_view("kiseki v1 system key fingerprint"));
  to.integer<std::uint32_t>(0x01000000).integer<std::uint32_t>(1).raw(print.view().first(16));
  to.raw(made->system_key().view()).id(TenantId(5)).raw((*made->tenant_key(TenantId(5)))->view());
  to.raw(crypto::sha256(as_view(expected)));
  EXPECT_EQ(to_hex(as_view(read())), to_hex(as_view(expected)));
}

TEST_F(KeyFileTest, never_overwrites_keys) {
  const auto made = KeyFile::create(path(), rng_);
  ASSERT_TRUE(made);
  const std::string before = read();
  expect(KeyFile::create(path(), rng_).error(), Errc::exists, "never overwritten");
  EXPECT_EQ(read(), before);
  EXPECT_EQ(files(), 1U);
}

TEST_F(KeyFileTest, a_tenant_gets_one_key_for_ever) {
  auto made = KeyFile::create(path(), rng_);
  ASSERT_TRUE(made && made->add_tenant(TenantId(1), rng_));
  const std::string before = read();
  EXPECT_EQ(made->add_tenant(TenantId(1), rng_).error().code(), Errc::exists);
  EXPECT_EQ(made->add_tenant(TenantId(0), rng_).error().code(), Errc::invalid_argument);
  EXPECT_EQ(read(), before);
}

TEST_F(KeyFileTest, does_not_drop_keys_that_another_process_added_or_revive_a_file_taken_away) {
  auto made = KeyFile::create(path(), rng_);
  ASSERT_TRUE(made);
  ASSERT_TRUE(KeyFile::open(path())->add_tenant(TenantId(9), rng_));
  expect(made->add_tenant(TenantId(8), rng_).error(), Errc::conflict, "another process");
  EXPECT_TRUE(KeyFile::open(path())->tenant_key(TenantId(9)));
  auto current = KeyFile::open(path());
  fs::remove(path());
  EXPECT_EQ(current->add_tenant(TenantId(8), rng_).error().code(), Errc::not_found);
  EXPECT_EQ(current->tenant_key(TenantId(8)).error().code(), Errc::key_unavailable);
  EXPECT_EQ(files(), 0U);
}

TEST_F(KeyFileTest, leaves_what_was_there_when_it_cannot_be_written) {
  auto made = KeyFile::create(path(), rng_);
  ASSERT_TRUE(made);
  const std::string before = read();
  rlimit old{};
  ::getrlimit(RLIMIT_FSIZE, &old);
  auto* const handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit tight{.rlim_cur = 50, .rlim_max = old.rlim_max};
  ::setrlimit(RLIMIT_FSIZE, &tight);
  const auto added = made->add_tenant(TenantId(1), rng_);
  ::setrlimit(RLIMIT_FSIZE, &old);
  std::signal(SIGXFSZ, handler);
  EXPECT_EQ(added.error().code(), Errc::io_error);
  EXPECT_EQ(made->tenant_key(TenantId(1)).error().code(), Errc::key_unavailable);
  EXPECT_EQ(read(), before);
  EXPECT_EQ(files(), 1U);
  EXPECT_TRUE(made->add_tenant(TenantId(1), rng_));
}

TEST_F(KeyFileTest, refuses_what_is_no_file_of_its_owner_alone) {
  expect(refusal(), Errc::not_found, "no key file at");
  const std::string whole = [this] {
    EXPECT_TRUE(KeyFile::create(path(), rng_));
    return read();
  }();
  for (const unsigned mode : {0640U, 0604U, 0660U, 0610U, 0602U}) {
    write(whole, mode);
    expect(refusal(), Errc::denied, "chmod 600");
  }
  write(whole, 0400);
  EXPECT_TRUE(KeyFile::open(path()));
  fs::remove(path());
  fs::create_directory(path());
  expect(refusal(), Errc::wrong_format, "not a regular file");
  fs::remove(path());
  ASSERT_EQ(::mkfifo(path().c_str(), 0600), 0);
  expect(refusal(), Errc::wrong_format, "not a regular file");
  EXPECT_EQ(KeyFile::create(path() / "below", rng_).error().code(), Errc::not_found);
}

TEST_F(KeyFileTest, tells_a_foreign_file_from_a_damaged_one) {
  auto made = KeyFile::create(path(), rng_);
  ASSERT_TRUE(made && made->add_tenant(TenantId(1), rng_));
  const std::string whole = read();
  const auto with = [&whole](std::size_t at, char value) {
    std::string changed = whole;
    changed[at] = value;
    return changed;
  };
  write("");
  expect(refusal(), Errc::corrupted, "cut short");
  write("#!/bin/sh\necho hello\n");
  expect(refusal(), Errc::wrong_format, "not a key file");
  write_signed(with(8, 2));
  expect(refusal(), Errc::wrong_format, "format 2, this build reads 1");
  write(whole + "x");
  expect(refusal(), Errc::corrupted, "too long");
  write_signed(with(16, static_cast<char>(whole[16] ^ 1)));
  expect(refusal(), Errc::corrupted, "fingerprint");
  write_signed(with(71, 0));
  expect(refusal(), Errc::corrupted, "impossible tenant");
  write_signed(with(12, 1));
  expect(refusal(), Errc::corrupted, "impossible header");
  write(std::string(3'000'000, 'x'));
  expect(refusal(), Errc::wrong_format, "too long");
}

TEST_F(KeyFileTest, refuses_every_truncation_and_every_flipped_bit) {
  auto made = KeyFile::create(path(), rng_);
  ASSERT_TRUE(made && made->add_tenant(TenantId(1), rng_));
  const std::string whole = read();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    write(whole.substr(0, size));
    const Error error = refusal();
    if (size >= 8) EXPECT_EQ(error.code(), Errc::corrupted) << size << error.to_string();
  }
  for (std::size_t bit = 0; bit < whole.size() * 8; bit += 3) {
    std::string changed = whole;
    changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << (bit % 8)));
    write(changed);
    const Error error = refusal();
    EXPECT_EQ(error.code(), bit / 8 < 9 ? Errc::wrong_format : Errc::corrupted) << bit << error.to_string();
  }
}

}  // namespace
}  // namespace kiseki::keys
