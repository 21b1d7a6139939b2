//! What is to be done about a Secret of generated credentials, from what it holds and the time alone.
//!
//! The Secret is the only state: a crash between any two steps leaves one of its states, from which the next pass
//! goes on. A caller is told new credentials only once every replica takes them, so a rotation refuses nobody.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use crate::domain::credentials::{GenerateError, KeptCredentials, Pair};

/// When the current credentials were generated.
pub(super) const ROTATED_AT: &str = "fanfare.dev/rotated-at";
/// Until when the previous ones work.
pub(super) const PREVIOUS_EXPIRES_AT: &str = "fanfare.dev/previous-expires-at";
/// The last request for a rotation that was taken up.
pub(super) const HANDLED: &str = "fanfare.dev/rotation-handled";

/// For how long previous credentials work where no schedule says so.
const OVERLAP: Duration = Duration::from_secs(24 * 3600);

/// What kind of credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::operator) enum Form {
    /// A username and a password.
    Pair,
    /// A token.
    Token,
}

/// What a Secret holds beside the credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct State {
    pub credentials: KeptCredentials,
    pub rotated_at: Timestamp,
    pub previous_expires_at: Option<Timestamp>,
    /// The last request that was taken up.
    pub handled: Option<String>,
}

/// What decides about a rotation.
pub(super) struct Wishes<'a> {
    pub form: Form,
    /// The schedule: how old credentials become, and for how long the previous ones still work.
    pub schedule: Option<(Duration, Duration)>,
    /// The request on the object.
    pub requested: Option<&'a str>,
    /// Whether every replica takes what the Secret holds now.
    pub is_taken: bool,
    pub now: Timestamp,
}

/// What the Secret is to hold, and when it is to be looked at again.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Plan {
    pub state: State,
    pub again_at: Option<Timestamp>,
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
        return Ok(Plan { state: begin(wishes, generate)?, again_at: None });
    }
    let mut next = state.clone();
    let overlap = wishes.schedule.map_or(OVERLAP, |(_, overlap)| overlap);
    if next.previous_expires_at.is_some_and(|at| at <= wishes.now) || next.credentials.previous.is_none() {
        next.credentials.previous = None;
        next.previous_expires_at = None;
    }
    if let Some(promoted) = next.credentials.next.clone().filter(|_| wishes.is_taken) {
        next.credentials.previous = Some(std::mem::replace(&mut next.credentials.current, promoted));
        next.credentials.next = None;
        next.rotated_at = whole(wishes.now);
        next.previous_expires_at = Some(after(next.rotated_at, overlap));
    }
    let is_free = next.credentials.next.is_none() && next.credentials.previous.is_none();
    let requested = wishes.requested.filter(|requested| Some(*requested) != next.handled.as_deref());
    let due_at = wishes.schedule.map(|(every, _)| after(next.rotated_at, every));
    if is_free && (requested.is_some() || due_at.is_some_and(|at| at <= wishes.now)) {
        next.credentials.next = Some(generate(form)?);
        next.handled = wishes.requested.map(str::to_owned).or(next.handled);
    }
    let again_at = next.previous_expires_at.or(due_at.filter(|_| next.credentials.next.is_none()));
    Ok(Plan { state: next, again_at })
}

impl State {
    /// Reads what a Secret says; `None` if it holds no credentials that could be used.
    pub(super) fn read(
        data: &BTreeMap<String, String>,
        notes: &BTreeMap<String, String>,
        made: Timestamp,
    ) -> Option<Self> {
        let credentials = KeptCredentials::read(data).ok()?;
        let time = |name: &str| notes.get(name).and_then(|text| text.parse::<Timestamp>().ok());
        // A previous credential of which nobody knows how long it works, works no longer than is usual.
        let expires = credentials
            .previous
            .as_ref()
            .map(|_| time(PREVIOUS_EXPIRES_AT).unwrap_or_else(|| after(made, OVERLAP)));
        Some(State {
            credentials,
            rotated_at: time(ROTATED_AT).unwrap_or(made),
            previous_expires_at: expires,
            handled: notes.get(HANDLED).cloned(),
        })
    }

    /// What the Secret's annotations say.
    pub(super) fn notes(&self) -> BTreeMap<String, String> {
        let mut notes = BTreeMap::from([(ROTATED_AT.to_owned(), self.rotated_at.to_string())]);
        notes.extend(self.previous_expires_at.map(|at| (PREVIOUS_EXPIRES_AT.to_owned(), at.to_string())));
        notes.extend(self.handled.clone().map(|handled| (HANDLED.to_owned(), handled)));
        notes
    }
}

fn after(from: Timestamp, length: Duration) -> Timestamp {
    from.checked_add(length).unwrap_or(Timestamp::MAX)
}

/// Times in Kubernetes have whole seconds.
fn whole(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::domain::secret::Secret;

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
            let schedule = Some((Duration::from_secs(1000), Duration::from_secs(100)));
            let now = Timestamp::from_second(second).unwrap();
            let wishes = Wishes { form: Form::Pair, schedule, requested, is_taken: taken, now };
            advance(state, &wishes, &|form| self.generate(form)).unwrap()
        }

        fn first(&self) -> State {
            let wishes = Wishes {
                form: Form::Pair,
                schedule: None,
                requested: None,
                is_taken: false,
                now: Timestamp::UNIX_EPOCH,
            };
            begin(&wishes, &|form| self.generate(form)).unwrap()
        }
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
        assert_eq!(overlaps.again_at, Some(Timestamp::from_second(1102).unwrap()));
        let still = world.step(&overlaps.state, 1101, true, Some("now"));
        assert_eq!(names(&still.state), "u2 - u1", "a third one waits");
        let asked = world.step(&still.state, 1102, true, Some("now"));
        assert_eq!(names(&asked.state), "u2 u3 -");
        let handled = world.step(&asked.state, 1103, false, Some("now"));
        assert_eq!(handled.state, asked.state);
        assert_eq!(world.made.get(), 3);
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
        let wishes = Wishes {
            form: Form::Token,
            schedule: None,
            requested: None,
            is_taken: true,
            now: Timestamp::UNIX_EPOCH,
        };
        let plan = advance(&world.first(), &wishes, &|form| world.generate(form)).unwrap();
        assert!(plan.state.credentials.current.username.is_empty());
    }

    #[test]
    fn days_on_which_clocks_change_are_as_long_as_others() {
        let schedule = Some((Duration::from_secs(86_400), Duration::from_secs(3600)));
        for day in ["2026-03-29", "2026-10-25", "2026-06-01"] {
            let world = World { made: Cell::new(0) };
            let midnight: Timestamp =
                format!("{day}T00:00:00[Europe/Vienna]").parse::<jiff::Zoned>().unwrap().timestamp();
            let mut state = world.first();
            state.rotated_at = midnight;
            let begun = (0..200).find(|quarter| {
                let now = after(midnight, Duration::from_secs(quarter * 900));
                let wishes = Wishes { form: Form::Pair, schedule, requested: None, is_taken: true, now };
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
            assert_eq!(plan.again_at, overlaps.previous_expires_at);
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
