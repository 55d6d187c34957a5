//! One group: the crate's node kept inside the envelope in which it is safe (docs/decisions/consensus-engine.md).

use bytes::Bytes;
use protobuf::Message as _;
use raft::prelude::{
    ConfChangeSingle, ConfChangeTransition, ConfChangeType, ConfChangeV2, ConfState, Entry, EntryType,
    HardState, Message, MessageType, Snapshot,
};
use raft::{Changer, Config, RawNode, ReadOnlyOption, SnapshotStatus, StateRole};
use slog::{o, Discard, Logger};

use crate::check;
use crate::ffi::{CChange, CConfig, MEMBERS_MAX};
use crate::ready::Ready;
use crate::tail::Tail;

/// The values of `kiseki::raft::Status`.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Refusal {
    NotLeader = 1,
    Busy = 2,
    Refused = 3,
    NotPromotable = 4,
    Transferring = 5,
    NotReady = 6,
}

pub type Outcome<T> = std::result::Result<T, Refusal>;

pub struct Start {
    pub base: (u64, u64),
    pub applied: u64,
    pub hard: HardState,
    pub conf: ConfState,
    pub entries: Vec<Entry>,
}

pub struct Group {
    pub raw: RawNode<Tail>,
    pub group: u64,
    pub node: u64,
    seed: u64,
    election_ticks: (u64, u64),
    elections: u64,
    reads: u64,
    /// The snapshot that was taken in and is not applied yet: no election may start meanwhile.
    installing: Option<u64>,
    /// The term and vote last given to the driver, and the ready that carried them.
    told: (u64, u64),
    told_in: u64,
    persisted: u64,
}

impl Group {
    pub fn open(config: &CConfig, mut start: Start) -> Self {
        let last = start.base.0 + start.entries.len() as u64;
        let applied = start.applied.clamp(start.base.0, last);
        start.hard.commit = start.hard.commit.max(applied).clamp(start.base.0, last);
        let told = (start.hard.term, start.hard.vote);
        let tail = Tail::new(start.base, start.hard, start.conf, start.entries);
        let logger = Logger::root(Discard, o!("group" => config.group));
        let raw = RawNode::new(&crate_config(config, applied), tail, &logger).expect("a valid configuration");
        Group {
            raw,
            group: config.group,
            node: config.node,
            seed: config.seed,
            election_ticks: (config.election_ticks, config.election_ticks_max),
            elections: 0,
            reads: 0,
            installing: None,
            told,
            told_in: 0,
            persisted: 0,
        }
    }

    pub fn is_leader(&self) -> bool {
        self.raw.raft.state == StateRole::Leader
    }

    pub fn is_installing(&self) -> bool {
        self.installing.is_some() || self.raw.snap().is_some()
    }

    /// The one voter of its group wins at once, and the crate then insists that all its log is persisted.
    fn may_campaign(&self) -> bool {
        let raft = &self.raw.raft;
        let settled = raft.raft_log.persisted == raft.raft_log.last_index();
        !self.is_installing() && (settled || !raft.prs().is_singleton())
    }

    pub fn tick(&mut self) {
        if self.is_leader() {
            self.raw.tick();
            return;
        }
        if !self.may_campaign() {
            return;
        }
        let timeout = self.election_timeout();
        self.raw.raft.set_randomized_election_timeout(timeout);
        self.raw.tick();
        if self.raw.raft.election_elapsed == 0 {
            self.elections += 1;
        }
    }

    /// The same for the same seed, another for every attempt.
    fn election_timeout(&self) -> usize {
        let mut mixed = self.seed;
        for part in [self.group, self.node, self.raw.raft.term, self.elections] {
            mixed = splitmix(mixed ^ part);
        }
        let (min, max) = self.election_ticks;
        (min + mixed % (max - min)) as usize
    }

    pub fn campaign(&mut self) -> Outcome<()> {
        if !self.raw.raft.promotable() {
            return Err(Refusal::NotPromotable);
        }
        if !self.may_campaign() {
            return Err(Refusal::NotReady);
        }
        self.raw.campaign().map_err(|_| Refusal::Refused)
    }

    pub fn step(&mut self, message: Message) -> Outcome<()> {
        if !check::is_safe(&self.raw.raft, &message) {
            return Err(Refusal::Refused);
        }
        let interrupts =
            matches!(message.get_msg_type(), MessageType::MsgTimeoutNow | MessageType::MsgSnapshot);
        if interrupts && self.is_installing() {
            return Err(Refusal::NotReady);
        }
        if message.get_msg_type() == MessageType::MsgTimeoutNow && !self.may_campaign() {
            return Err(Refusal::NotReady);
        }
        self.raw.step(message).map_err(|_| Refusal::Refused)
    }

