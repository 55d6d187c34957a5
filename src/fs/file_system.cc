#include "fs/file_system.h"

#include "fs/namespaces/namespaces.h"
#include "fs/objects/directories.h"
#include "fs/objects/listing.h"
#include "fs/objects/objects.h"
#include "fs/objects/renames.h"
#include "fs/sweeping/sweeper.h"
#include "fs/uploads/uploads.h"

namespace kiseki::fs {

namespace {

/// The parts of one core's file system, in the order they stand on each other.
class CoreFileSystem final : public FileSystem {
 public:
  CoreFileSystem(Services services, TreeLimits limits)
      : tree_(services, limits),
        store_(services),
        objects_(tree_, store_),
        uploads_(tree_, store_),
        directories_(tree_),
        deletion_(tree_, limits),
        namespaces_(tree_, deletion_),
        sweeper_(tree_),
        background_(services.executor) {}

  Task<Result<Namespace>> create_namespace(TenantId tenant, std::string name) override {
    return namespaces_.create(tenant, std::move(name));
  }
  Task<Result<Namespace>> find_namespace(TenantId tenant, std::string name) override {
    return namespaces_.find(tenant, std::move(name));
  }
  Task<Result<std::vector<Namespace>>> list_namespaces(TenantId tenant) override {
    return namespaces_.list(tenant);
  }
  Task<Result<>> remove_namespace(TenantId tenant, std::string name) override {
    return namespaces_.remove(tenant, std::move(name));
  }

  Task<Result<Attributes>> put(Namespace ns, std::string key, Source& source, Condition condition) override {
    return objects_.put(ns.id, std::move(key), source, std::move(condition));
  }
  Task<Result<Attributes>> stat(Namespace ns, std::string key) override {
    return objects_.stat(ns.id, std::move(key));
  }
  Task<Result<std::unique_ptr<Object>>> open_object(Namespace ns, std::string key) override {
    return objects_.open(ns.id, std::move(key));
  }
  Task<Result<>> remove(Namespace ns, std::string key, Condition condition) override {
    return objects_.remove(ns.id, std::move(key), std::move(condition));
  }
  Task<Result<Attributes>> copy(CopyRequest request) override { return objects_.copy(std::move(request)); }
  Task<Result<ListReply>> list(Namespace ns, ListRequest request) override {
    return detail::list_objects(tree_, ns.id, std::move(request));
  }

  Task<Result<>> make_directory(Namespace ns, std::string path) override {
    return directories_.make(ns.id, std::move(path));
  }
  Task<Result<>> remove_directory(Namespace ns, std::string path) override {
    return directories_.remove(ns.id, std::move(path));
  }
  Task<Result<DirectoryAttributes>> stat_directory(Namespace ns, std::string path) override {
    return directories_.stat(ns.id, std::move(path));
  }
  Task<Result<>> rename(Namespace ns, std::string from, std::string to) override {
    return detail::rename(tree_, ns.id, std::move(from), std::move(to));
  }

  Task<Result<std::string>> create_upload(Namespace ns, std::string key, Properties properties) override {
    return uploads_.create(ns.id, std::move(key), std::move(properties));
  }
  Task<Result<Attributes>> put_part(Namespace ns, std::string key, std::string upload, std::uint32_t number,
                                    Source& source) override {
    return uploads_.put_part(ns.id, std::move(key), std::move(upload), number, source);
  }
  Task<Result<Attributes>> complete_upload(CompleteUpload request) override {
    return uploads_.complete(std::move(request));
  }
  Task<Result<>> abort_upload(Namespace ns, std::string key, std::string upload) override {
    return uploads_.abort(ns.id, std::move(key), std::move(upload));
  }
  Task<Result<std::vector<PartInfo>>> list_parts(Namespace ns, std::string key, std::string upload,
                                                 std::uint32_t after, std::uint32_t limit) override {
    return uploads_.parts(ns.id, std::move(key), std::move(upload), after, limit);
  }
  Task<Result<UploadInfo>> find_upload(Namespace ns, std::string key, std::string upload) override {
    return uploads_.find(ns.id, std::move(key), std::move(upload));
  }
  Task<Result<std::vector<UploadInfo>>> list_uploads(Namespace ns, std::string prefix, std::string after_key,
                                                     std::string after_upload, std::uint32_t limit) override {
    return uploads_.list(ns.id, std::move(prefix), std::move(after_key), std::move(after_upload), limit);
  }

  Task<> sweep() override {
    Event swept, settled;
    background_.spawn(announced(sweeper_.run(background_), swept));
    background_.spawn(announced(deletion_.settle_until_stopped(background_), settled));
    co_await swept.wait();
    co_await settled.wait();
  }

  Task<> stop() override {
    co_await background_.stop();
    co_await tree_.stop();
    co_await store_.stop();
  }

 private:
  static Task<> announced(Task<> work, Event& done) {
    co_await std::move(work);
    done.set();
  }

  detail::Tree tree_;
  detail::PieceStore store_;
  detail::Objects objects_;
  detail::Uploads uploads_;
  detail::Directories directories_;
  detail::NamespaceDeletion deletion_;
  detail::Namespaces namespaces_;
  detail::Sweeper sweeper_;
  Scope background_;
};

}  // namespace

Task<Result<std::unique_ptr<FileSystem>>> FileSystem::open(Services services, TreeLimits limits) {
  shard::ReadRequest request;
  request.scans.push_back({.leaf = {}, .kind = shard::Kind::tenant, .from = {}, .rows_max = 1});
  const auto reply = co_await services.client->read(std::move(request));
  if (!reply) co_return fail(reply.error());
  if (reply->scans[0].rows.empty()) co_return fail(Errc::not_found, "the store has no tenant yet");
  co_return std::make_unique<CoreFileSystem>(services, limits);
}

}  // namespace kiseki::fs
