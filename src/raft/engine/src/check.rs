//! Which messages and configurations may reach the crate. It trusts its peers and aborts where they lie; an abort
//! takes every group of the process with it, so what it would abort on is refused here, as if the network had lost it.

use raft::prelude::{ConfState, EntryType, Message, MessageType, Snapshot};
use raft::Raft;

use crate::ffi::MEMBERS_MAX;
use crate::tail::Tail;

/// Far above any real index or term, far enough below the end that sums never overflow.
const NUMBER_MAX: u64 = 1 << 62;

pub fn is_safe(raft: &Raft<Tail>, message: &Message) -> bool {
    if message.to != raft.id || message.from == 0 || message.from == raft.id || message.term == 0 {
        return false;
    }
    let numbers = [
        message.term,
        message.log_term,
        message.index,
        message.commit,
        message.commit_term,
        message.reject_hint,
    ];
    if numbers.iter().any(|number| *number > NUMBER_MAX) {
        return false;
    }
    let kind = message.get_msg_type();
    if (kind != MessageType::MsgAppend && !message.entries.is_empty())
        || (kind != MessageType::MsgSnapshot && message.has_snapshot())
    {
        return false;
    }
    let last = raft.raft_log.last_index();
    match kind {
        MessageType::MsgAppend => leads(raft, message) && is_append(message),
        // A heartbeat never promises more than this node has confirmed.
        MessageType::MsgHeartbeat => {
            leads(raft, message) && (message.term < raft.term || message.commit <= last)
        }
        MessageType::MsgSnapshot => {
            leads(raft, message)
                && is_snapshot(message.get_snapshot())
                && message.get_snapshot().get_metadata().term <= message.term
        }
        // Nobody has confirmed entries that this leader does not have.
        MessageType::MsgAppendResponse => {
            message.term != raft.term || message.reject || message.index <= last
        }
        // A refusal carries this node's own term, which has to be one.
        MessageType::MsgRequestPreVote => {
            raft.term > 0
                || (raft.raft_log.is_up_to_date(message.index, message.log_term)
                    && message.priority >= raft.priority)
        }
        _ => true,
    }
}

/// Two leaders of one term do not exist: a leader never takes orders in its own term.
fn leads(raft: &Raft<Tail>, message: &Message) -> bool {
    message.term != raft.term || raft.leader_id == 0 || raft.leader_id == message.from
}

fn is_append(message: &Message) -> bool {
    let mut previous = (message.index, message.log_term);
    for entry in message.entries.iter() {
        if entry.index != previous.0 + 1
            || entry.term < previous.1
            || entry.term > message.term
            || entry.term == 0
        {
            return false;
        }
        if entry.get_entry_type() == EntryType::EntryConfChange {
            return false;
        }
        previous = (entry.index, entry.term);
    }
    message.log_term <= message.term
}

pub fn is_snapshot(snapshot: &Snapshot) -> bool {
    let meta = snapshot.get_metadata();
    let numbers = [meta.index, meta.term];
    numbers.iter().all(|number| 0 < *number && *number <= NUMBER_MAX) && is_conf(meta.get_conf_state())
}

pub fn fits(conf: &ConfState) -> bool {
    [&conf.voters, &conf.learners, &conf.voters_outgoing, &conf.learners_next]
        .iter()
        .all(|set| set.len() <= MEMBERS_MAX)
}

/// What the crate can rebuild exactly; it aborts on anything else.
fn is_conf(conf: &ConfState) -> bool {
    let distinct = |ids: &[u64]| {
        let mut sorted = ids.to_vec();
        sorted.sort_unstable();
        sorted.windows(2).all(|pair| pair[0] != pair[1]) && sorted.first() != Some(&0)
    };
    let apart = |a: &[u64], b: &[u64]| a.iter().all(|id| !b.contains(id));
    let sets: [&[u64]; 4] = [&conf.voters, &conf.learners, &conf.voters_outgoing, &conf.learners_next];
    let joint = !conf.voters_outgoing.is_empty();
    fits(conf)
        && !conf.voters.is_empty()
        && sets.into_iter().all(distinct)
        && apart(&conf.learners, &conf.voters)
        && apart(&conf.learners, &conf.voters_outgoing)
        && apart(&conf.learners_next, &conf.voters)
        && conf.learners_next.iter().all(|id| conf.voters_outgoing.contains(id))
        && (joint || !conf.auto_leave)
}