    fn may_propose(&self) -> Outcome<()> {
        match (self.is_leader(), self.raw.raft.lead_transferee) {
            (false, _) => Err(Refusal::NotLeader),
            (true, Some(_)) => Err(Refusal::Transferring),
            (true, None) => Ok(()),
        }
    }

    fn append(&mut self, entries: Vec<Entry>) -> Outcome<u64> {
        let first = self.raw.raft.raft_log.last_index() + 1;
        let mut message = Message::default();
        message.set_msg_type(MessageType::MsgPropose);
        message.from = self.node;
        message.set_entries(entries.into());
        self.raw.raft.step(message).map_err(|_| Refusal::Busy)?;
        Ok(first)
    }

    /// The index of the first.
    pub fn propose(&mut self, payloads: Vec<Bytes>) -> Outcome<u64> {
        self.may_propose()?;
        if payloads.is_empty() || payloads.iter().any(Bytes::is_empty) {
            return Err(Refusal::Refused);
        }
        self.append(payloads.into_iter().map(|data| Entry { data, ..Default::default() }).collect())
    }

    pub fn propose_conf(&mut self, changes: &[CChange], transition: u8) -> Outcome<u64> {
        self.may_propose()?;
        let change = to_change(changes, transition)?;
        if self.raw.raft.has_pending_conf() {
            return Err(Refusal::Busy);
        }
        self.conf_after(&change)?;
        let mut entry = Entry::default();
        entry.set_entry_type(EntryType::EntryConfChangeV2);
        entry.data = change.write_to_bytes().map_err(|_| Refusal::Refused)?.into();
        self.append(vec![entry])
    }

    /// What the change would make of the configuration; refused where the crate would make an empty entry of it.
    fn conf_after(&self, change: &ConfChangeV2) -> Outcome<()> {
        let mut changer = Changer::new(self.raw.raft.prs());
        let changed = if change.leave_joint() {
            changer.leave_joint()
        } else if let Some(auto_leave) = change.enter_joint() {
            changer.enter_joint(auto_leave, &change.changes)
        } else {
            changer.simple(&change.changes)
        };
        let conf = changed.map_err(|_| Refusal::Refused)?.0.to_conf_state();
        check::fits(&conf).then_some(()).ok_or(Refusal::Refused)
    }

    pub fn apply_conf(&mut self, data: &[u8]) -> Outcome<ConfState> {
        let mut change = ConfChangeV2::default();
        change.merge_from_bytes(data).map_err(|_| Refusal::Refused)?;
        self.conf_after(&change)?;
        let conf = self.raw.apply_conf_change(&change).map_err(|_| Refusal::Refused)?;
        // The crate lets a leader that removed itself go on, and dies of it at its next commit.
        let raft = &mut self.raw.raft;
        if raft.state == StateRole::Leader && !raft.promotable() {
            let term = raft.term;
            raft.become_follower(term, 0);
        }
        Ok(conf)
    }

    /// Only on the leader, once it has committed in its term: the crate forgets any other request silently.
    pub fn read_index(&mut self) -> Outcome<u64> {
        if !self.is_leader() {
            return Err(Refusal::NotLeader);
        }
        if !self.raw.raft.commit_to_current_term() {
            return Err(Refusal::NotReady);
        }
        self.reads += 1;
        // The term makes the context unlike any of an earlier life of this node.
        let context = [self.raw.raft.term.to_be_bytes(), self.reads.to_be_bytes()].concat();
        self.raw.read_index(context);
        Ok(self.reads)
    }

    pub fn transfer_leader(&mut self, to: u64) -> Outcome<()> {
        if !self.is_leader() {
            return Err(Refusal::NotLeader);
        }
        if to == self.node || !self.raw.raft.prs().conf().voters().contains(to) {
            return Err(Refusal::Refused);
        }
        self.raw.transfer_leader(to);
        Ok(())
    }

    pub fn ready(&mut self) -> Option<Ready> {
        if !self.raw.has_ready() && !self.raw.store().has_wishes() {
            return None;
        }
        let mut taken = self.raw.ready();
        let mut ready = Ready::of(&mut taken, self.raw.raft.state, self.raw.raft.leader_id);
        if let Some(hard) = &ready.hard {
            if (hard.term, hard.vote) != self.told {
                self.told = (hard.term, hard.vote);
                self.told_in = ready.number;
            }
        }
        // A leader may send at once because its term and vote were persisted before it was elected; the one voter of a
        // group with learners elects itself before that.
        ready.send_after_persist |= self.told_in > self.persisted;
        let tail = self.raw.mut_store();
        if let Some(snapshot) = &ready.install {
            self.installing = Some(snapshot.get_metadata().index);
            tail.install(snapshot);
        }
        tail.append(&ready.entries);
        self.raw.advance_append_async(taken);
        (ready.fetches, ready.want_snapshot) = self.raw.mut_store().take_wishes();
        Some(ready)
    }

