#pragma once

// The C face of the consensus engine (src/raft/engine, Rust). Only the C++ side of this context includes it;
// the layouts here and in src/ffi.rs are written twice by hand and must stay equal. No call blocks, does I/O
// or calls back, but for `release` of a frame, which may run on any thread that drops the last reference.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { KISEKI_RAFT_MEMBERS_MAX = 16 };

typedef struct kiseki_raft_group kiseki_raft_group;
typedef struct kiseki_raft_ready kiseki_raft_ready;

typedef struct {
  const uint8_t* data;
  size_t size;
} kiseki_raft_bytes;

// Memory with an owner; the engine calls release(handle) once, when nothing refers to it any more. A frame
// without handle is copied.
typedef struct {
  void* handle;
  void (*release)(void* handle);
  const uint8_t* data;
  size_t size;
} kiseki_raft_frame;

typedef struct {
  uint64_t index;
  uint64_t term;
  kiseki_raft_bytes data;
  uint8_t type;  // 0 normal, 1 configuration change
} kiseki_raft_entry;

typedef struct {
  uint64_t ids[KISEKI_RAFT_MEMBERS_MAX];
  size_t count;
} kiseki_raft_members;

typedef struct {
  kiseki_raft_members voters;
  kiseki_raft_members learners;
  kiseki_raft_members voters_outgoing;
  kiseki_raft_members learners_next;
  bool auto_leave;
} kiseki_raft_conf;

typedef struct {
  uint64_t index;
  uint64_t term;
  kiseki_raft_conf conf;
  kiseki_raft_bytes token;
} kiseki_raft_snapshot;

typedef struct {
  uint64_t to, from, term, log_term, index, commit, commit_term, reject_hint;
  int64_t priority;
  const kiseki_raft_entry* entries;
  size_t entries_count;
  const kiseki_raft_snapshot* snapshot;  // may be null
  kiseki_raft_bytes context;
  uint8_t type;  // as in eraftpb.MessageType
  bool reject;
} kiseki_raft_message;

typedef struct {
  uint64_t group, node, seed;
  uint64_t election_ticks, election_ticks_max, heartbeat_ticks;
  uint64_t message_size_max, uncommitted_size_max, committed_size_max;
  size_t inflight_max;
} kiseki_raft_config;

typedef struct {
  uint64_t base_index, base_term, applied;
  uint64_t term, vote, commit;
  kiseki_raft_conf conf;
  const kiseki_raft_entry* entries;
  const kiseki_raft_frame* frames;  // the owner of each entry
  size_t entries_count;
} kiseki_raft_restart;

typedef struct {
  uint64_t sequence, index;
} kiseki_raft_read;

typedef struct {
  uint64_t id, from, to, size_max;
} kiseki_raft_fetch;

// Everything it points to lives until kiseki_raft_ready_free.
typedef struct {
  uint64_t number;
  uint64_t leader, term, vote, commit;
  const kiseki_raft_entry* entries;
  size_t entries_count;
  const kiseki_raft_entry* committed;
  size_t committed_count;
  const kiseki_raft_message* messages;
  size_t messages_count;
  const kiseki_raft_read* reads;
  size_t reads_count;
  const kiseki_raft_fetch* fetches;
  size_t fetches_count;
  const kiseki_raft_snapshot* install;  // may be null
  uint8_t role;
  bool has_soft_state, has_hard_state, must_sync, send_after_persist, want_snapshot;
} kiseki_raft_ready_view;

typedef struct {
  uint64_t term, vote, leader, commit, applied, persisted, first, last, transferee;
  kiseki_raft_conf conf;
  uint8_t role;
  bool promotable, singleton, conf_pending, installing;
} kiseki_raft_status;

typedef struct {
  uint64_t node;
  uint8_t type;  // 0 add voter, 1 remove, 2 add learner
} kiseki_raft_change;

// Results: 0 done, else a value of kiseki::raft::Status.

kiseki_raft_group* kiseki_raft_open(const kiseki_raft_config* config, const kiseki_raft_restart* restart);
void kiseki_raft_close(kiseki_raft_group* group);

void kiseki_raft_tick(kiseki_raft_group* group);
uint8_t kiseki_raft_campaign(kiseki_raft_group* group);
uint8_t kiseki_raft_step(kiseki_raft_group* group, const kiseki_raft_message* messages, size_t count,
                         kiseki_raft_frame frame);
uint8_t kiseki_raft_propose(kiseki_raft_group* group, const kiseki_raft_bytes* entries, size_t count,
                            kiseki_raft_frame frame, uint64_t* first);
uint8_t kiseki_raft_propose_conf(kiseki_raft_group* group, const kiseki_raft_change* changes, size_t count,
                                 uint8_t transition, uint64_t* index);
uint8_t kiseki_raft_apply_conf(kiseki_raft_group* group, kiseki_raft_bytes data, kiseki_raft_conf* conf);
uint8_t kiseki_raft_read_index(kiseki_raft_group* group, uint64_t* sequence);
uint8_t kiseki_raft_transfer_leader(kiseki_raft_group* group, uint64_t node);

// Null when there is nothing to do.
kiseki_raft_ready* kiseki_raft_ready_take(kiseki_raft_group* group, kiseki_raft_ready_view* view);
void kiseki_raft_ready_free(kiseki_raft_ready* ready);
void kiseki_raft_on_persisted(kiseki_raft_group* group, uint64_t number);
void kiseki_raft_advance_apply(kiseki_raft_group* group, uint64_t index);

void kiseki_raft_fetched(kiseki_raft_group* group, uint64_t id, const kiseki_raft_entry* entries,
                         const kiseki_raft_frame* frames, size_t count);
uint8_t kiseki_raft_offer_snapshot(kiseki_raft_group* group, const kiseki_raft_snapshot* snapshot);
void kiseki_raft_report_snapshot(kiseki_raft_group* group, uint64_t node, bool delivered);
void kiseki_raft_report_unreachable(kiseki_raft_group* group, uint64_t node);
void kiseki_raft_trim_tail(kiseki_raft_group* group, uint64_t index);
void kiseki_raft_compact(kiseki_raft_group* group, uint64_t index);
bool kiseki_raft_can_quiesce(const kiseki_raft_group* group);
void kiseki_raft_status_of(const kiseki_raft_group* group, kiseki_raft_status* status);

#ifdef __cplusplus
}
#endif
