//! The layouts of `engine.h` and what turns them into the crate's types and back.

use std::ffi::c_void;
use std::{ptr, slice};

use bytes::Bytes;
use raft::prelude::{ConfState, Entry, EntryType, Message, MessageType, Snapshot};

pub const MEMBERS_MAX: usize = 16;

#[repr(C)]
#[derive(Clone, Copy)]
pub struct CBytes {
    pub data: *const u8,
    pub size: usize,
}

impl CBytes {
    pub fn of(bytes: &[u8]) -> Self {
        CBytes { data: bytes.as_ptr(), size: bytes.len() }
    }

    pub unsafe fn view<'a>(self) -> &'a [u8] {
        view_of(self.data, self.size)
    }
}

/// An array from C, which may be null when it is empty.
pub unsafe fn view_of<'a, T>(data: *const T, count: usize) -> &'a [T] {
    if count == 0 {
        &[]
    } else {
        slice::from_raw_parts(data, count)
    }
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct CFrame {
    handle: *mut c_void,
    release: Option<unsafe extern "C" fn(*mut c_void)>,
    data: *const u8,
    size: usize,
}

struct Owned(CFrame);

// The C++ side gives up a reference of its own whose release is safe on any thread, and never writes to the memory.
unsafe impl Send for Owned {}

impl AsRef<[u8]> for Owned {
    fn as_ref(&self) -> &[u8] {
        unsafe { view_of(self.0.data, self.0.size) }
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        if let Some(release) = self.0.release {
            unsafe { release(self.0.handle) }
        }
    }
}

/// A frame in the hands of the engine: gives slices of it without a copy.
pub struct Frame(Option<Bytes>);

impl Frame {
    pub unsafe fn take(frame: CFrame) -> Self {
        Frame((!frame.handle.is_null()).then(|| Bytes::from_owner(Owned(frame))))
    }

    pub unsafe fn slice(&self, part: CBytes) -> Bytes {
        if part.size == 0 {
            return Bytes::new();
        }
        let part = part.view();
        match &self.0 {
            Some(whole) if whole.as_ptr_range().contains(&part.as_ptr()) => whole.slice_ref(part),
            _ => Bytes::copy_from_slice(part),
        }
    }
}

#[repr(C)]
pub struct CEntry {
    pub index: u64,
    pub term: u64,
    pub data: CBytes,
    pub kind: u8,
}

impl CEntry {
    pub fn of(entry: &Entry) -> Self {
        CEntry {
            index: entry.index,
            term: entry.term,
            data: CBytes::of(&entry.data),
            kind: u8::from(entry.get_entry_type() != EntryType::EntryNormal),
        }
    }

    pub unsafe fn to_entry(&self, frame: &Frame) -> Entry {
        let mut entry =
            Entry { index: self.index, term: self.term, data: frame.slice(self.data), ..Default::default() };
        if self.kind != 0 {
            entry.set_entry_type(EntryType::EntryConfChangeV2);
        }
        entry
    }
}

pub unsafe fn to_entries(entries: *const CEntry, frames: *const CFrame, count: usize) -> Vec<Entry> {
    let frames = view_of(frames, count);
    let entries = view_of(entries, count).iter().zip(frames);
    entries.map(|(entry, frame)| entry.to_entry(&Frame::take(*frame))).collect()
}

#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct CMembers {
    ids: [u64; MEMBERS_MAX],
    count: usize,
}

impl CMembers {
    /// Sorted, so that one configuration always looks the same. `fits` was asked before.
    fn of(ids: &[u64]) -> Self {
        let mut members = CMembers::default();
        members.ids[..ids.len()].copy_from_slice(ids);
        members.ids[..ids.len()].sort_unstable();
        members.count = ids.len();
        members
    }

    fn to_vec(self) -> Vec<u64> {
        self.ids[..self.count].to_vec()
    }
}

#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct CConf {
    voters: CMembers,
    learners: CMembers,
    voters_outgoing: CMembers,
    learners_next: CMembers,
    auto_leave: bool,
}

impl CConf {
    pub fn of(conf: &ConfState) -> Self {
        CConf {
            voters: CMembers::of(&conf.voters),
            learners: CMembers::of(&conf.learners),
            voters_outgoing: CMembers::of(&conf.voters_outgoing),
            learners_next: CMembers::of(&conf.learners_next),
            auto_leave: conf.auto_leave,
        }
    }

    pub fn to_conf(self) -> ConfState {
        ConfState {
            voters: self.voters.to_vec(),
            learners: self.learners.to_vec(),
            voters_outgoing: self.voters_outgoing.to_vec(),
            learners_next: self.learners_next.to_vec(),
            auto_leave: self.auto_leave,
            ..Default::default()
        }
    }
}

#[repr(C)]
pub struct CSnapshot {
    pub index: u64,
    pub term: u64,
    pub conf: CConf,
    pub token: CBytes,
}

impl CSnapshot {
    pub fn of(snapshot: &Snapshot) -> Self {
        let meta = snapshot.get_metadata();
        CSnapshot {
            index: meta.index,
            term: meta.term,
            conf: CConf::of(meta.get_conf_state()),
            token: CBytes::of(&snapshot.data),
        }
    }

