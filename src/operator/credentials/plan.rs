//! What is to be done about a Secret of generated credentials, from what it holds and the time alone.
//!
//! The Secret is the only state: a crash between any two steps leaves one of its states, from which the next pass
//! goes on. A caller is told new credentials only once every replica takes them, so no caller is refused during a rotation.

use std::time::Duration;

use jiff::Timestamp;

use super::state::{OVERLAP, State, after};
use crate::domain::credentials::{GenerateError, KeptCredentials, Pair};

/// Previous credentials are in use if they were used within a quarter of the overlap, between these bounds.
const QUIET_MIN: Duration = Duration::from_secs(10);
const QUIET_MAX: Duration = Duration::from_secs(3600);

/// What kind of credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::operator) enum Form {
    /// A username and a password.
    Pair,
    /// A token.
    Token,
}

/// On which schedule credentials change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::operator) struct Schedule {
    /// How old they become.
    pub every: Duration,
    /// For how long the previous ones still work.
    pub overlap: Duration,
    /// Whether the previous ones end then, even while they are still used.
    pub is_strict: bool,
}

/// What decides about a rotation.
pub(super) struct Wishes<'a> {
    pub form: Form,
    pub schedule: Option<Schedule>,
    /// The request on the object.
    pub requested: Option<&'a str>,
    /// Whether every replica takes what the Secret holds now.
    pub is_taken: bool,
    /// When a replica saw the previous ones used last.
    pub previous_used_at: Option<Timestamp>,
    pub now: Timestamp,
}

/// What the Secret is to hold, and when it is to be looked at again.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Plan {
    pub state: State,
    pub again_at: Option<Timestamp>,
    /// When the previous ones end, or should have ended while they wait for their users.
    pub previous_ends_at: Option<Timestamp>,
    /// Whether the previous ones are in use although they end soon.
    pub is_outdated_in_use: bool,
}

/// New credentials of the form.
pub(super) type Generate<'a> = &'a dyn Fn(Form) -> Result<Pair, GenerateError>;

/// Credentials for a Secret that does not exist, or holds none that can be used.
pub(super) fn begin(wishes: &Wishes<'_>, generate: Generate<'_>) -> Result<State, GenerateError> {
    Ok(State {
        credentials: KeptCredentials { current: generate(wishes.form)?, next: None, previous: None },
        rotated_at: whole(wishes.now),
        previous_expires_at: None,
        // What was asked for before there was anything to rotate has come true.
        handled: wishes.requested.map(str::to_owned),
        was_due: false,
    })
}

/// The next state of a Secret.
pub(super) fn advance(
    state: &State,
    wishes: &Wishes<'_>,
    generate: Generate<'_>,
) -> Result<Plan, GenerateError> {
    let form = if state.credentials.current.username.is_empty() { Form::Token } else { Form::Pair };
    if form != wishes.form {
        let state = begin(wishes, generate)?;
        return Ok(Plan { state, again_at: None, previous_ends_at: None, is_outdated_in_use: false });
    }
    let mut next = state.clone();
    if next.credentials.previous.is_none() || previous_ends(&next, wishes) {
        next.credentials.previous = None;
        next.previous_expires_at = None;
    }
    next.previous_expires_at = next.previous_expires_at.map(|at| wishes.put_off(&next, at));
    if let Some(promoted) = next.credentials.next.clone().filter(|_| wishes.is_taken) {
        next.credentials.previous = Some(std::mem::replace(&mut next.credentials.current, promoted));
        next.credentials.next = None;
        next.rotated_at = whole(wishes.now);
        next.previous_expires_at = Some(after(next.rotated_at, wishes.overlap()));
    }
    let is_free = next.credentials.next.is_none() && next.credentials.previous.is_none();
    let requested = wishes.requested.filter(|requested| Some(*requested) != next.handled.as_deref());
    let due_at = wishes.schedule.map(|schedule| after(next.rotated_at, schedule.every));
    if is_free && (requested.is_some() || due_at.is_some_and(|at| at <= wishes.now)) {
        next.credentials.next = Some(generate(form)?);
        next.was_due = requested.is_none();
        next.handled = wishes.requested.map(str::to_owned).or(next.handled);
    }
    let due_at = due_at.filter(|_| next.credentials.next.is_none());
    let again_at = next.previous_expires_at.map(|at| wishes.look_again(at)).or(due_at);
    let previous_ends_at = next.previous_expires_at.map(|at| at.min(wishes.ends_by_schedule(&next)));
    let is_outdated_in_use =
        previous_ends_at.is_some_and(|at| wishes.warns_at(at) <= wishes.now) && wishes.is_previous_in_use();
    Ok(Plan { state: next, again_at, previous_ends_at, is_outdated_in_use })
}

