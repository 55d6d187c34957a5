#pragma once

#include <map>

#include "fs/namespaces.h"
#include "fs/uploads.h"

namespace kiseki::s3::testing {

/// A file system in memory with the contract of the real one: what the operations are tested against.
class MemoryFiles final : public fs::Namespaces, public fs::Objects, public fs::Uploads {
 public:
  /// The next call fails with this.
  void fail_next(Errc code) { planned_ = code; }
  /// The next call finds no memory.
  void exhaust_next() { exhausted_ = true; }
  /// Parts are from now on told to have so many bytes, whatever they have.
  void pretend_part_size(Bytes size) { part_size_ = size; }
  /// As after a write of somebody else: the object is no longer the one that was there.
  void replace_on_next_read(std::string key) { replaced_ = std::move(key); }
  /// The same between what the caller of the next copy saw of its source and the commit of the copy.
  void replace_before_next_copy(std::string key) { replaced_source_ = std::move(key); }
  /// The next change of a configuration finds another's before it.
  void change_before_next() { changed_before_ = true; }
  /// Reads of objects fail from this offset on.
  void fail_reads_at(Bytes offset) { bad_offset_ = offset; }

  Task<Result<fs::Namespace>> create(TenantId tenant, std::string name,
                                     fs::Configuration configuration) override;
  Task<Result<fs::Namespace>> find(TenantId tenant, std::string name) override;
  Task<Result<fs::Namespace>> recall(TenantId tenant, std::string name) override {
    return find(tenant, std::move(name));
  }
  Task<Result<std::vector<fs::Namespace>>> list(TenantId tenant) override;
  Task<Result<>> remove(TenantId tenant, std::string name) override;
  Task<Result<fs::Configured>> find_configuration(NamespaceId ns) override;
  Task<Result<fs::Configured>> recall_configuration(NamespaceId ns) override {
    return find_configuration(ns);
  }
  Task<Result<std::uint32_t>> configure(NamespaceId ns, std::uint32_t epoch,
                                        fs::Configuration configuration) override;

  Task<Result<fs::Attributes>> put(NamespaceId ns, std::string key, fs::Source& source,
                                   fs::Condition condition) override;
  Task<Result<fs::Attributes>> stat(NamespaceId ns, std::string key) override;
  Task<Result<std::unique_ptr<fs::Object>>> open(NamespaceId ns, std::string key) override;
  Task<Result<>> remove(NamespaceId ns, std::string key, fs::Condition condition) override;
  Task<Result<fs::Attributes>> copy(fs::CopyRequest request) override;
  Task<Result<fs::ListReply>> list(NamespaceId ns, fs::ListRequest request) override;

  Task<Result<std::string>> create(NamespaceId ns, std::string key, fs::Properties properties) override;
  Task<Result<fs::Attributes>> put_part(NamespaceId ns, std::string key, std::string upload,
                                        std::uint32_t number, fs::Source& source) override;
  Task<Result<fs::Attributes>> complete(fs::CompleteUpload request) override;
  Task<Result<>> abort(NamespaceId ns, std::string key, std::string upload) override;
  Task<Result<fs::PartPage>> parts(NamespaceId ns, std::string key, std::string upload, std::uint32_t after,
                                   std::uint32_t limit) override;
  Task<Result<fs::UploadInfo>> find(NamespaceId ns, std::string key, std::string upload) override;
  Task<Result<fs::UploadPage>> list(NamespaceId ns, std::string prefix, std::string after_key,
                                    std::string after_upload, std::uint32_t limit) override;

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
    std::map<std::string, std::string> completed;  // upload → key
    fs::Configured configured;
  };
  class OpenObject;

  Result<Bucket*> bucket(NamespaceId ns);
  Result<Upload*> upload(NamespaceId ns, const std::string& key, const std::string& id);
  static Result<> check(const Bucket& bucket, const std::string& key, const fs::Condition& condition);
  static Task<Result<Stored>> read_all(fs::Source& source);

  std::map<std::pair<TenantId, std::string>, Bucket> buckets_;
  std::uint64_t next_id_ = 1;
  std::optional<Errc> planned_;
  bool exhausted_ = false;
  bool changed_before_ = false;
  std::optional<Bytes> bad_offset_;
  std::optional<Bytes> part_size_;
  std::string replaced_, replaced_source_;
};

}  // namespace kiseki::s3::testing
