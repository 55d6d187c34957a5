#include "fs/objects/listing.h"

#include <algorithm>
#include <deque>

#include "fs/objects/tree_objects.h"

namespace kiseki::fs::detail {

namespace {

/// Leaves kept open on the way down. An upper one that was given up is read again when the walk comes back to
/// it, which is after a whole subtree of this depth.
constexpr std::size_t open_leaves_max = 8;
/// Items that a page has room for from the start.
constexpr std::size_t items_at_once = 1001;

/// Where in a directory the keys above `after` begin.
struct Bound {
  bool nothing = false;  ///< Every key of the directory is at or below it.
  std::string after;     ///< Relative to the directory; empty: every key is above.
};

Bound bound_in(std::string_view base, std::string_view after) {
  if (after.starts_with(base)) return {false, std::string(after.substr(base.size()))};
  return {after > base, {}};
}

/// The first sort key that can lead to a key above `after`: of the directory that holds it, or its own.
std::string first_sort_key(std::string_view after) {
  const auto slash = after.find('/');
  return std::string(slash == std::string_view::npos ? after : after.substr(0, slash + 1));
}

/// A directory of the walk and where in it the walk is.
struct Level {
  Directory directory;
  std::string base;      ///< Whole key of the directory, with its '/'.
  std::string from;      ///< Sort key to go on with when the leaf is read.
  ListedLeafPtr leaf;    ///< None: to be read.
  std::size_t next = 0;  ///< Entry of the leaf.
};

std::string sort_key_of(const Listed& entry) { return sort_key(entry.name, entry.type); }

std::string whole_key(const std::string& base, const Listed& entry) {
  std::string key;
  key.reserve(base.size() + entry.name.size() + 1);
  key.append(base).append(entry.name);
  if (entry.type == NameType::directory) key += '/';
  return key;
}

/// All entries, directories included, whose whole key starts with a prefix and that hold or are keys above
/// `after`, depth first. Directories are entered when the caller says so.
class KeyWalk {
 public:
  KeyWalk(Tree& tree, std::string prefix, std::string after)
      : tree_(tree), prefix_(std::move(prefix)), after_(std::move(after)) {}

  void enter(Directory directory, std::string base) {
    const Bound bound = bound_in(base, after_);
    if (bound.nothing) return;
    Level level{std::move(directory), std::move(base), first_sort_key(bound.after), {}, 0};
    if (prefix_.size() > level.base.size()) {
      level.from = std::max(level.from, prefix_.substr(level.base.size()));
    }
    levels_.push_back(std::move(level));
    if (levels_.size() > open_leaves_max) close(levels_[levels_.size() - 1 - open_leaves_max]);
  }

  /// An entry, until the walk goes on or enters a directory.
  struct Found {
    std::string key;  ///< Whole, with '/' for a directory.
    const Listed* entry = nullptr;
    const NamespacePtr* ns = nullptr;
  };
  /// The next entry of the leaves that are open.
  std::optional<Found> next() {
    while (!levels_.empty() && levels_.back().leaf) {
      Level& level = levels_.back();
      if (level.next == level.leaf->entries.size()) {
        advance(level);
        continue;
      }
      const Listed& entry = level.leaf->entries[level.next++];
      std::string key = whole_key(level.base, entry);
      if (!key.starts_with(prefix_)) {
        levels_.pop_back();
        continue;
      }
      if (is_above(key, entry.type)) return Found{std::move(key), &entry, &level.directory.ns};
    }
    return std::nullopt;
  }
  /// After `next` has found nothing: opens the leaf that is to follow; false at the end.
  Task<Result<bool>> open() {
    if (levels_.empty()) co_return false;
    KISEKI_CO_TRY(co_await open_leaf(levels_.back()));
    co_return true;
  }

 private:
  Task<Result<>> open_leaf(Level& level) {
    auto leaf = co_await tree_.look_at_leaf(level.directory, level.from);
    if (!leaf && leaf.error().code() != Errc::not_found) co_return fail(leaf.error());
    // A directory that went holds nothing.
    level.leaf = leaf ? *std::move(leaf) : std::make_shared<const ListedLeaf>();
    const auto& entries = level.leaf->entries;
    const auto first = std::ranges::lower_bound(entries, level.from, {}, sort_key_of);
    level.next = static_cast<std::size_t>(first - entries.begin());
    co_return Result<>();
  }

  /// To the next leaf, or out of the directory.
  void advance(Level& level) {
    if (!level.leaf->high) {
      levels_.pop_back();
      return;
    }
    level.from = std::max(level.from, *level.leaf->high);
    level.leaf.reset();
  }

  /// Gives the leaf's memory back; the walk goes on behind the entry it went into.
  void close(Level& level) {
    if (!level.leaf) return;
    if (level.next < level.leaf->entries.size()) {
      level.from = sort_key_of(level.leaf->entries[level.next]);
      level.leaf.reset();
    } else {
      level.leaf = std::make_shared<const ListedLeaf>(ListedLeaf{{}, level.leaf->high});
      level.next = 0;
    }
  }

  bool is_above(std::string_view key, NameType type) const {
    return key > after_ || (type == NameType::directory && after_.starts_with(key));
  }