/// Whether the previous credentials end now. Those of a rotation that was due are kept while callers still use them, unless
/// the schedule is strict, but never beyond the next one.
fn previous_ends(state: &State, wishes: &Wishes<'_>) -> bool {
    if state.previous_expires_at.is_none_or(|at| at > wishes.now) {
        return false;
    }
    let waits = wishes.waits_until(state).is_some_and(|until| wishes.now < until);
    !(waits && wishes.is_previous_in_use())
}

impl Wishes<'_> {
    /// Until when the previous credentials may be kept for callers that use them, if they may at all.
    fn waits_until(&self, state: &State) -> Option<Timestamp> {
        let schedule = self.schedule.filter(|schedule| state.was_due && !schedule.is_strict)?;
        Some(after(state.rotated_at, schedule.every))
    }

    /// When the previous ones end as it is noted: later and later while callers use them. Runtimes refuse
    /// them after what is noted, also while no operator runs, so it is put off well before.
    fn put_off(&self, state: &State, expires_at: Timestamp) -> Timestamp {
        let waits_until = self.waits_until(state).filter(|_| self.is_previous_in_use());
        let Some(until) = waits_until.filter(|_| self.warns_at(expires_at) <= self.now) else {
            return expires_at;
        };
        whole(after(self.now, self.quiet() * 2)).min(until).max(expires_at)
    }

    /// When the previous ones would have ended if no caller had used them.
    fn ends_by_schedule(&self, state: &State) -> Timestamp {
        match self.waits_until(state) {
            Some(_) => after(state.rotated_at, self.overlap()),
            None => Timestamp::MAX,
        }
    }

    fn overlap(&self) -> Duration {
        self.schedule.map_or(OVERLAP, |schedule| schedule.overlap)
    }

    /// How long the previous credentials must have been unused before they are removed.
    fn quiet(&self) -> Duration {
        (self.overlap() / 4).clamp(QUIET_MIN, QUIET_MAX)
    }

    fn is_previous_in_use(&self) -> bool {
        self.previous_used_at.is_some_and(|at| after(at, self.quiet()) > self.now)
    }

    /// From when on people are told that the previous ones are still in use.
    fn warns_at(&self, expires_at: Timestamp) -> Timestamp {
        expires_at.checked_sub(self.quiet()).unwrap_or(expires_at)
    }

    /// When to look again while previous ones work: when people would be warned, at the end, and while it waits.
    fn look_again(&self, expires_at: Timestamp) -> Timestamp {
        let times = [self.warns_at(expires_at), expires_at];
        let next = times.into_iter().find(|at| *at > self.now);
        next.unwrap_or_else(|| after(self.now, self.quiet() / 2))
    }
}

