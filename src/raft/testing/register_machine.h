#pragma once

#include <functional>
#include <map>
#include <string>

#include "raft/replica.h"
#include "sim/crashable_kv.h"

namespace kiseki::raft {

/// A proposal on a register. `padding` makes it larger.
struct Command {
  std::uint64_t number = 0;  ///< Of the call that made it.
  bool is_swap = false;
  std::uint8_t key = 0;
  std::uint64_t expected = 0;
  std::uint64_t value = 0;
  std::uint32_t padding = 0;

  std::string encode() const;
  static Command decode(View bytes);
};

/// A few registers over a store that loses what was not flushed: the smallest machine that keeps its applied
/// index, its configuration and whole states as `Replica` wants them.
class RegisterMachine final : public StateMachine, public Snapshots {
 public:
  /// What a machine tells of itself, to be compared with what others tell.
  struct Applied {
    const Entry& entry;
    std::uint64_t digest;  ///< Of everything applied so far, each with the configuration it met.
    bool is_refused_swap;
  };
  struct Observer {
    std::function<void(const Applied&)> applied = [](const Applied&) {};
    std::function<void(Role, Term)> leadership = [](Role, Term) {};
    std::function<void()> removed = [] {};
  };

  /// An empty store becomes that of a machine that has applied `base`.
  RegisterMachine(sim::CrashableKv& store, Clock& clock, SnapshotMeta base, Observer observer);

  Result<> apply(std::span<const Entry> committed, const ConfState* conf) override;
  Index applied() const override { return applied_; }
  std::optional<ConfState> configuration() const override { return conf_; }
  Result<Index> applied_durable() const override;
  void leadership(Role role, Term term) override { observer_.leadership(role, term); }
  void removed() override { observer_.removed(); }
  void failed() override {}

  Result<std::unique_ptr<SnapshotSource>> take() override;
  Task<Result<>> stage(SnapshotSource& source) override;
  Task<Result<>> install(Index index) override;

  std::uint64_t read(std::uint8_t key) const;
  std::uint64_t digest() const { return digest_; }

 private:
  /// Of what is staged.
  struct Head {
    SnapshotMeta meta;
    bool is_installing = false;
    std::string encode() const;
    static Head decode(View bytes);
  };
  void load();
  void finish_installation();
  /// The writes that put what is staged in place of the state.
  std::vector<kv::Batch> installation(const Head& head) const;
  bool apply_command(const Command& command);
  void put_progress(kv::Batch& batch) const;
  void digest_conf();

  sim::CrashableKv& store_;
  Clock& clock_;
  Observer observer_;
  Index applied_ = 0;
  Term term_ = 0;
  std::uint64_t digest_ = 0;
  std::optional<ConfState> conf_;
  ConfState first_conf_;           // until there is another
  std::uint64_t conf_digest_ = 0;  // of the configuration now
  std::map<std::uint8_t, std::uint64_t> registers_;
};

}  // namespace kiseki::raft
