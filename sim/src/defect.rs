//! Bugs that a run can be given on purpose, to prove that they are found.
//!
//! Each is what a server could get wrong in driving its member, its storage, its watches or its
//! leases. The members themselves aren't changed: a defect lies in what stands between their parts.

/// A bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Defect {
    /// A leader counts itself in before its log has synced.
    LeaderCountsUnsynced,
    /// Followers and candidates let their answers go before their log has synced.
    FollowerAnswersUnsynced,
    /// A leader answers a write when its own log has it.
    AnswerBeforeCommit,
    /// The entry before a new leader's first one is executed once more.
    ExecuteTwice,
    /// An entry is passed over now and then.
    SkipEntry,
    /// Membership changes are passed over.
    SkipConfChange,
    /// What the engine had not flushed isn't executed again after a start.
    SkipReplay,
    /// A follower executes a put with another value now and then.
    OtherValueOnFollower,
    /// Two answers of one batch are exchanged.
    ExchangeAnswers,
    /// A request that takes long is proposed again.
    ProposeAgain,
    /// Linearizable reads are served without asking anybody.
    ReadWithoutRound,
    /// A leader serves reads without asking if it still is one.
    LeaderReadsAlone,
    /// A leader answers whoever asks it about a read, whether both are a quorum or not.
    LeaderAnswersAlone,
    /// Confirmed reads don't wait until their index is applied.
    ReadBeforeApplied,
    /// A crash takes the newest group of the log with it, synced or not.
    LoseLastGroup,
    /// The log doesn't keep for whom a member has voted.
    ForgetVote,
    /// The log doesn't keep a term that comes without entries.
    ForgetTerm,
    /// A watch event gets lost now and then.
    DropEvent,
    /// A watch event comes twice now and then.
    RepeatEvent,
    /// A watch that is resumed goes on one revision too late.
    ResumeLate,
    /// The leader takes leases for expired before they are.
    RevokeEarly,
    /// Leases are never revoked.
    NeverRevoke,
}

impl Defect {
    /// All of them, each with the number of seeds, from 0, within which it is found.
    pub const ALL: [(Defect, u64); 22] = [
        (Defect::LeaderCountsUnsynced, 20),
        (Defect::FollowerAnswersUnsynced, 20),
        (Defect::AnswerBeforeCommit, 20),
        (Defect::ExecuteTwice, 20),
        (Defect::SkipEntry, 20),
        (Defect::SkipConfChange, 20),
        (Defect::SkipReplay, 20),
        (Defect::OtherValueOnFollower, 20),
        (Defect::ExchangeAnswers, 20),
        (Defect::ProposeAgain, 20),
        (Defect::ReadWithoutRound, 20),
        (Defect::LeaderReadsAlone, 100),
        (Defect::LeaderAnswersAlone, 800),
        (Defect::ReadBeforeApplied, 20),
        (Defect::LoseLastGroup, 20),
        (Defect::ForgetVote, 20),
        (Defect::ForgetTerm, 20),
        (Defect::DropEvent, 20),
        (Defect::RepeatEvent, 20),
        (Defect::ResumeLate, 20),
        (Defect::RevokeEarly, 20),
        (Defect::NeverRevoke, 20),
    ];

    /// The defect of this name, as `Debug` writes it.
    pub fn named(name: &str) -> Option<Defect> {
        let named = |(defect, _): &&(Defect, u64)| format!("{defect:?}") == name;
        Defect::ALL.iter().find(named).map(|(defect, _)| *defect)
    }
}
