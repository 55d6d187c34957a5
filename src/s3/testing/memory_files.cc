#include "s3/testing/memory_files.h"

#include <fmt/format.h>

#include "base/assert.h"

namespace kiseki::s3::testing {

namespace {

/// 2013-05-24T00:00:00Z: every object is made at that moment.
constexpr std::uint64_t now_ms = 1'369'353'600'000;
constexpr std::size_t piece_size = 64_KiB;
/// A page of parts ends where one read of the real file system ends: by rows, or by bytes.
constexpr std::uint32_t page_max = 1000;
constexpr std::size_t page_bytes_max = 64_KiB;
constexpr std::size_t part_overhead = 200;

void add_part(std::vector<fs::PartRun>& runs, Bytes size) {
  if (runs.empty() || runs.back().size != size) runs.push_back({0, size});
  ++runs.back().count;
}

}  // namespace

class MemoryFiles::OpenObject final : public fs::Object {
 public:
  OpenObject(Stored stored, std::optional<Bytes> bad_offset)
      : stored_(std::move(stored)), bad_offset_(bad_offset) {}

  const fs::Attributes& attributes() const override { return stored_.attributes; }

  Task<Result<fs::Stretch>> fetch(Bytes offset, Bytes length) override {
    if (offset >= stored_.bytes.size()) co_return fail(Errc::out_of_range);
    if (bad_offset_ && offset >= *bad_offset_) co_return fail(Errc::corrupted);
    const Bytes end =
        std::min({offset + length, Bytes{stored_.bytes.size()}, round_down(offset, piece_size) + piece_size});
    co_return fs::Stretch(
        Buffer::copy_of(as_view(std::string_view(stored_.bytes).substr(offset, end - offset))));
  }