  Tree& tree_;
  std::string prefix_;
  std::string after_;
  std::deque<Level> levels_;
};

/// Turns what the walk finds into a page.
class PageBuilder {
 public:
  PageBuilder(Tree& tree, ListRequest request) : tree_(tree), request_(std::move(request)) {}

  Task<Result<ListReply>> run(NamespaceId ns) {
    if (request_.limit == 0) co_return ListReply();
    const std::string base = request_.prefix.substr(0, request_.prefix.rfind('/') + 1);
    auto directory = co_await tree_.find_directory(ns, split_key(base).directories);
    if (!directory) {
      if (directory.error().code() != Errc::not_found) co_return fail(directory.error());
      // Nothing below a directory that is not there, unless the namespace itself is gone.
      auto root = co_await tree_.open(ns, root_directory);
      if (!root) co_return fail(root.error());
      co_return ListReply();
    }
    KeyWalk walk(tree_, request_.prefix, request_.after);
    walk.enter(*std::move(directory), base);
    KISEKI_CO_TRY(co_await collect(walk));
    reply_.truncated = reply_.items.size() > request_.limit;
    if (reply_.truncated) reply_.items.resize(request_.limit);
    co_return std::move(reply_);
  }

 private:
  /// An item of the page that is a prefix, shown if there is anything below it.
  struct Prefix {
    std::size_t item;
    InodeId directory;
  };

  /// One item more than asked for tells whether there is more.
  Task<Result<>> collect(KeyWalk& walk) {
    const std::size_t wanted = std::size_t{request_.limit} + 1;
    reply_.items.reserve(std::min<std::size_t>(wanted, items_at_once));
    for (bool more = true; more && reply_.items.size() < wanted;) {
      if (auto found = walk.next()) {
        KISEKI_CO_TRY(take_object(*found));
        if (found->entry->type == NameType::directory) {
          KISEKI_CO_TRY(co_await take_directory(walk, *std::move(found)));
        }
      } else {
        const auto opened = co_await walk.open();
        if (!opened) co_return fail(opened.error());
        more = *opened;
      }
      if (!more || reply_.items.size() >= wanted) KISEKI_CO_TRY(co_await show());
    }
    co_return Result<>();
  }

  /// Does nothing with what is no object.
  Result<> take_object(KeyWalk::Found& found) {
    const Listed& entry = *found.entry;
    if (entry.type != NameType::object || entry.record.type != shard::EntryType::object) return {};
    auto attributes = decode_listed(as_view(entry.value));
    if (!attributes) return fail(attributes.error());
    attributes->size = entry.record.logical;
    reply_.items.push_back({std::move(found.key), false, *std::move(attributes)});
    return {};
  }

  Task<Result<>> take_directory(KeyWalk& walk, KeyWalk::Found found) {
    if (request_.by_directory) co_return co_await add_prefix(std::move(found));
    auto directory = co_await tree_.open(*found.ns, found.entry->record.id);
    if (directory) {
      walk.enter(*std::move(directory), std::move(found.key));
    } else if (directory.error().code() != Errc::not_found) {
      co_return fail(directory.error());
    }
    co_return Result<>();
  }

  /// A prefix that `after` names is behind us with all that is below it; one that `after` leads into is shown
  /// if there is a key above `after` in it.
  Task<Result<>> add_prefix(KeyWalk::Found found) {
    if (found.key == request_.after) co_return Result<>();
    if (request_.after.starts_with(found.key)) {
      auto more = co_await holds_more(found);
      if (!more) co_return fail(more.error());
      if (!*more) co_return Result<>();
    }
    ns_ = *found.ns;
    prefixes_.push_back({reply_.items.size(), found.entry->record.id});
    reply_.items.push_back({std::move(found.key), true, {}});
    co_return Result<>();
  }

  Task<Result<bool>> holds_more(const KeyWalk::Found& prefix) {
    PageBuilder below(tree_, ListRequest{prefix.key, false, request_.after, 1});
    auto reply = co_await below.run((*prefix.ns)->id);
    if (!reply) co_return fail(reply.error());
    co_return !reply->items.empty();
  }

  /// Takes the prefixes out of the page below which there is nothing but implicit directories.
  Task<Result<>> show() {
    const auto prefixes = std::exchange(prefixes_, {});
    if (prefixes.empty()) co_return Result<>();
    std::vector<InodeId> directories;
    directories.reserve(prefixes.size());
    for (const Prefix& prefix : prefixes) directories.push_back(prefix.directory);
    const auto visible = co_await tree_.visible(ns_, std::move(directories));
    if (!visible) co_return fail(visible.error());
    std::size_t item = 0, prefix = 0;
    std::erase_if(reply_.items, [&](const ListReply::Item&) {
      const bool is_asked = prefix < prefixes.size() && prefixes[prefix].item == item;
      ++item;
      return is_asked && !visible->at(prefix++);
    });
    co_return Result<>();
  }

  Tree& tree_;
  ListRequest request_;
  ListReply reply_;
  std::vector<Prefix> prefixes_;  // not known yet whether they are shown
  NamespacePtr ns_;               // of the last of them
};

}  // namespace

Task<Result<ListReply>> list_objects(Tree& tree, NamespaceId ns, ListRequest request) {
  PageBuilder builder(tree, std::move(request));
  co_return co_await builder.run(ns);
}

}  // namespace kiseki::fs::detail
