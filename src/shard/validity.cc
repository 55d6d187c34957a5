#include <algorithm>
#include <limits>
#include <set>
#include <unordered_set>

#include <boost/container/small_vector.hpp>

#include "shard/proposal.h"

// What holds of every transaction and proposal, whoever sent it: checked before it is sent, by the leader
// before it spends an entry, and when it is applied. A look at the rows is not part of it.

namespace kiseki::shard {

namespace {

using Type = Operation::Type;

constexpr std::size_t client_item_max = 40;
constexpr Bytes row_overhead = 256;
constexpr std::size_t reference_size = 77;

std::unexpected<Error> invalid(const char* what) {
  return fail(Errc::invalid_argument, std::string("transaction: ") + what);
}

/// Most transactions name few rows: those are looked through one by one, and only more are hashed.
class Keys {
 public:
  /// False when it is there.
  bool insert(const Key* key) {
    if (contains(key)) return false;
    if (few_.size() < few_max) {
      few_.push_back(key);
    } else {
      more_.insert(key);
    }
    return true;
  }
  bool contains(const Key* key) const {
    const auto is_it = [key](const Key* other) { return *other == *key; };
    return std::ranges::any_of(few_, is_it) || (!more_.empty() && more_.contains(key));
  }

 private:
  static constexpr std::size_t few_max = 16;
  struct Hash {
    std::size_t operator()(const Key* key) const {
      return std::hash<std::string_view>()(key->item) + key->leaf.leaf.value() * 31 +
             key->leaf.container.value();
    }
  };
  struct Same {
    bool operator()(const Key* left, const Key* right) const { return *left == *right; }
  };
  boost::container::small_vector<const Key*, few_max> few_;
  std::unordered_set<const Key*, Hash, Same> more_;
};

Result<> check_key(const Key& key) {
  const bool is_the_shards_own = key.kind == Kind::counters || key.kind == Kind::intent ||
                                 key.kind == Kind::decision || key.kind == Kind::dead ||
                                 key.kind == Kind::reference;
  const bool is_nobodys = key.kind == Kind::lock && !lock_holder(key);
  const bool has_stamp = is_stamped(key.kind) || is_scanned(key.kind);
  if (is_the_shards_own || is_nobodys || !is_known(static_cast<std::uint8_t>(key.kind)) ||
      (!has_stamp && !key.stamp.is_none()) || key.item.size() > client_item_max ||
      key.leaf.ns.value() >= namespace_end) {
    return invalid("a key no client writes");
  }
  return {};
}

class Rules {
 public:
  enum class Form : std::uint8_t {
    whole,
    branch,  ///< What one shard does of it.
    sweep,   ///< The node's own, of locks that sessions have left: no namespace refuses it.
  };
  Rules(const Transaction& transaction, Form form) : transaction_(transaction), form_(form) {}

  Result<> run() {
    if (transaction_.asserts.size() + transaction_.operations.size() > Transaction::rows_max ||
        transaction_.namespaces.size() > Transaction::rows_max) {
      return fail(Errc::too_large, "transaction: too many rows");
    }
    for (const auto& one : transaction_.asserts) KISEKI_TRY(assertion(one));
    for (const auto& one : transaction_.operations) {
      KISEKI_TRY(check_key(one.key));
      KISEKI_TRY(operation(one));
      KISEKI_TRY(size(one));
    }
    KISEKI_TRY(fences());
    return namespaces();
  }

 private:
  Result<> assertion(const Assert& one) {
    KISEKI_TRY(check_key(one.key));
    if (one.type == Assert::Type::prefix_empty) return {};
    asserted_.insert(&one.key);
    if (one.type == Assert::Type::absent) absent_.insert(&one.key);
    if (one.type == Assert::Type::version) versioned_.insert(&one.key);
    if (one.type == Assert::Type::version || one.type == Assert::Type::exists) present_.insert(&one.key);
    return {};
  }