 private:
  Stored stored_;
  std::optional<Bytes> bad_offset_;
};

Result<MemoryFiles::Bucket*> MemoryFiles::bucket(NamespaceId ns) {
  if (std::exchange(exhausted_, false)) throw std::bad_alloc();
  if (planned_) return fail(*std::exchange(planned_, std::nullopt), "as planned");
  for (auto& [name, bucket] : buckets_) {
    if (bucket.ns.id == ns) return &bucket;
  }
  return fail(Errc::not_found);
}

Result<MemoryFiles::Upload*> MemoryFiles::upload(NamespaceId ns, const std::string& key,
                                                 const std::string& id) {
  const auto owner = bucket(ns);
  if (!owner) return fail(owner.error());
  const auto found = (*owner)->uploads.find({key, id});
  if (found == (*owner)->uploads.end()) return fail(Errc::not_found);
  return &found->second;
}

Result<> MemoryFiles::check(const Bucket& bucket, const std::string& key, const fs::Condition& condition) {
  const auto found = bucket.objects.find(key);
  const bool present = found != bucket.objects.end();
  if (condition.absent && present) return fail(Errc::precondition_failed);
  if (!condition.etag) return {};
  if (!present) return fail(Errc::not_found);
  const std::string& etag = found->second.attributes.properties.etag;
  return *condition.etag == "*" || *condition.etag == etag ? Result<>() : fail(Errc::precondition_failed);
}

Task<Result<MemoryFiles::Stored>> MemoryFiles::read_all(fs::Source& source) {
  Stored stored;
  for (std::string piece(100'000, '\0');;) {
    if (auto arrived = co_await source.arrival(); !arrived) co_return fail(std::move(arrived).error());
    const auto count = co_await source.read(std::as_writable_bytes(std::span(piece)));
    if (!count) co_return fail(count.error());
    if (*count == 0 && !source.pauses()) break;
    stored.bytes.append(piece, 0, *count);
  }
  const auto digest = source.digest();
  KISEKI_ASSERT(!digest || *digest == crypto::sha256(as_view(stored.bytes)));
  auto properties = source.finish();
  if (!properties) co_return fail(std::move(properties).error());
  stored.attributes = {stored.bytes.size(), now_ms, std::move(*properties), {}};
  co_return stored;
}

Task<Result<fs::Namespace>> MemoryFiles::create(TenantId tenant, std::string name,
                                                fs::Configuration configuration) {
  for (const auto& [owner, bucket] : buckets_) {
    if (owner.second == name && owner.first != tenant) co_return fail(Errc::denied);
  }
  const fs::Namespace ns{NamespaceId(next_id_++), tenant, name, now_ms};
  Bucket made{ns, {}, {}, {}, {std::move(configuration), 1}};
  if (!buckets_.try_emplace({tenant, name}, std::move(made)).second) co_return fail(Errc::exists);
  co_return ns;
}

Task<Result<fs::Namespace>> MemoryFiles::find(TenantId tenant, std::string name) {
  const auto found = buckets_.find({tenant, name});
  if (found == buckets_.end()) co_return fail(Errc::not_found);
  co_return found->second.ns;
}

Task<Result<std::vector<fs::Namespace>>> MemoryFiles::list(TenantId tenant) {
  std::vector<fs::Namespace> namespaces;
  for (const auto& [name, bucket] : buckets_) {
    if (name.first == tenant) namespaces.push_back(bucket.ns);
  }
  co_return namespaces;
}

Task<Result<>> MemoryFiles::remove(TenantId tenant, std::string name) {
  const auto found = buckets_.find({tenant, name});
  if (found == buckets_.end()) co_return fail(Errc::not_found);
  if (!found->second.objects.empty()) co_return fail(Errc::not_empty);
  buckets_.erase(found);
  co_return Result<>{};
}

Task<Result<fs::Configured>> MemoryFiles::find_configuration(NamespaceId ns) {
  const auto owner = bucket(ns);
  if (!owner) co_return fail(owner.error());
  co_return (*owner)->configured;
}

Task<Result<std::uint32_t>> MemoryFiles::configure(NamespaceId ns, std::uint32_t epoch,
                                                   fs::Configuration configuration) {
  const auto owner = bucket(ns);
  if (!owner) co_return fail(owner.error());
  auto& now = (*owner)->configured;
  if (std::exchange(changed_before_, false)) ++now.epoch;
  if (now.epoch != epoch) co_return fail(Errc::conflict);
  now = {std::move(configuration), epoch + 1};
  co_return now.epoch;
}

Task<Result<fs::Attributes>> MemoryFiles::put(NamespaceId ns, std::string key, fs::Source& source,
                                              fs::Condition condition) {
  const auto owner = bucket(ns);
  if (!owner) co_return fail(owner.error());
  KISEKI_CO_TRY(check(**owner, key, condition));
  auto stored = co_await read_all(source);
  if (!stored) co_return fail(std::move(stored).error());
  KISEKI_CO_TRY(check(**owner, key, condition));
  co_return ((*owner)->objects[key] = std::move(*stored)).attributes;
}

Task<Result<fs::Attributes>> MemoryFiles::stat(NamespaceId ns, std::string key) {
  const auto owner = bucket(ns);
  if (!owner) co_return fail(owner.error());
  const auto found = (*owner)->objects.find(key);
  if (found == (*owner)->objects.end()) co_return fail(Errc::not_found);
  co_return found->second.attributes;
}

Task<Result<std::unique_ptr<fs::Object>>> MemoryFiles::open(NamespaceId ns, std::string key) {
  const auto owner = bucket(ns);
  if (!owner) co_return fail(owner.error());
  const auto found = (*owner)->objects.find(key);
  if (found == (*owner)->objects.end()) co_return fail(Errc::not_found);
  if (std::exchange(replaced_, {}) == key) found->second.attributes.properties.etag = "replaced";
  co_return std::make_unique<OpenObject>(found->second, bad_offset_);
}

Task<Result<>> MemoryFiles::remove(NamespaceId ns, std::string key, fs::Condition condition) {
  const auto owner = bucket(ns);
  if (!owner) co_return fail(owner.error());
  KISEKI_CO_TRY(check(**owner, key, condition));
  (*owner)->objects.erase(key);
  co_return Result<>{};
}

Task<Result<fs::Attributes>> MemoryFiles::copy(fs::CopyRequest request) {
  const auto from = bucket(request.from);
  if (!from) co_return fail(from.error());
  const auto to = bucket(request.to);
  if (!to) co_return fail(to.error());
  if (std::exchange(replaced_source_, {}) == request.from_key)
    (*from)->objects.at(request.from_key).attributes.properties.etag = "replaced";
  KISEKI_CO_TRY(check(**from, request.from_key, fs::Condition{false, request.source_etag}));
  KISEKI_CO_TRY(check(**to, request.to_key, request.condition));
  const auto found = (*from)->objects.find(request.from_key);
  if (found == (*from)->objects.end()) co_return fail(Errc::not_found);
  Stored copied = found->second;
  if (request.replace) copied.attributes.properties = *request.replace;
  copied.attributes.parts.clear();
  co_return ((*to)->objects[request.to_key] = std::move(copied)).attributes;
}

Task<Result<fs::ListReply>> MemoryFiles::list(NamespaceId ns, fs::ListRequest request) {
  const auto owner = bucket(ns);
  if (!owner) co_return fail(owner.error());
  fs::ListReply reply;
  for (const auto& [key, stored] : (*owner)->objects) {
    if (!key.starts_with(request.prefix) || key <= request.after) continue;
    const std::size_t slash = request.by_directory ? key.find('/', request.prefix.size()) : key.npos;
    fs::ListReply::Item item{key, false, stored.attributes};
    if (slash != key.npos) item = {key.substr(0, slash + 1), true, {}};
    if (item.is_prefix && item.name == request.after) continue;
    if (!reply.items.empty() && reply.items.back().name == item.name) continue;
    if (reply.items.size() == request.limit) {
      reply.truncated = true;
      break;
    }
    reply.items.push_back(std::move(item));
  }
  co_return reply;
}

Task<Result<std::string>> MemoryFiles::create(NamespaceId ns, std::string key, fs::Properties properties) {
  const auto owner = bucket(ns);
  if (!owner) co_return fail(owner.error());
  const std::string id = fmt::format("upload-{}", next_id_++);
  (*owner)->uploads[{key, id}].info = {key, id, now_ms, std::move(properties)};
  co_return id;
}

Task<Result<fs::Attributes>> MemoryFiles::put_part(NamespaceId ns, std::string key, std::string upload_id,
                                                   std::uint32_t number, fs::Source& source) {
  const auto found = upload(ns, key, upload_id);
  if (!found) co_return fail(found.error());
  auto stored = co_await read_all(source);
  if (!stored) co_return fail(std::move(stored).error());
  co_return ((*found)->parts[number] = std::move(*stored)).attributes;
}

Task<Result<fs::Attributes>> MemoryFiles::complete(fs::CompleteUpload request) {
  const auto found = upload(request.ns, request.key, request.upload);
  const auto owner = bucket(request.ns);
  if (!found && owner && (*owner)->completed.contains(request.upload)) {
    co_return co_await stat(request.ns, request.key);
  }
  if (!found) co_return fail(found.error());
  KISEKI_CO_TRY(check(**owner, request.key, request.condition));
  Stored whole;
  std::vector<fs::PartRun> runs;
  for (const fs::CompletePart& part : request.parts) {
    const auto stored = (*found)->parts.find(part.number);
    if (stored == (*found)->parts.end() || stored->second.attributes.properties.etag != part.etag) {
      co_return fail(Errc::invalid_argument);
    }
    const bool last = &part == &request.parts.back();
    if (!last && part_size_.value_or(stored->second.bytes.size()) < part_size_min)
      co_return fail(Errc::out_of_range);
    whole.bytes += stored->second.bytes;
    add_part(runs, stored->second.bytes.size());
  }
  whole.attributes = {whole.bytes.size(), now_ms, (*found)->info.properties, std::move(runs)};
  whole.attributes.properties.etag = request.etag;
  whole.attributes.properties.checksums = std::move(request.checksums);
  whole.attributes.properties.checksum_type = request.checksum_type;
  (*owner)->uploads.erase({request.key, request.upload});
  (*owner)->completed[request.upload] = request.key;
  co_return ((*owner)->objects[request.key] = std::move(whole)).attributes;
}

Task<Result<>> MemoryFiles::abort(NamespaceId ns, std::string key, std::string upload_id) {
  const auto found = upload(ns, key, upload_id);
  if (!found) co_return fail(found.error());
  const auto owner = bucket(ns);
  (*owner)->uploads.erase({key, upload_id});
  co_return Result<>{};
}

Task<Result<fs::PartPage>> MemoryFiles::parts(NamespaceId ns, std::string key, std::string upload_id,
                                              std::uint32_t after, std::uint32_t limit) {
  const auto found = upload(ns, key, upload_id);
  if (!found) co_return fail(found.error());
  fs::PartPage page;
  std::size_t bytes = 0;
  const auto& parts = (*found)->parts;
  for (auto at = parts.upper_bound(after); limit > 0 && at != parts.end(); ++at) {
    page.more = page.parts.size() == std::min(limit, page_max) || bytes > page_bytes_max;
    if (page.more) break;
    fs::Attributes attributes = at->second.attributes;
    if (part_size_) attributes.size = *part_size_;
    for (const auto& [name, value] : attributes.properties.checksums) bytes += name.size() + value.size();
    bytes += part_overhead;
    page.parts.push_back({at->first, std::move(attributes)});
  }
  co_return page;
}

Task<Result<fs::UploadInfo>> MemoryFiles::find(NamespaceId ns, std::string key, std::string upload_id) {
  const auto found = upload(ns, key, upload_id);
  if (!found) co_return fail(found.error());
  co_return (*found)->info;
}

Task<Result<fs::UploadPage>> MemoryFiles::list(NamespaceId ns, std::string prefix, std::string after_key,
                                               std::string after_upload, std::uint32_t limit) {
  const auto owner = bucket(ns);
  if (!owner) co_return fail(owner.error());
  fs::UploadPage page;
  for (const auto& [name, one] : (*owner)->uploads) {
    const bool after =
        after_upload.empty() ? name.first > after_key : name > std::pair(after_key, after_upload);
    if (limit == 0 || !after || !name.first.starts_with(prefix)) continue;
    page.more = page.uploads.size() == std::min(limit, page_max);
    if (page.more) break;
    page.uploads.push_back(one.info);
  }
  co_return page;
}

}  // namespace kiseki::s3::testing
