#include "fs/tree/index_tree.h"

#include <algorithm>

#include "base/codec.h"

namespace kiseki::fs::detail {

namespace {

constexpr std::uint8_t format = 1;
constexpr Bytes page_head = 6, child_head = 12;

/// The child that a key belongs to: the last separator ≤ it, or the first child.
template <class Children>
auto child_for(Children& children, std::string_view key) {
  auto after = children.upper_bound(key);
  return after == children.begin() ? after : std::prev(after);
}

/// Moves the upper half by bytes into a page of its own.
IndexPage take_upper_half(IndexPage& page) {
  IndexPage upper{.height = page.height, .children = {}};
  const Bytes whole = page.encoded_size();
  while (page.children.size() > 1 && upper.encoded_size() < whole / 2) {
    upper.children.insert(page.children.extract(std::prev(page.children.end())));
  }
  return upper;
}

}  // namespace

std::string IndexPage::encode() const {
  std::string out;
  Encoder encoder(out);
  encoder.integer(format).integer(height).integer(static_cast<std::uint32_t>(children.size()));
  for (const auto& [separator, child] : children) encoder.sized(as_view(separator)).integer(child);
  return out;
}

Result<IndexPage> IndexPage::decode(View bytes) {
  Decoder in(bytes);
  const auto found = in.integer<std::uint8_t>();
  if (!in.failed() && found != format) return fail(Errc::wrong_format, "an index page of another format");
  IndexPage page;
  page.height = in.integer<std::uint8_t>();
  const auto count = in.integer<std::uint32_t>();
  for (std::uint32_t i = 0; i < count && !in.failed(); ++i) {
    std::string separator(as_text(in.sized()));
    page.children[std::move(separator)] = in.integer<std::uint64_t>();
  }
  KISEKI_TRY(in.finish("index page"));
  return page;
}

Bytes IndexPage::encoded_size() const {
  Bytes size = page_head;
  for (const auto& [separator, child] : children) size += child_head + separator.size();
  return size;
}

void IndexTree::load(std::uint64_t number, IndexPage page, Stamp version) {
  nodes_.insert_or_assign(number, Node{.page = std::move(page), .version = version});
}

IndexTree::Found IndexTree::last_before(std::uint64_t number, std::string_view key, bool inclusive) const {
  const auto node = nodes_.find(number);
  if (node == nodes_.end()) return {.missing = number, .leaf = {}, .separator = {}};
  const auto& children = node->second.page.children;
  auto child = inclusive ? children.upper_bound(key) : children.lower_bound(key);
  while (child != children.begin()) {
    --child;
    if (node->second.page.height == 0) {
      return {.missing = {},
              .leaf = LeafId(static_cast<std::uint32_t>(child->second)),
              .separator = child->first};
    }
    // A page that lost its first child may know nothing so low: then it is the last of the one before.
    const Found found = last_before(child->second, key, inclusive);
    if (found.missing || found.leaf) return found;
  }
  return {};
}

IndexTree::Found IndexTree::floor(std::string_view key) const { return last_before(root, key, true); }
IndexTree::Found IndexTree::below(std::string_view key) const { return last_before(root, key, false); }

std::vector<std::uint64_t> IndexTree::descent(std::string_view separator) const {
  std::vector<std::uint64_t> path{root};
  while (true) {
    const auto node = nodes_.find(path.back());
    if (node == nodes_.end() || node->second.page.height == 0 || node->second.page.children.empty()) {
      return path;
    }
    path.push_back(child_for(node->second.page.children, separator)->second);
  }
}

std::optional<std::uint64_t> IndexTree::missing_for(std::string_view separator) const {
  const std::uint64_t last = descent(separator).back();
  if (has(last)) return std::nullopt;
  return last;
}

void IndexTree::insert(std::string separator, LeafId leaf, const NewNumber& number) {
  const auto path = descent(separator);
  Node& node = nodes_.at(path.back());
  std::uint64_t& child = node.page.children[std::move(separator)];
  if (child == leaf.value()) return;
  child = leaf.value();
  node.changed = true;
  split(path, number);
}

void IndexTree::split(std::vector<std::uint64_t> path, const NewNumber& number) {
  while (path.size() > 1) {
    Node& node = nodes_.at(path.back());
    path.pop_back();
    if (node.page.encoded_size() <= page_max_ || node.page.children.size() < 2) return;
    IndexPage upper = take_upper_half(node.page);
    node.changed = true;
    const std::string first = upper.children.begin()->first;
    const std::uint64_t added = add(std::move(upper), number);
    Node& parent = nodes_.at(path.back());
    parent.page.children[first] = added;
    parent.changed = true;
  }
  const IndexPage& top = nodes_.at(root).page;
  if (top.encoded_size() > page_max_ && top.children.size() >= 2) grow_root(number);
}

std::uint64_t IndexTree::add(IndexPage page, const NewNumber& number) {
  const std::uint64_t chosen = number();
  nodes_.insert_or_assign(chosen, Node{.page = std::move(page), .version = {}, .changed = true});
  return chosen;
}

void IndexTree::grow_root(const NewNumber& number) {
  IndexPage lower = std::move(nodes_.at(root).page);
  IndexPage upper = take_upper_half(lower);
  const std::string first = upper.children.begin()->first;
  IndexPage top{.height = static_cast<std::uint8_t>(lower.height + 1), .children = {}};
  top.children[""] = add(std::move(lower), number);
  top.children[first] = add(std::move(upper), number);
  Node& node = nodes_.at(root);
  node.page = std::move(top);
  node.changed = true;
}

void IndexTree::erase(std::string_view separator, LeafId leaf) {
  auto path = descent(separator);
  Node& bottom = nodes_.at(path.back());
  const auto found = bottom.page.children.find(separator);
  if (found == bottom.page.children.end() || found->second != leaf.value()) return;
  bottom.page.children.erase(found);
  bottom.changed = true;
  while (path.size() > 1 && nodes_.at(path.back()).page.children.empty()) {
    nodes_.at(path.back()).erased = true;
    path.pop_back();
    Node& parent = nodes_.at(path.back());
    parent.page.children.erase(child_for(parent.page.children, separator));
    parent.changed = true;
  }
  Node& top = nodes_.at(root);
  if (top.page.children.empty()) top.page.height = 0;
}

bool IndexTree::changed() const {
  return std::ranges::any_of(nodes_, [](const auto& node) { return node.second.changed; });
}

}  // namespace kiseki::fs::detail
