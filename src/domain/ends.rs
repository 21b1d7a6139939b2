//! What the runs of a call came to, all together: the call's state tells of each of them, and filters find it by each.
//!
//! The ledger keeps it beside the state, which stays what versions before it write and read.

use super::state::{CallState, RunState};

/// The ends that runs came to: a set.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ends(u8);

/// More than every number of a set.
const SETS: i64 = 16;

impl Ends {
    /// Nothing has ended, or how was not noted.
    pub const NONE: Ends = Ends(0);
    const DONE: Ends = Ends(1);
    const FAILED: Ends = Ends(2);
    const CANCELLED: Ends = Ends(4);
    const EXPIRED: Ends = Ends(8);

    /// How a run ended; none while it is under way.
    pub fn of(run: RunState) -> Self {
        match run {
            RunState::Selecting | RunState::Running | RunState::Waiting => Ends::NONE,
            RunState::Done => Ends::DONE,
            RunState::Failed => Ends::FAILED,
            RunState::Cancelled => Ends::CANCELLED,
            RunState::Expired => Ends::EXPIRED,
        }
    }

    /// Of both.
    #[must_use]
    pub fn and(self, other: Ends) -> Self {
        Ends(self.0 | other.0)
    }

    /// The number the ledger keeps.
    pub fn code(self) -> i64 {
        i64::from(self.0)
    }

    /// Reads the ledger's number; what a newer version added to it is passed over.
    pub fn from_code(code: i64) -> Self {
        Ends(u8::try_from(code & (SETS - 1)).unwrap_or(0))
    }

    fn has(self, one: Ends) -> bool {
        self.0 & one.0 != 0
    }
}

impl RunState {
    /// The state under which the ledger keeps it; how it ended stands beside.
    pub fn kept(self) -> RunState {
        match self {
            RunState::Expired => RunState::Done,
            other => other,
        }
    }

    /// The state of a run that is kept as this one and came to such an end.
    #[must_use]
    pub fn with(self, ends: Ends) -> RunState {
        match self {
            RunState::Done if ends.has(Ends::EXPIRED) => RunState::Expired,
            other => other,
        }
    }
}

impl CallState {
    /// How a call is kept once its runs are at their ends, with what they came to all together: failed if one failed, cancelled if
    /// all were, else done. `None` while one is not at its end.
    pub fn after_runs(runs: &[(RunState, Ends)]) -> Option<(CallState, Ends)> {
        if runs.iter().any(|(state, _)| RunState::UNFINISHED.contains(state)) {
            return None;
        }
        let is = |asked| move |(state, _): &(RunState, Ends)| *state == asked;
        let state = match runs {
            _ if runs.iter().any(is(RunState::Failed)) => CallState::Failed,
            [_, ..] if runs.iter().all(is(RunState::Cancelled)) => CallState::Cancelled,
            _ => CallState::Done,
        };
        Some((state, runs.iter().fold(Ends::NONE, |all, (_, ends)| all.and(*ends))))
    }

    /// The state of a call that is kept as this one and whose runs came to these ends. One that failed is failed, whatever
    /// became of its other runs.
    #[must_use]
    pub fn with(self, ends: Ends) -> CallState {
        if !matches!(self, CallState::Done | CallState::Cancelled) {
            return self;
        }
        match ends {
            Ends::NONE => self,
            Ends::DONE => CallState::Done,
            Ends::CANCELLED => CallState::Cancelled,
            Ends::EXPIRED => CallState::Expired,
            _ => CallState::Partly,
        }
    }

    /// Whether a request for calls in the state `asked` means one that is kept as this one: besides those in that very
    /// state, those of which a run came to it.
    fn is_found_as(self, ends: Ends, asked: CallState) -> bool {
        let is_at_its_end = !self.is_open() && self != CallState::Refused;
        let in_part = match asked {
            CallState::Failed => ends.has(Ends::FAILED),
            CallState::Cancelled => ends.has(Ends::CANCELLED),
            CallState::Expired => ends.has(Ends::EXPIRED),
            _ => false,
        };
        self.with(ends) == asked || is_at_its_end && in_part
    }

    /// What is kept of calls that are meant by this state: [`Self::kept_as`] of each.
    pub fn found_as(self) -> Vec<i64> {
        let kept = CallState::ALL
            .iter()
            .flat_map(|state| (0..SETS).map(move |ends| (*state, Ends::from_code(ends))));
        kept.filter(|(state, ends)| state.is_found_as(*ends, self))
            .map(|(state, ends)| state.kept_as(ends))
            .collect()
    }

    /// State and ends in one number.
    fn kept_as(self, ends: Ends) -> i64 {
        self.code() * SETS + ends.code()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(runs: &[RunState]) -> (CallState, Ends) {
        let runs: Vec<(RunState, Ends)> = runs.iter().map(|run| (run.kept(), Ends::of(*run))).collect();
        CallState::after_runs(&runs).unwrap()
    }

    #[test]
    fn a_call_tells_of_each_of_its_runs() {
        use RunState::{Cancelled, Done, Expired, Failed};
        for (runs, state) in [
            (&[Done, Done][..], CallState::Done),
            (&[Cancelled, Cancelled], CallState::Cancelled),
            (&[Expired], CallState::Expired),
            (&[Done, Cancelled], CallState::Partly),
            (&[Done, Expired], CallState::Partly),
            (&[Cancelled, Expired], CallState::Partly),
            (&[Done, Failed, Cancelled], CallState::Failed),
        ] {
            let (kept, ends) = call(runs);
            assert_eq!(kept.with(ends), state, "{runs:?}");
            for run in runs.iter().filter(|run| **run != Done) {
                let asked = CallState::from_word(run.word()).unwrap();
                assert!(asked.found_as().contains(&kept.kept_as(ends)), "{runs:?} as {asked:?}");
            }
            assert!(state.found_as().contains(&kept.kept_as(ends)), "{runs:?}");
            let is_done = CallState::Done.found_as().contains(&kept.kept_as(ends));
            assert_eq!(is_done, state == CallState::Done, "{runs:?}");
        }
    }

    #[test]
    fn a_call_waits_for_each_of_its_runs() {
        for state in RunState::UNFINISHED {
            let runs = [(RunState::Failed, Ends::FAILED), (*state, Ends::NONE)];
            assert_eq!(CallState::after_runs(&runs), None, "{state:?}");
        }
    }

    #[test]
    fn what_a_version_before_wrote_is_what_it_was() {
        for state in CallState::ALL {
            assert_eq!(state.with(Ends::NONE), *state);
            assert!(state.found_as().contains(&state.kept_as(Ends::NONE)));
        }
        for state in [CallState::Accepted, CallState::Running] {
            let opened_again = Ends::CANCELLED.and(Ends::DONE);
            assert_eq!(state.with(opened_again), state);
            assert!(!CallState::Cancelled.found_as().contains(&state.kept_as(opened_again)));
        }
    }

    #[test]
    fn a_run_is_read_as_it_ended() {
        for state in RunState::ALL {
            assert_eq!(state.kept().with(Ends::of(*state)), *state);
            assert_eq!(Ends::from_code(Ends::of(*state).code()), Ends::of(*state));
        }
        assert_eq!(RunState::Expired.kept(), RunState::Done);
    }
}
