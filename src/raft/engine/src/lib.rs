//! The consensus engine of Kiseki: TiKV's `raft` crate as a passive state machine behind a C interface (`engine.h`).
//! It does no I/O, has no clock and calls nobody; the driver is src/raft in C++.

mod check;
mod ffi;
mod group;
mod ready;
mod tail;

use std::cell::Cell;
use std::sync::Once;

use raft::prelude::HardState;

use ffi::*;
use group::{Group, Outcome, Start};
use ready::{to_role, Ready};

thread_local! {
    /// The (group, node) at work: what a panic names.
    static CURRENT: Cell<(u64, u64)> = const { Cell::new((0, 0)) };
}

static HOOK: Once = Once::new();

/// The profile makes every panic an abort; this makes it say whose it was.
fn install_hook() {
    HOOK.call_once(|| {
        let default = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let (group, node) = CURRENT.get();
            eprintln!("kiseki: bug in consensus: group {group} node {node}");
            default(panic);
        }));
    });
}

unsafe fn enter<'a>(group: *mut Group) -> &'a mut Group {
    let group = &mut *group;
    CURRENT.set((group.group, group.node));
    group
}

fn code<T>(outcome: Outcome<T>, store: impl FnOnce(T)) -> u8 {
    match outcome {
        Ok(value) => {
            store(value);
            0
        }
        Err(refusal) => refusal as u8,
    }
}

#[no_mangle]
unsafe extern "C" fn kiseki_raft_open(config: *const CConfig, restart: *const CRestart) -> *mut Group {
    install_hook();
    let (config, restart) = (&*config, &*restart);
    CURRENT.set((config.group, config.node));
    let hard =
        HardState { term: restart.term, vote: restart.vote, commit: restart.commit, ..Default::default() };
    let start = Start {
        base: (restart.base_index, restart.base_term),
        applied: restart.applied,
        hard,
        conf: restart.conf.to_conf(),
        entries: to_entries(restart.entries, restart.frames, restart.entries_count),
    };
    Box::into_raw(Box::new(Group::open(config, start)))
}

#[no_mangle]
unsafe extern "C" fn kiseki_raft_close(group: *mut Group) {
    drop(Box::from_raw(group));
}

#[no_mangle]
unsafe extern "C" fn kiseki_raft_tick(group: *mut Group) {
    enter(group).tick();
}

#[no_mangle]
unsafe extern "C" fn kiseki_raft_campaign(group: *mut Group) -> u8 {
    code(enter(group).campaign(), |()| ())
}

/// Every message is tried; the answer is that of the first refused one.
#[no_mangle]
unsafe extern "C" fn kiseki_raft_step(
    group: *mut Group,
    messages: *const CMessage,
    count: usize,
    frame: CFrame,
) -> u8 {
    let group = enter(group);
    let frame = Frame::take(frame);
    let mut first = 0;
    for message in view_of(messages, count) {
        let result = match message.to_message(&frame) {
            Some(message) => code(group.step(message), |()| ()),
            None => group::Refusal::Refused as u8,
        };
        first = if first == 0 { result } else { first };
    }
    first
}

#[no_mangle]
unsafe extern "C" fn kiseki_raft_propose(
    group: *mut Group,
    entries: *const CBytes,
    count: usize,
    frame: CFrame,
    first: *mut u64,
) -> u8 {
    let frame = Frame::take(frame);
    let payloads = view_of(entries, count).iter().map(|part| frame.slice(*part)).collect();
    code(enter(group).propose(payloads), |index| *first = index)
}

#[no_mangle]
unsafe extern "C" fn kiseki_raft_propose_conf(
    group: *mut Group,
    changes: *const CChange,
    count: usize,
    transition: u8,
    index: *mut u64,
) -> u8 {
    code(enter(group).propose_conf(view_of(changes, count), transition), |value| *index = value)
}

#[no_mangle]
unsafe extern "C" fn kiseki_raft_apply_conf(group: *mut Group, data: CBytes, conf: *mut CConf) -> u8 {
    code(enter(group).apply_conf(data.view()), |value| *conf = CConf::of(&value))
}

#[no_mangle]
unsafe extern "C" fn kiseki_raft_read_index(group: *mut Group, sequence: *mut u64) -> u8 {
    code(enter(group).read_index(), |value| *sequence = value)
}

#[no_mangle]
unsafe extern "C" fn kiseki_raft_transfer_leader(group: *mut Group, node: u64) -> u8 {
    code(enter(group).transfer_leader(node), |()| ())
}

#[no_mangle]
unsafe extern "C" fn kiseki_raft_ready_take(group: *mut Group, view: *mut CReadyView) -> *mut Ready {
    let Some(ready) = enter(group).ready() else { return std::ptr::null_mut() };
    let mut ready = Box::new(ready);
    *view = ready.view();
    Box::into_raw(ready)
}

#[no_mangle]
unsafe extern "C" fn kiseki_raft_ready_free(ready: *mut Ready) {
    drop(Box::from_raw(ready));
}

#[no_mangle]
unsafe extern "C" fn kiseki_raft_on_persisted(group: *mut Group, number: u64) {
    enter(group).on_persisted(number);
}

#[no_mangle]
unsafe extern "C" fn kiseki_raft_advance_apply(group: *mut Group, index: u64) {
    enter(group).advance_apply(index);
}

#[no_mangle]
unsafe extern "C" fn kiseki_raft_fetched(
    group: *mut Group,
    id: u64,
    entries: *const CEntry,
    frames: *const CFrame,
    count: usize,
) {
    let entries = to_entries(entries, frames, count);
    enter(group).fetched(id, entries);
}

#[no_mangle]
unsafe extern "C" fn kiseki_raft_offer_snapshot(group: *mut Group, snapshot: *const CSnapshot) -> u8 {
    code(enter(group).offer_snapshot((*snapshot).to_snapshot()), |()| ())
}

#[no_mangle]
unsafe extern "C" fn kiseki_raft_report_snapshot(group: *mut Group, node: u64, delivered: bool) {
    enter(group).report_snapshot(node, delivered);
}

#[no_mangle]
unsafe extern "C" fn kiseki_raft_report_unreachable(group: *mut Group, node: u64) {
    enter(group).raw.report_unreachable(node);
}

#[no_mangle]
unsafe extern "C" fn kiseki_raft_trim_tail(group: *mut Group, index: u64) {
    enter(group).trim_tail(index);
}

#[no_mangle]
unsafe extern "C" fn kiseki_raft_compact(group: *mut Group, index: u64) {
    enter(group).compact(index);
}

#[no_mangle]
unsafe extern "C" fn kiseki_raft_can_quiesce(group: *mut Group) -> bool {
    enter(group).can_quiesce()
}

#[no_mangle]
unsafe extern "C" fn kiseki_raft_status_of(group: *mut Group, status: *mut CStatus) {
    let group = enter(group);
    let raft = &group.raw.raft;
    let log = &raft.raft_log;
    *status = CStatus {
        term: raft.term,
        vote: raft.vote,
        leader: raft.leader_id,
        commit: log.committed,
        applied: log.applied,
        persisted: log.persisted,
        first: group.raw.store().base() + 1,
        last: log.last_index(),
        transferee: raft.lead_transferee.unwrap_or(0),
        conf: CConf::of(&raft.prs().conf().to_conf_state()),
        role: to_role(raft.state),
        promotable: raft.promotable(),
        singleton: raft.prs().is_singleton(),
        conf_pending: raft.has_pending_conf(),
        installing: group.is_installing(),
    };
}