/// Times in Kubernetes have whole seconds.
fn whole(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::collections::BTreeMap;

    use super::*;
    use crate::domain::secret::Secret;
    use crate::operator::credentials::state::{PREVIOUS_EXPIRES_AT, ROTATED_AT};

    struct World {
        made: Cell<u32>,
    }

    impl World {
        fn generate(&self, form: Form) -> Result<Pair, GenerateError> {
            self.made.set(self.made.get() + 1);
            let n = self.made.get();
            let username = if form == Form::Token { String::new() } else { format!("u{n}") };
            Ok(Pair { username, password: Secret::new(format!("p{n}")) })
        }

        fn step(&self, state: &State, second: i64, taken: bool, requested: Option<&str>) -> Plan {
            let now = Timestamp::from_second(second).unwrap();
            let schedule = Some(schedule(false));
            let wishes = Wishes { schedule, requested, is_taken: taken, ..at(now) };
            advance(state, &wishes, &|form| self.generate(form)).unwrap()
        }

        fn first(&self) -> State {
            begin(&at(Timestamp::UNIX_EPOCH), &|form| self.generate(form)).unwrap()
        }
    }

    fn at(now: Timestamp) -> Wishes<'static> {
        let (schedule, requested, previous_used_at) = (None, None, None);
        Wishes { form: Form::Pair, schedule, requested, is_taken: false, previous_used_at, now }
    }

    fn schedule(is_strict: bool) -> Schedule {
        Schedule { every: Duration::from_secs(1000), overlap: Duration::from_secs(100), is_strict }
    }

    fn names(state: &State) -> String {
        let name = |pair: Option<&Pair>| pair.map_or("-".to_owned(), |pair| pair.username.clone());
        let KeptCredentials { current, next, previous } = &state.credentials;
        format!("{} {} {}", name(Some(current)), name(next.as_ref()), name(previous.as_ref()))
    }

    #[test]
    fn a_rotation_goes_through_its_states_and_no_other() {
        let world = World { made: Cell::new(0) };
        let state = world.first();
        let rest = world.step(&state, 999, true, None);
        assert_eq!(
            (names(&rest.state).as_str(), rest.again_at),
            ("u1 - -", Some(Timestamp::from_second(1000).unwrap()))
        );
        let begun = world.step(&state, 1000, true, None).state;
        assert_eq!(names(&begun), "u1 u2 -");
        let waits = world.step(&begun, 1001, false, None);
        assert_eq!(waits.state, begun, "nothing changes until every replica takes it");
        let overlaps = world.step(&begun, 1002, true, None);
        assert_eq!(names(&overlaps.state), "u2 - u1");
        assert_eq!(overlaps.again_at, Some(Timestamp::from_second(1077).unwrap()), "is it still in use?");
        let late = world.step(&overlaps.state, 1080, true, None);
        assert_eq!(late.again_at, Some(Timestamp::from_second(1102).unwrap()));
        let still = world.step(&overlaps.state, 1101, true, Some("now"));
        assert_eq!(names(&still.state), "u2 - u1", "a third one waits");
        let asked = world.step(&still.state, 1102, true, Some("now"));
        assert_eq!(names(&asked.state), "u2 u3 -");
        let handled = world.step(&asked.state, 1103, false, Some("now"));
        assert_eq!(handled.state, asked.state);
        assert_eq!(world.made.get(), 3);
    }

    #[test]
    fn previous_credentials_that_are_in_use_end_later_but_end() {
        let world = World { made: Cell::new(0) };
        let begun = world.step(&world.first(), 1000, true, None).state;
        let overlaps = world.step(&begun, 1002, true, None).state;
        let step = |state: &State, second: i64, used: i64, is_strict: bool| {
            let now = Timestamp::from_second(second).unwrap();
            let previous_used_at = Some(Timestamp::from_second(used).unwrap());
            let wishes =
                Wishes { schedule: Some(schedule(is_strict)), is_taken: true, previous_used_at, ..at(now) };
            advance(state, &wishes, &|form| world.generate(form)).unwrap()
        };
        assert!(!step(&overlaps, 1050, 1049, false).is_outdated_in_use, "there is time");
        assert!(step(&overlaps, 1080, 1079, false).is_outdated_in_use);
        assert!(!step(&overlaps, 1080, 1003, false).is_outdated_in_use, "they took the new ones");
        let waits = step(&overlaps, 1102, 1101, false);
        assert_eq!((names(&waits.state).as_str(), waits.is_outdated_in_use), ("u2 - u1", true));
        let time = |second| Some(Timestamp::from_second(second).unwrap());
        assert_eq!((waits.again_at, waits.previous_ends_at), (time(1127), time(1102)));
        assert_eq!(
            waits.state.previous_expires_at,
            time(1152),
            "it is noted, so that no runtime refuses them"
        );
        let early = step(&overlaps, 1080, 1079, false);
        assert_eq!(early.state.previous_expires_at, time(1130), "before the time is over");
        assert_eq!(step(&overlaps, 1080, 1079, true).state.previous_expires_at, time(1102), "strict");
        let last = step(&overlaps, 1990, 1989, false);
        assert_eq!(last.state.previous_expires_at, time(2002), "never beyond the next one");
        assert_eq!(names(&step(&early.state, 1130, 1080, false).state), "u2 - -", "quiet in the meantime");
        assert_eq!(names(&step(&overlaps, 1102, 1101, true).state), "u2 - -", "strict");
        assert_eq!(names(&step(&overlaps, 1130, 1101, false).state), "u2 - -", "quiet for long enough");
        let last = step(&overlaps, 2002, 2001, false);
        assert_eq!(names(&last.state), "u2 u3 -", "the next one is due");

        let asked = world.step(&world.first(), 1, true, Some("leaked")).state;
        let overlaps = world.step(&asked, 2, true, Some("leaked")).state;
        let wishes = |second| Timestamp::from_second(second).unwrap();
        let ended = advance(
            &overlaps,
            &Wishes {
                schedule: Some(schedule(false)),
                requested: Some("leaked"),
                is_taken: true,
                previous_used_at: Some(wishes(101)),
                ..at(wishes(102))
            },
            &|form| world.generate(form),
        );
        assert!(ended.unwrap().state.credentials.previous.is_none(), "what was asked for is not put off");
    }

    #[test]
    fn a_request_is_taken_up_once() {
        let world = World { made: Cell::new(0) };
        let asked = world.step(&world.first(), 1, false, Some("a")).state;
        assert_eq!(names(&asked), "u1 u2 -");
        let mut done = world.step(&asked, 2, true, Some("a")).state;
        done = world.step(&done, 200, true, Some("a")).state;
        assert_eq!(names(&done), "u2 - -");
        assert_eq!(names(&world.step(&done, 201, true, Some("b")).state), "u2 u3 -");
    }

    #[test]
    fn what_is_noted_is_read_again() {
        let world = World { made: Cell::new(0) };
        let begun = world.step(&world.first(), 1000, true, Some("x")).state;
        let overlaps = world.step(&begun, 1002, true, Some("x")).state;
        for state in [begun, overlaps] {
            let read = State::read(&state.credentials.data(), &state.notes(), Timestamp::UNIX_EPOCH);
            assert_eq!(read, Some(state));
        }
    }

    #[test]
    fn another_form_means_other_credentials() {
        let world = World { made: Cell::new(0) };
        let wishes = Wishes { form: Form::Token, is_taken: true, ..at(Timestamp::UNIX_EPOCH) };
        let plan = advance(&world.first(), &wishes, &|form| world.generate(form)).unwrap();
        assert!(plan.state.credentials.current.username.is_empty());
    }

    #[test]
    fn days_on_which_clocks_change_are_as_long_as_others() {
        let (every, overlap) = (Duration::from_secs(86_400), Duration::from_secs(3600));
        let schedule = Some(Schedule { every, overlap, is_strict: false });
        for day in ["2026-03-29", "2026-10-25", "2026-06-01"] {
            let world = World { made: Cell::new(0) };
            let midnight: Timestamp =
                format!("{day}T00:00:00[Europe/Vienna]").parse::<jiff::Zoned>().unwrap().timestamp();
            let mut state = world.first();
            state.rotated_at = midnight;
            let begun = (0..200).find(|quarter| {
                let now = after(midnight, Duration::from_secs(quarter * 900));
                let wishes = Wishes { schedule, is_taken: true, ..at(now) };
                let plan = advance(&state, &wishes, &|form| world.generate(form)).unwrap();
                plan.state.credentials.next.is_some()
            });
            assert_eq!((begun, world.made.get()), (Some(96), 2), "{day}");
        }
    }

    #[test]
    fn a_clock_that_goes_back_ends_nothing_early_and_begins_nothing_twice() {
        let world = World { made: Cell::new(0) };
        let begun = world.step(&world.first(), 1000, false, None).state;
        let overlaps = world.step(&begun, 1002, true, None).state;
        for earlier in [1001, 500, 0, -1_000_000] {
            let plan = world.step(&overlaps, earlier, true, None);
            assert_eq!(plan.state, overlaps, "at {earlier}");
            assert_eq!(plan.again_at, Some(Timestamp::from_second(1077).unwrap()));
        }
        assert_eq!(world.step(&begun, 500, false, None).state, begun);
        let ended = world.step(&overlaps, 1102, true, None).state;
        assert_eq!(names(&ended), "u2 - -");
        assert_eq!(world.step(&ended, 3, true, None).state, ended, "it is younger than it seemed");
        assert_eq!(names(&world.step(&ended, 2002, true, None).state), "u2 u3 -");
    }

    #[test]
    fn times_at_the_ends_of_time_are_times() {
        let world = World { made: Cell::new(0) };
        for text in ["9999-12-30T22:00:00Z", "-009999-01-02T01:59:59Z", "yesterday", ""] {
            let state = world.first();
            let notes = BTreeMap::from(
                [ROTATED_AT, PREVIOUS_EXPIRES_AT].map(|name| (name.to_owned(), text.to_owned())),
            );
            let read = State::read(&state.credentials.data(), &notes, Timestamp::UNIX_EPOCH).unwrap();
            let plan = world.step(&read, 10, true, None);
            assert!(plan.again_at.is_none_or(|at| at >= read.rotated_at), "{text}");
        }
    }
}
