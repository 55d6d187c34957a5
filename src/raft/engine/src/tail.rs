//! What the engine sees as its storage: the newest entries in memory, the terms of all, and a list of wishes (entries
//! below the tail, a snapshot) that the driver fulfils in its own time.

use std::cell::RefCell;
use std::cmp;
use std::collections::VecDeque;
use std::mem;

use protobuf::Message as _;
use raft::prelude::{ConfState, Entry, HardState, Snapshot};
use raft::{Error, GetEntriesContext, RaftState, Result, Storage, StorageError};

use crate::ffi::CFetch;

/// Fetches under way at once; more wait for the follower's next answer.
const FETCHES_MAX: usize = 64;

/// One read of entries below the tail, for every follower that needs it.
struct Fetch {
    ask: CFetch,
    sent: bool,
    waiting: Vec<GetEntriesContext>,
}

#[derive(Default)]
struct Wishes {
    last_id: u64,
    fetches: Vec<Fetch>,
    snapshot: bool,
    /// The answer being delivered.
    answer: Vec<Entry>,
}

pub struct Tail {
    base_index: u64,
    base_term: u64,
    /// (first index, term) of each run of equal terms above the base.
    runs: Vec<(u64, u64)>,
    /// Index of entries[0]; last + 1 when there are none.
    first: u64,
    last: u64,
    entries: VecDeque<Entry>,
    restart: RaftState,
    offered: Option<Snapshot>,
    wishes: RefCell<Wishes>,
}

impl Tail {
    pub fn new(base: (u64, u64), hard: HardState, conf: ConfState, entries: Vec<Entry>) -> Self {
        let mut tail = Tail {
            base_index: base.0,
            base_term: base.1,
            runs: Vec::new(),
            first: base.0 + 1,
            last: base.0,
            entries: VecDeque::new(),
            restart: RaftState::new(hard, conf),
            offered: None,
            wishes: RefCell::default(),
        };
        tail.append(&entries);
        tail
    }

    pub fn base(&self) -> u64 {
        self.base_index
    }

    /// Replaces any suffix from entries[0].index.
    pub fn append(&mut self, entries: &[Entry]) {
        let Some(start) = entries.first().map(|entry| entry.index) else { return };
        assert!(self.base_index < start && start <= self.last + 1, "append at {start} leaves a hole");
        self.runs.retain(|run| run.0 < start);
        if start < self.first {
            self.entries.clear();
            self.first = start;
        } else {
            self.entries.truncate((start - self.first) as usize);
        }
        for entry in entries {
            if self.runs.last().map_or(true, |run| run.1 != entry.term) {
                self.runs.push((entry.index, entry.term));
            }
            self.entries.push_back(entry.clone());
        }
        self.last = start + entries.len() as u64 - 1;
    }

    /// The log is now what the snapshot stands for, and nothing else.
    pub fn install(&mut self, snapshot: &Snapshot) {
        let meta = snapshot.get_metadata();
        self.base_index = meta.index;
        self.base_term = meta.term;
        self.runs.clear();
        self.entries.clear();
        self.first = meta.index + 1;
        self.last = meta.index;
    }

    /// Entries up to `index` leave the memory.
    pub fn trim(&mut self, index: u64) {
        let count = cmp::min((index + 1).saturating_sub(self.first) as usize, self.entries.len());
        self.entries.drain(..count);
        self.first += count as u64;
    }

    /// Entries up to `index` are gone for good.
    pub fn compact(&mut self, index: u64) {
        if index <= self.base_index {
            return;
        }
        self.base_term = self.term(index).expect("compacting within the log");
        self.base_index = index;
        self.trim(index);
        let past = self.runs.partition_point(|run| run.0 <= index + 1);
        self.runs.drain(..past.saturating_sub(1));
        match self.runs.first_mut() {
            Some(run) if index < self.last => run.0 = cmp::max(run.0, index + 1),
            _ => self.runs.clear(),
        }
        if self.offered.as_ref().map_or(false, |one| one.get_metadata().index < index) {
            self.offered = None;
        }
    }

    pub fn offer(&mut self, snapshot: Snapshot) {
        self.offered = Some(snapshot);
    }

    pub fn has_wishes(&self) -> bool {
        let wishes = self.wishes.borrow();
        wishes.snapshot || wishes.fetches.iter().any(|fetch| !fetch.sent)
    }

    /// Fetches not told before, and whether a snapshot is wanted.
    pub fn take_wishes(&mut self) -> (Vec<CFetch>, bool) {
        let wishes = self.wishes.get_mut();
        let unsent = wishes.fetches.iter_mut().filter(|fetch| !fetch.sent);
        let asks = unsent.map(|fetch| {
            fetch.sent = true;
            fetch.ask
        });
        (asks.collect(), mem::take(&mut wishes.snapshot))
    }