    pub unsafe fn to_snapshot(&self) -> Snapshot {
        let mut snapshot = Snapshot { data: Bytes::copy_from_slice(self.token.view()), ..Default::default() };
        let meta = snapshot.mut_metadata();
        meta.index = self.index;
        meta.term = self.term;
        meta.set_conf_state(self.conf.to_conf());
        snapshot
    }
}

#[repr(C)]
pub struct CMessage {
    to: u64,
    from: u64,
    term: u64,
    log_term: u64,
    index: u64,
    commit: u64,
    commit_term: u64,
    reject_hint: u64,
    priority: i64,
    pub entries: *const CEntry,
    pub entries_count: usize,
    pub snapshot: *const CSnapshot,
    context: CBytes,
    kind: u8,
    reject: bool,
}

impl CMessage {
    /// Without entries and snapshot: the caller points them at arrays that live as long as the message.
    pub fn of(message: &Message) -> Self {
        CMessage {
            to: message.to,
            from: message.from,
            term: message.term,
            log_term: message.log_term,
            index: message.index,
            commit: message.commit,
            commit_term: message.commit_term,
            reject_hint: message.reject_hint,
            priority: message.priority,
            entries: ptr::null(),
            entries_count: message.entries.len(),
            snapshot: ptr::null(),
            context: CBytes::of(&message.context),
            kind: message.get_msg_type() as u8,
            reject: message.reject,
        }
    }

    /// Nothing for a type that never comes from another node.
    pub unsafe fn to_message(&self, frame: &Frame) -> Option<Message> {
        let mut message = Message::default();
        message.set_msg_type(kind_of(self.kind)?);
        message.to = self.to;
        message.from = self.from;
        message.term = self.term;
        message.log_term = self.log_term;
        message.index = self.index;
        message.commit = self.commit;
        message.commit_term = self.commit_term;
        message.reject_hint = self.reject_hint;
        message.priority = self.priority;
        message.reject = self.reject;
        message.context = Bytes::copy_from_slice(self.context.view());
        let entries = view_of(self.entries, self.entries_count);
        message.set_entries(entries.iter().map(|entry| entry.to_entry(frame)).collect::<Vec<_>>().into());
        if let Some(snapshot) = self.snapshot.as_ref() {
            message.set_snapshot(snapshot.to_snapshot());
        }
        Some(message)
    }
}

fn kind_of(kind: u8) -> Option<MessageType> {
    use MessageType::*;
    const FROM_PEERS: [MessageType; 10] = [
        MsgAppend,
        MsgAppendResponse,
        MsgRequestVote,
        MsgRequestVoteResponse,
        MsgSnapshot,
        MsgHeartbeat,
        MsgHeartbeatResponse,
        MsgTimeoutNow,
        MsgRequestPreVote,
        MsgRequestPreVoteResponse,
    ];
    FROM_PEERS.into_iter().find(|known| *known as u8 == kind)
}

#[repr(C)]
pub struct CConfig {
    pub group: u64,
    pub node: u64,
    pub seed: u64,
    pub election_ticks: u64,
    pub election_ticks_max: u64,
    pub heartbeat_ticks: u64,
    pub message_size_max: u64,
    pub uncommitted_size_max: u64,
    pub committed_size_max: u64,
    pub inflight_max: usize,
}

#[repr(C)]
pub struct CRestart {
    pub base_index: u64,
    pub base_term: u64,
    pub applied: u64,
    pub term: u64,
    pub vote: u64,
    pub commit: u64,
    pub conf: CConf,
    pub entries: *const CEntry,
    pub frames: *const CFrame,
    pub entries_count: usize,
}

#[repr(C)]
pub struct CRead {
    pub sequence: u64,
    pub index: u64,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct CFetch {
    pub id: u64,
    pub from: u64,
    pub to: u64,
    pub size_max: u64,
}

#[repr(C)]
pub struct CReadyView {
    pub number: u64,
    pub leader: u64,
    pub term: u64,
    pub vote: u64,
    pub commit: u64,
    pub entries: *const CEntry,
    pub entries_count: usize,
    pub committed: *const CEntry,
    pub committed_count: usize,
    pub messages: *const CMessage,
    pub messages_count: usize,
    pub reads: *const CRead,
    pub reads_count: usize,
    pub fetches: *const CFetch,
    pub fetches_count: usize,
    pub install: *const CSnapshot,
    pub role: u8,
    pub has_soft_state: bool,
    pub has_hard_state: bool,
    pub must_sync: bool,
    pub send_after_persist: bool,
    pub want_snapshot: bool,
}

#[repr(C)]
pub struct CStatus {
    pub term: u64,
    pub vote: u64,
    pub leader: u64,
    pub commit: u64,
    pub applied: u64,
    pub persisted: u64,
    pub first: u64,
    pub last: u64,
    pub transferee: u64,
    pub conf: CConf,
    pub role: u8,
    pub promotable: bool,
    pub singleton: bool,
    pub conf_pending: bool,
    pub installing: bool,
}

#[repr(C)]
pub struct CChange {
    pub node: u64,
    pub kind: u8,
}
