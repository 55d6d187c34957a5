#include "fs/file_system.h"

#include "fs/detail/directories.h"
#include "fs/detail/listing.h"
#include "fs/detail/objects.h"
#include "fs/detail/renames.h"
#include "fs/detail/spaces.h"
#include "fs/detail/sweeper.h"
#include "fs/detail/uploads.h"

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
        spaces_(tree_, deletion_),
        sweeper_(tree_, deletion_),
        background_(services.executor) {}

  Task<Result<Space>> create_space(TenantId tenant, std::string name) override {
    return spaces_.create(tenant, std::move(name));
  }
  Task<Result<Space>> find_space(TenantId tenant, std::string name) override {
    return spaces_.find(tenant, std::move(name));
  }
  Task<Result<std::vector<Space>>> list_spaces(TenantId tenant) override { return spaces_.list(tenant); }
  Task<Result<>> remove_space(TenantId tenant, std::string name) override {
    return spaces_.remove(tenant, std::move(name));
  }

  Task<Result<Attributes>> put(Space space, std::string key, Source& source, Condition condition) override {
    return objects_.put(space.id, std::move(key), source, std::move(condition));
  }
  Task<Result<Attributes>> stat(Space space, std::string key) override {
    return objects_.stat(space.id, std::move(key));
  }
  Task<Result<std::unique_ptr<Object>>> open_object(Space space, std::string key) override {
    return objects_.open(space.id, std::move(key));
  }
  Task<Result<>> remove(Space space, std::string key, Condition condition) override {
    return objects_.remove(space.id, std::move(key), std::move(condition));
  }
  Task<Result<Attributes>> copy(CopyRequest request) override { return objects_.copy(std::move(request)); }
  Task<Result<ListReply>> list(Space space, ListRequest request) override {
    return detail::list_objects(tree_, space.id, std::move(request));
  }

  Task<Result<>> make_directory(Space space, std::string path) override {
    return directories_.make(space.id, std::move(path));
  }
  Task<Result<>> remove_directory(Space space, std::string path) override {
    return directories_.remove(space.id, std::move(path));
  }
  Task<Result<DirectoryAttributes>> stat_directory(Space space, std::string path) override {
    return directories_.stat(space.id, std::move(path));
  }
  Task<Result<>> rename(Space space, std::string from, std::string to) override {
    return detail::rename(tree_, space.id, std::move(from), std::move(to));
  }

  Task<Result<std::string>> create_upload(Space space, std::string key, Properties properties) override {
    return uploads_.create(space.id, std::move(key), std::move(properties));
  }
  Task<Result<Attributes>> put_part(Space space, std::string key, std::string upload, std::uint32_t number,
                                    Source& source) override {
    return uploads_.put_part(space.id, std::move(key), std::move(upload), number, source);
  }
  Task<Result<Attributes>> complete_upload(CompleteUpload request) override {
    return uploads_.complete(std::move(request));
  }
  Task<Result<>> abort_upload(Space space, std::string key, std::string upload) override {
    return uploads_.abort(space.id, std::move(key), std::move(upload));
  }
  Task<Result<std::vector<PartInfo>>> list_parts(Space space, std::string key, std::string upload,
                                                 std::uint32_t after, std::uint32_t limit) override {
    return uploads_.parts(space.id, std::move(key), std::move(upload), after, limit);
  }
  Task<Result<UploadInfo>> find_upload(Space space, std::string key, std::string upload) override {
    return uploads_.find(space.id, std::move(key), std::move(upload));
  }
  Task<Result<std::vector<UploadInfo>>> list_uploads(Space space, std::string prefix, std::string after_key,
                                                     std::string after_upload, std::uint32_t limit) override {
    return uploads_.list(space.id, std::move(prefix), std::move(after_key), std::move(after_upload), limit);
  }

  Task<> sweep() override {
    Event done;
    background_.spawn(sweep_until_stopped(done));
    co_await done.wait();
  }

  Task<> stop() override {
    co_await background_.stop();
    co_await tree_.stop();
    co_await store_.stop();
  }

 private:
  Task<> sweep_until_stopped(Event& done) {
    co_await sweeper_.run(background_);
    done.set();
  }

  detail::Tree tree_;
  detail::PieceStore store_;
  detail::Objects objects_;
  detail::Uploads uploads_;
  detail::Directories directories_;
  detail::SpaceDeletion deletion_;
  detail::Spaces spaces_;
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
