//! What the driver has to do, in memory that stays put until it says it is done.

use std::ptr;

use raft::prelude::{Entry, HardState, Message, Snapshot};
use raft::StateRole;

use crate::ffi::{CEntry, CFetch, CMessage, CRead, CReadyView, CSnapshot};

pub struct Ready {
    pub number: u64,
    pub hard: Option<HardState>,
    pub install: Option<Snapshot>,
    pub entries: Vec<Entry>,
    pub send_after_persist: bool,
    pub fetches: Vec<CFetch>,
    pub want_snapshot: bool,
    role: StateRole,
    leader: u64,
    soft_changed: bool,
    must_sync: bool,
    committed: Vec<Entry>,
    messages: Vec<Message>,
    reads: Vec<CRead>,
    arrays: Arrays,
}

/// The C arrays that point into the rest.
#[derive(Default)]
struct Arrays {
    entries: Vec<CEntry>,
    committed: Vec<CEntry>,
    message_entries: Vec<CEntry>,
    snapshots: Vec<CSnapshot>,
    messages: Vec<CMessage>,
    install: Vec<CSnapshot>,
}

impl Ready {
    pub fn of(taken: &mut raft::Ready, role: StateRole, leader: u64) -> Self {
        let mut messages = taken.take_messages();
        messages.append(&mut taken.take_persisted_messages());
        let snapshot = taken.snapshot().clone();
        Ready {
            number: taken.number(),
            hard: taken.hs().cloned(),
            install: (!snapshot.is_empty()).then_some(snapshot),
            entries: taken.take_entries(),
            send_after_persist: role != StateRole::Leader,
            fetches: Vec::new(),
            want_snapshot: false,
            role,
            leader,
            soft_changed: taken.ss().is_some(),
            must_sync: taken.must_sync(),
            committed: taken.take_committed_entries(),
            messages,
            reads: taken
                .take_read_states()
                .iter()
                .map(|read| to_read(&read.request_ctx, read.index))
                .collect(),
            arrays: Arrays::default(),
        }
    }

    /// Valid until `self` is dropped, wherever it is moved: all arrays are on the heap.
    pub fn view(&mut self) -> CReadyView {
        self.fill();
        let arrays = &self.arrays;
        let hard = self.hard.clone().unwrap_or_default();
        CReadyView {
            number: self.number,
            leader: self.leader,
            term: hard.term,
            vote: hard.vote,
            commit: hard.commit,
            entries: arrays.entries.as_ptr(),
            entries_count: arrays.entries.len(),
            committed: arrays.committed.as_ptr(),
            committed_count: arrays.committed.len(),
            messages: arrays.messages.as_ptr(),
            messages_count: arrays.messages.len(),
            reads: self.reads.as_ptr(),
            reads_count: self.reads.len(),
            fetches: self.fetches.as_ptr(),
            fetches_count: self.fetches.len(),
            install: arrays.install.first().map_or(ptr::null(), ptr::from_ref),
            role: to_role(self.role),
            has_soft_state: self.soft_changed,
            has_hard_state: self.hard.is_some(),
            must_sync: self.must_sync,
            send_after_persist: self.send_after_persist,
            want_snapshot: self.want_snapshot,
        }
    }

    fn fill(&mut self) {
        let arrays = &mut self.arrays;
        arrays.entries = self.entries.iter().map(CEntry::of).collect();
        arrays.committed = self.committed.iter().map(CEntry::of).collect();
        arrays.message_entries =
            self.messages.iter().flat_map(|message| message.entries.iter()).map(CEntry::of).collect();
        arrays.snapshots = self
            .messages
            .iter()
            .filter(|message| message.has_snapshot())
            .map(|m| CSnapshot::of(m.get_snapshot()))
            .collect();
        arrays.install = self.install.iter().map(CSnapshot::of).collect();
        let mut entries = arrays.message_entries.as_slice();
        let mut snapshots = arrays.snapshots.iter();
        arrays.messages = self
            .messages
            .iter()
            .map(|message| {
                let mut flat = CMessage::of(message);
                let (own, rest) = entries.split_at(flat.entries_count);
                entries = rest;
                flat.entries = own.as_ptr();
                if message.has_snapshot() {
                    flat.snapshot = snapshots.next().map_or(ptr::null(), ptr::from_ref);
                }
                flat
            })
            .collect();
    }
}

/// The context is a term and the sequence (see `Group::read_index`).
fn to_read(context: &[u8], index: u64) -> CRead {
    let sequence = context.get(8..16).and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_be_bytes);
    CRead { sequence, index }
}

pub fn to_role(role: StateRole) -> u8 {
    match role {
        StateRole::Follower => 0,
        StateRole::Candidate => 1,
        StateRole::Leader => 2,
        StateRole::PreCandidate => 3,
    }
}