    /// The followers that waited for the fetch, now to be served from `answered`. Entries that are no longer those of
    /// this log serve nobody: the follower's next heartbeat answer asks again.
    pub fn begin_answer(&mut self, id: u64, entries: Vec<Entry>) -> Vec<GetEntriesContext> {
        let Some(place) = self.wishes.get_mut().fetches.iter().position(|fetch| fetch.ask.id == id) else {
            return Vec::new();
        };
        let fetch = self.wishes.get_mut().fetches.swap_remove(place);
        let follows = |place: usize, entry: &Entry| {
            entry.index == fetch.ask.from + place as u64
                && entry.index < fetch.ask.to
                && self.term(entry.index).map_or(false, |term| term == entry.term)
        };
        let compacted = fetch.ask.from <= self.base_index;
        let valid =
            !entries.is_empty() && entries.iter().enumerate().all(|(place, entry)| follows(place, entry));
        if !valid && !compacted {
            return Vec::new();
        }
        self.wishes.get_mut().answer = if compacted { Vec::new() } else { entries };
        fetch.waiting
    }

    pub fn end_answer(&mut self) {
        self.wishes.get_mut().answer.clear();
    }

    fn ask(&self, from: u64, to: u64, size_max: u64, context: GetEntriesContext) {
        let mut wishes = self.wishes.borrow_mut();
        if let Some(fetch) = wishes.fetches.iter_mut().find(|fetch| fetch.ask.from == from) {
            // The context's fields are private to the crate; its debug text tells two of them apart.
            let text = format!("{context:?}");
            if fetch.waiting.iter().all(|known| format!("{known:?}") != text) {
                fetch.waiting.push(context);
            }
        } else if wishes.fetches.len() < FETCHES_MAX {
            wishes.last_id += 1;
            let ask = CFetch { id: wishes.last_id, from, to, size_max };
            wishes.fetches.push(Fetch { ask, sent: false, waiting: vec![context] });
        }
    }
}

/// As many as fit, at least one.
fn within<'a>(entries: impl Iterator<Item = &'a Entry>, size_max: u64) -> Vec<Entry> {
    let mut size = 0;
    let mut taken = Vec::new();
    for entry in entries {
        size += u64::from(entry.compute_size());
        if size > size_max && !taken.is_empty() {
            break;
        }
        taken.push(entry.clone());
    }
    taken
}

impl Storage for Tail {
    fn initial_state(&self) -> Result<RaftState> {
        Ok(self.restart.clone())
    }

    fn entries(
        &self,
        low: u64,
        high: u64,
        max_size: impl Into<Option<u64>>,
        context: GetEntriesContext,
    ) -> Result<Vec<Entry>> {
        let size_max = max_size.into().unwrap_or(u64::MAX);
        if low <= self.base_index {
            return Err(Error::Store(StorageError::Compacted));
        }
        if low >= self.first {
            let range = (low - self.first) as usize..(high - self.first) as usize;
            return Ok(within(self.entries.range(range), size_max));
        }
        assert!(context.can_async(), "entry {low} was trimmed before it was applied");
        {
            let wishes = self.wishes.borrow();
            let first = wishes.answer.first().map_or(u64::MAX, |entry| entry.index);
            if first <= low && low < first + wishes.answer.len() as u64 {
                let answer = wishes.answer[(low - first) as usize..].iter();
                return Ok(within(answer.take((high - low) as usize), size_max));
            }
        }
        self.ask(low, cmp::min(high, self.first), size_max, context);
        Err(Error::Store(StorageError::LogTemporarilyUnavailable))
    }

    fn term(&self, index: u64) -> Result<u64> {
        if index == self.base_index {
            return Ok(self.base_term);
        }
        if index < self.base_index {
            return Err(Error::Store(StorageError::Compacted));
        }
        if index > self.last {
            return Err(Error::Store(StorageError::Unavailable));
        }
        let past = self.runs.partition_point(|run| run.0 <= index);
        Ok(self.runs[past - 1].1)
    }

    fn first_index(&self) -> Result<u64> {
        Ok(self.base_index + 1)
    }

    fn last_index(&self) -> Result<u64> {
        Ok(self.last)
    }

    fn snapshot(&self, request_index: u64, to: u64) -> Result<Snapshot> {
        if let Some(offered) = &self.offered {
            let meta = offered.get_metadata();
            let conf = meta.get_conf_state();
            let mut members = conf.voters.iter().chain(&conf.learners).chain(&conf.voters_outgoing);
            if meta.index >= request_index && members.any(|id| *id == to) {
                return Ok(offered.clone());
            }
        }
        self.wishes.borrow_mut().snapshot = true;
        Err(Error::Store(StorageError::SnapshotTemporarilyUnavailable))
    }
}
