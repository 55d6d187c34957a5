#include "fs/file_system.h"

#include "fs/namespaces/tree_namespaces.h"
#include "fs/objects/tree_directories.h"
#include "fs/objects/tree_objects.h"
#include "fs/sweeping/sweeper.h"
#include "fs/uploads/tree_uploads.h"

namespace kiseki::fs {

namespace {

Task<> announced(Task<> work, Event& done) {
  co_await std::move(work);
  done.set();
}

}  // namespace

/// In the order they stand on each other.
struct FileSystem::Impl {
  Impl(Services services, TreeLimits limits)
      : tree(services, limits),
        store(services),
        objects(tree, store),
        uploads(tree, store),
        directories(tree),
        deletion(tree, limits),
        namespaces(tree, deletion),
        sweeper(tree),
        background(services.executor) {}

  detail::Tree tree;
  detail::PieceStore store;
  detail::TreeObjects objects;
  detail::TreeUploads uploads;
  detail::TreeDirectories directories;
  detail::NamespaceDeletion deletion;
  detail::TreeNamespaces namespaces;
  detail::Sweeper sweeper;
  Scope background;
};

Task<Result<std::unique_ptr<FileSystem>>> FileSystem::open(Services services, TreeLimits limits) {
  shard::ReadRequest request;
  request.scans.push_back({.leaf = {}, .kind = shard::Kind::tenant, .from = {}, .rows_max = 1});
  const auto reply = co_await services.client->read(std::move(request));
  if (!reply) co_return fail(reply.error());
  if (reply->scans[0].rows.empty()) co_return fail(Errc::not_found, "the store has no tenant yet");
  co_return std::unique_ptr<FileSystem>(new FileSystem(std::make_unique<Impl>(services, limits)));
}

FileSystem::FileSystem(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
FileSystem::~FileSystem() = default;

Namespaces& FileSystem::namespaces() noexcept { return impl_->namespaces; }
Objects& FileSystem::objects() noexcept { return impl_->objects; }
Directories& FileSystem::directories() noexcept { return impl_->directories; }
Uploads& FileSystem::uploads() noexcept { return impl_->uploads; }

Task<> FileSystem::sweep() {
  Event swept, settled;
  impl_->background.spawn(announced(impl_->sweeper.run(impl_->background), swept));
  impl_->background.spawn(announced(impl_->deletion.settle_until_stopped(impl_->background), settled));
  co_await swept.wait();
  co_await settled.wait();
}

Task<> FileSystem::stop() {
  co_await impl_->background.stop();
  co_await impl_->tree.stop();
  co_await impl_->store.stop();
}

}  // namespace kiseki::fs
