#pragma once

#include <map>

#include "fs/file_system.h"

namespace kiseki::s3::testing {

/// A file system in memory with the contract of the real one: what the operations are tested against.
class MemoryFiles final : public fs::FileSystem {
 public:
  /// The next call fails with this.
  void fail_next(Errc code) { planned_ = code; }
  /// The next call finds no memory.
  void exhaust_next() { exhausted_ = true; }
  /// Reads of objects fail from this offset on.
  void fail_reads_at(Bytes offset) { bad_offset_ = offset; }

  Task<Result<fs::Namespace>> create_namespace(TenantId tenant, std::string name) override;
  Task<Result<fs::Namespace>> find_namespace(TenantId tenant, std::string name) override;
  Task<Result<std::vector<fs::Namespace>>> list_namespaces(TenantId tenant) override;
  Task<Result<>> remove_namespace(TenantId tenant, std::string name) override;
  Task<Result<fs::Attributes>> put(fs::Namespace ns, std::string key, fs::Source& source,
                                   fs::Condition condition) override;
  Task<Result<fs::Attributes>> stat(fs::Namespace ns, std::string key) override;
  Task<Result<std::unique_ptr<fs::Object>>> open_object(fs::Namespace ns, std::string key) override;
  Task<Result<>> remove(fs::Namespace ns, std::string key, fs::Condition condition) override;
  Task<Result<fs::Attributes>> copy(CopyRequest request) override;
  Task<Result<fs::ListReply>> list(fs::Namespace ns, fs::ListRequest request) override;
  // No S3 operation asks for these.
  Task<Result<>> make_directory(fs::Namespace, std::string) override { co_return fail(Errc::not_supported); }
  Task<Result<>> remove_directory(fs::Namespace, std::string) override {
    co_return fail(Errc::not_supported);
  }
  Task<Result<fs::DirectoryAttributes>> stat_directory(fs::Namespace, std::string) override {
    co_return fail(Errc::not_supported);
  }
  Task<Result<>> rename(fs::Namespace, std::string, std::string) override {
    co_return fail(Errc::not_supported);
  }
  Task<Result<std::string>> create_upload(fs::Namespace ns, std::string key,
                                          fs::Properties properties) override;
  Task<Result<fs::Attributes>> put_part(fs::Namespace ns, std::string key, std::string upload,
                                        std::uint32_t number, fs::Source& source) override;
  Task<Result<fs::Attributes>> complete_upload(CompleteUpload request) override;
  Task<Result<>> abort_upload(fs::Namespace ns, std::string key, std::string upload) override;
  Task<Result<std::vector<fs::PartInfo>>> list_parts(fs::Namespace ns, std::string key, std::string upload,
                                                     std::uint32_t after, std::uint32_t limit) override;
  Task<Result<fs::UploadInfo>> find_upload(fs::Namespace ns, std::string key, std::string upload) override;
  Task<Result<std::vector<fs::UploadInfo>>> list_uploads(fs::Namespace ns, std::string prefix,
                                                         std::string after_key, std::string after_upload,
                                                         std::uint32_t limit) override;
  Task<> sweep() override { co_return; }
  Task<> stop() override { co_return; }

 private:
  struct Stored {
    fs::Attributes attributes;
    std::string bytes;
  };
  struct Upload {
    fs::UploadInfo info;
    std::map<std::uint32_t, Stored> parts;
  };
  struct Bucket {
    fs::Namespace ns;
    std::map<std::string, Stored> objects;
    std::map<std::pair<std::string, std::string>, Upload> uploads;
  };
  class OpenObject;

  Result<Bucket*> bucket(const fs::Namespace& ns);
  Result<Upload*> upload(const fs::Namespace& ns, const std::string& key, const std::string& id);
  static Result<> check(const Bucket& bucket, const std::string& key, const fs::Condition& condition);
  static Task<Result<Stored>> read_all(fs::Source& source);

  std::map<std::pair<TenantId, std::string>, Bucket> buckets_;
  std::uint64_t next_id_ = 1;
  std::optional<Errc> planned_;
  bool exhausted_ = false;
  std::optional<Bytes> bad_offset_;
};

}  // namespace kiseki::s3::testing