  Result<> operation(const Operation& one) {
    if (one.type == Type::fence) return {};
    if (one.type == Type::put_stamped) return put_stamped(one);
    if (!changed_.insert(&one.key)) return invalid("two operations on one row");
    if (one.type == Type::erase) erased_.insert(&one.key);
    if (form_ == Form::sweep && !(one.type == Type::erase && one.key.kind == Kind::lock)) {
      return invalid("rows that no session has left");
    }
    switch (one.type) {
      case Type::put:
        return put(one);
      case Type::move:
        return move(one);
      case Type::move_out:
      case Type::move_in:
        return half(one);
      default:
        return {};
    }
  }

  Result<> put(const Operation& one) {
    if (!asserted_.contains(&one.key)) return invalid("a put without an assert");
    // Who has read the feed up to some stamp would never see it (rule 1.7).
    if (is_scanned(one.key.kind) && !versioned_.contains(&one.key)) return invalid("a scanned row put anew");
    return {};
  }

  /// Two of one key would be one row.
  Result<> put_stamped(const Operation& one) {
    if (!one.key.stamp.is_none() || !(is_stamped(one.key.kind) || is_scanned(one.key.kind))) {
      return invalid("put-stamped of a row without a stamp");
    }
    // The shard writes such rows too.
    if (one.key.kind == Kind::feed && !one.record.references.empty()) return invalid("an event with chunks");
    if (form_ == Form::sweep || !stamped_.insert(&one.key)) return invalid("two operations on one row");
    return {};
  }

  Result<> move(const Operation& one) {
    const auto& [from, to] = std::tie(one.key, one.to);
    const bool opens_there = from.kind == Kind::entry && to.kind == Kind::entry && from.item == to.item &&
                             from.leaf.ns == to.leaf.ns && from.leaf.container == to.leaf.container;
    if (!opens_there || !absent_.contains(&to) || !changed_.insert(&to)) {
      return invalid("a move to where the row cannot be");
    }
    return present_.contains(&from) ? Result<>{} : invalid("a move of what may not be there");
  }

  Result<> half(const Operation& one) {
    const auto& needed = one.type == Type::move_out ? present_ : absent_;
    if (form_ != Form::branch) return invalid("half a move");
    if (one.key.kind == Kind::entry && needed.contains(&one.key)) return {};
    return invalid("half a move without its assert");
  }

  Result<> size(const Operation& one) {
    const Bytes record =
        one.record.value.view().size() + one.record.references.size() * reference_size + row_overhead;
    if (record > Record::size_max || one.record.references.size() > Record::references_max) {
      return fail(Errc::too_large, "transaction: a record is too large");
    }
    // What moves in was in no limit of who moves it.
    Bytes& sum = one.type == Type::move_in ? moved_ : size_;
    sum += record;
    if (sum <= Transaction::size_max + transaction_.operations.size() * row_overhead) return {};
    return fail(Errc::too_large, "transaction: too large");
  }

  /// Only who takes a lock away fences its holder.
  Result<> fences() const {
    for (const auto& one : transaction_.operations) {
      if (one.type != Type::fence) continue;
      const bool breaks_lock =
          lock_holder(one.key) && versioned_.contains(&one.key) && erased_.contains(&one.key);
      if (!breaks_lock || form_ == Form::sweep) return invalid("a fence without a broken lock");
    }
    return {};
  }

  Result<> namespaces() const {
    if (form_ == Form::sweep) return {};
    std::set<NamespaceId> known{NamespaceId{}};
    for (const auto& ns : transaction_.namespaces) known.insert(ns.ns);
    const auto is_known_namespace = [&known](const auto& one) { return known.contains(one.key.leaf.ns); };
    if (std::ranges::all_of(transaction_.asserts, is_known_namespace) &&
        std::ranges::all_of(transaction_.operations, is_known_namespace)) {
      return {};
    }
    return invalid("a namespace without its epoch");
  }