    pub fn on_persisted(&mut self, number: u64) {
        self.persisted = number;
        self.raw.on_persist_ready(number);
    }

    pub fn advance_apply(&mut self, index: u64) {
        if index <= self.raw.raft.raft_log.applied {
            return;
        }
        self.raw.advance_apply_to(index);
        if self.installing.map_or(false, |snapshot| snapshot <= index) {
            self.installing = None;
        }
    }

    pub fn fetched(&mut self, id: u64, entries: Vec<Entry>) {
        for context in self.raw.mut_store().begin_answer(id, entries) {
            self.raw.on_entries_fetched(context);
        }
        self.raw.mut_store().end_answer();
    }

    pub fn offer_snapshot(&mut self, snapshot: Snapshot) -> Outcome<()> {
        let meta = snapshot.get_metadata();
        if !check::is_snapshot(&snapshot) || meta.index > self.raw.raft.raft_log.applied {
            return Err(Refusal::Refused);
        }
        // A follower could not go on from a snapshot older than the log.
        if meta.index >= self.raw.store().base() {
            self.raw.mut_store().offer(snapshot);
        }
        Ok(())
    }

    pub fn report_snapshot(&mut self, node: u64, delivered: bool) {
        let status = if delivered { SnapshotStatus::Finish } else { SnapshotStatus::Failure };
        self.raw.report_snapshot(node, status);
    }

    /// Never above what is applied: the crate reads what is committed and not applied, and cannot wait for it.
    pub fn trim_tail(&mut self, index: u64) {
        let applied = self.raw.raft.raft_log.applied;
        self.raw.mut_store().trim(index.min(applied));
    }

    pub fn compact(&mut self, index: u64) {
        let log = &self.raw.raft.raft_log;
        let bound = index.min(log.applied).min(log.persisted);
        self.raw.mut_store().compact(bound);
    }

    pub fn can_quiesce(&self) -> bool {
        let raft = &self.raw.raft;
        let log = &raft.raft_log;
        let last = log.last_index();
        let settled = log.committed == last && log.applied == last && log.persisted == last;
        let busy = self.raw.has_ready() || self.raw.store().has_wishes() || self.is_installing();
        if !settled || busy || raft.leader_id == 0 {
            return false;
        }
        let followers_settled = || raft.prs().iter().all(|(_, progress)| progress.matched == last);
        let idle = raft.lead_transferee.is_none() && raft.pending_read_count() == 0;
        !self.is_leader() || (idle && followers_settled())
    }
}

fn crate_config(config: &CConfig, applied: u64) -> Config {
    Config {
        id: config.node,
        election_tick: config.election_ticks as usize,
        heartbeat_tick: config.heartbeat_ticks as usize,
        min_election_tick: config.election_ticks as usize,
        max_election_tick: config.election_ticks_max as usize,
        applied,
        max_size_per_msg: config.message_size_max,
        max_inflight_msgs: config.inflight_max,
        check_quorum: true,
        pre_vote: true,
        read_only_option: ReadOnlyOption::Safe,
        skip_bcast_commit: true,
        // Batching can emit entries that do not follow the message's own predecessor.
        batch_append: false,
        priority: 0,
        max_uncommitted_size: config.uncommitted_size_max,
        max_committed_size_per_ready: config.committed_size_max,
    }
}

fn to_change(changes: &[CChange], transition: u8) -> Outcome<ConfChangeV2> {
    let mut change = ConfChangeV2::default();
    change.set_transition(match transition {
        0 => ConfChangeTransition::Auto,
        1 => ConfChangeTransition::Implicit,
        2 => ConfChangeTransition::Explicit,
        _ => return Err(Refusal::Refused),
    });
    if changes.len() > MEMBERS_MAX {
        return Err(Refusal::Refused);
    }
    for one in changes {
        let mut single = ConfChangeSingle { node_id: one.node, ..Default::default() };
        single.set_change_type(match (one.node, one.kind) {
            (0, _) => return Err(Refusal::Refused),
            (_, 0) => ConfChangeType::AddNode,
            (_, 1) => ConfChangeType::RemoveNode,
            (_, 2) => ConfChangeType::AddLearnerNode,
            _ => return Err(Refusal::Refused),
        });
        change.mut_changes().push(single);
    }
    Ok(change)
}

/// SplitMix64 (Steele, Lea, Flood 2014).
fn splitmix(state: u64) -> u64 {
    let mut mixed = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