  const Transaction& transaction_;
  Form form_;
  Keys asserted_, absent_, present_, versioned_;
  Keys changed_, erased_, stamped_;
  Bytes size_ = 0, moved_ = 0;
};

}  // namespace

Result<> Transaction::validate() const { return Rules(*this, Rules::Form::whole).run(); }

/// Stamps of rows of other kinds would not be in the order of the commits, and nothing would keep a leaf
/// empty that was found so.
Result<> Transaction::validate_spread() const {
  if (asserts.empty() && operations.empty()) return invalid("it says nothing");
  std::set<LeafAddress> guards;
  for (const auto& one : operations) {
    if (one.type == Type::put_stamped && !is_scanned(one.key.kind)) {
      return invalid("put-stamped on several shards");
    }
    if (one.type == Type::fence) return invalid("a lock broken on several shards");
    if (one.key.kind == Kind::guard) guards.insert(one.key.leaf);
  }
  for (const auto& one : asserts) {
    if (one.type == Assert::Type::prefix_empty && !guards.contains(one.key.leaf)) {
      return invalid("an empty leaf without a change of its guard");
    }
  }
  return {};
}

Result<> Transaction::validate_branch() const {
  KISEKI_TRY(validate_spread());
  return Rules(*this, Rules::Form::branch).run();
}

namespace {

std::unexpected<Error> refused(const char* what) {
  return fail(Errc::invalid_argument, std::string("proposal: ") + what);
}

/// A session's own: its sequence is still open when it sends it.
Result<> check_id(TransactionId id, std::uint64_t low_water) {
  const bool is_numbered =
      id.sequence > 0 && id.sequence < std::numeric_limits<std::uint64_t>::max() && low_water <= id.sequence;
  if (id.session.is_none() || !is_numbered) return refused("a sequence no session gives");
  return {};
}

Result<> check_stamp(Stamp stamp) {
  if (stamp >= stamp_end) return refused("a stamp that never comes");
  return {};
}

Result<> check(const Commit& commit) {
  if (!commit.id.session.is_none()) {
    KISEKI_TRY(check_id(commit.id, commit.low_water));
    return commit.transaction.validate();
  }
  if (commit.id.sequence != 0 || commit.low_water != 0) return refused("a sequence without a session");
  const auto is_of_lock = [](const Operation& one) { return one.key.kind == Kind::lock; };
  const bool is_sweep = std::ranges::all_of(commit.transaction.operations, is_of_lock);
  return Rules(commit.transaction, is_sweep ? Rules::Form::sweep : Rules::Form::whole).run();
}

Result<> check(const Prepare& prepare) {
  KISEKI_TRY(check_id(prepare.id, prepare.low_water));
  KISEKI_TRY(check_stamp(prepare.age));
  KISEKI_TRY(check_key(prepare.primary));
  return prepare.branch.validate_branch();
}

Result<> check(const Decide& decide) {
  KISEKI_TRY(check_id(decide.id, decide.low_water));
  KISEKI_TRY(check_stamp(decide.floor));
  return check_key(decide.primary);
}

Result<> check(const Resolve& resolve) {
  KISEKI_TRY(check_id(resolve.id, 0));
  if (resolve.verdict == Verdict::committed && resolve.stamp.is_none()) return refused("a commit unstamped");
  return check_stamp(resolve.stamp);
}

Result<> check(const Fence& fence) {
  return fence.session.is_none() ? refused("a fence of nobody") : Result<>{};
}

Result<> check(const Forget& forget) {
  const auto& living = forget.gone.living;
  const auto is_out_of_order = [](SessionId left, SessionId right) { return left >= right; };
  const bool is_list = living.size() <= GoneSessions::living_max &&
                       std::ranges::adjacent_find(living, is_out_of_order) == living.end();
  return is_list ? Result<>{} : refused("a list of sessions out of order");
}

Result<> check(const Configure& configure) {
  const bool is_namespace = !configure.ns.is_none() && configure.ns.value() < namespace_end;
  return is_namespace ? Result<>{} : refused("not a namespace");
}

Result<> check(const RaiseEpoch&) { return {}; }

Result<> check(const Split& split) {
  const bool is_id = split.child.value() != std::numeric_limits<std::uint32_t>::max();
  return is_id ? Result<>{} : refused("not a shard");
}

Result<> check(const Trim& trim) {
  return trim.chunks.size() <= Trim::chunks_max ? Result<>{} : refused("too many chunks");
}

}  // namespace

Result<> Proposal::validate() const {
  return std::visit([](const auto& one) { return check(one); }, body);
}

}  // namespace kiseki::shard
