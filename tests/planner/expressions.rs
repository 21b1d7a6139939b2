//! Audiences as authors write them, at random: every operator over every kind, `not` around everything.

use fanfare::domain::expression::{Condition, Declared, Place, Scope, TriggerScope};
use fanfare::domain::params::Params;
use fanfare::domain::value::{Kind, Value};

use crate::random::Random;

const ATTRIBUTES: [&str; 11] = [
    "customer.a",
    "customer.b",
    "customer.c",
    "customer.d",
    "customer.o",
    "customer.o.p",
    "customer.o.q",
    "customer.o.a.x",
    "customer.never",
    "ids.registered",
    "ids.card",
];
const LITERALS: [&str; 27] = [
    "'5'",
    "5",
    "5.0",
    "'true'",
    "true",
    "false",
    "1",
    "0",
    "-1",
    "1.0",
    "''",
    "'a'",
    "'ab'",
    "'é'",
    "'B'",
    "'\u{10FFFF}'",
    "9007199254740993",
    "9007199254740992",
    "9007199254740992.0",
    "0.1",
    "0.30000000000000004",
    "9223372036854775807",
    "5.5",
    "-9223372036854775807",
    "'c1'",
    "'k2-0'",
    "'k3-1'",
];
const PARAMS: [(&str, Kind, &str); 7] = [
    ("t", Kind::Text, "string"),
    ("n", Kind::Number, "number"),
    ("b", Kind::Boolean, "boolean"),
    ("at", Kind::Timestamp, "timestamp"),
    ("l", Kind::List, "list"),
    ("o", Kind::Object, "object"),
    ("absent", Kind::Text, "string"),
];
const COMPARISONS: [&str; 6] = ["==", "!=", "<", "<=", ">", ">="];
const TYPES: [&str; 4] = ["buy", "visit", "rare", "never"];

/// The names an audience sees.
pub fn scope() -> Scope {
    let declared =
        |(name, kind, word): (&str, Kind, &'static str)| (name.to_owned(), Declared { kind, word });
    let trigger =
        TriggerScope { name: "hook".into(), parameters: PARAMS.map(declared).into(), is_missing: false };
    Scope { place: Place::Customer, triggers: vec![trigger], local: Default::default() }
}

/// Params of every kind; one is always absent.
pub fn params(random: &mut Random) -> Params {
    let mut params = Params::default();
    for (name, kind, _) in &PARAMS[..6] {
        let value = match kind {
            Kind::Timestamp => Value::Timestamp(crate::world::moment(random)),
            Kind::List => Value::List((0..random.below(6)).map(|_| crate::world::value(random)).collect()),
            _ => of_kind(random, *kind),
        };
        params.insert((*name).to_owned(), value);
    }
    params
}

fn of_kind(random: &mut Random, kind: Kind) -> Value {
    loop {
        let value = crate::world::value(random);
        if value.kind() == kind {
            return value;
        }
    }
}

/// An audience up to so many levels deep.
pub fn audience(random: &mut Random, depth: usize) -> String {
    if depth == 0 || random.once_in(5) {
        return atom(random);
    }
    let inner = |random: &mut Random| audience(random, depth - 1);
    match random.below(10) {
        0..=2 => format!("({} and {})", inner(random), inner(random)),
        3..=5 => format!("({} or {})", inner(random), inner(random)),
        6..=8 => format!("not ({})", inner(random)),
        _ => format!("({} if {} else {})", inner(random), inner(random), inner(random)),
    }
}

/// A part that compiles: two kinds that never compare do not.
fn atom(random: &mut Random) -> String {
    loop {
        let atom = drawn(random);
        if Condition::compile(&atom, &scope()).is_ok() {
            return atom;
        }
    }
}

fn drawn(random: &mut Random) -> String {
    let (attribute, comparison) = (*random.pick(&ATTRIBUTES), *random.pick(&COMPARISONS));
    match random.below(20) {
        0..=4 => format!("{attribute} {comparison} {}", operand(random)),
        5 => format!("{} {comparison} {attribute}", operand(random)),
        6 => format!("{attribute} in [{}, {}]", random.pick(&LITERALS), operand(random)),
        7 => format!("{attribute} not in params.l"),
        8 => format!("{attribute} in params.{}", random.pick(&["l", "l", "t", "absent"])),
        9 => format!("{attribute} is {}defined", random.pick(&["", "not "])),
        10 => attribute.to_owned(),
        11 => format!("{attribute} is startingwith('{}')", random.pick(&["", "a", "ab", "2024"])),
        12 => (*random.pick(&["consents.sms", "consents.mail", "consents.other"])).to_owned(),
        13 => undecided(random, attribute, comparison),
        _ => history(random, comparison),
    }
}

fn operand(random: &mut Random) -> String {
    match random.below(12) {
        0 => format!("params.{}", random.pick(&["t", "n", "b", "at", "l", "o", "absent"])),
        1 => (*random.pick(&ATTRIBUTES)).to_owned(),
        2 => "params.t | default('a')".into(),
        _ => (*random.pick(&LITERALS)).to_owned(),
    }
}

/// What no store decides.
fn undecided(random: &mut Random, attribute: &str, comparison: &str) -> String {
    match random.below(6) {
        0 => format!("number({attribute}) {comparison} 5"),
        1 => format!("timestamp({attribute}) {comparison} params.at"),
        2 => format!("text({attribute}) {comparison} '5'"),
        3 => format!("({attribute} | default(5)) {comparison} 5"),
        4 => format!("({attribute} | upper) {comparison} 'A'"),
        _ => format!("timestamp({attribute}) {comparison} timestamp('2024-05-01T00:00:00+02:00')"),
    }
}

fn history(random: &mut Random, comparison: &str) -> String {
    let mut term = format!("events('{}'", random.pick(&TYPES));
    for property in ["m", "n", "o"] {
        if random.once_in(5) {
            term += &format!(", {property}={}", operand(random));
        }
    }
    term.push(')');
    if random.once_in(3) {
        term += &format!(".within('{}')", random.pick(&["10m", "1h", "1d", "30d"]));
    }
    if random.once_in(5) {
        term +=
            *random.pick(&[".since(params.at)", ".since(timestamp('2023-11-14T22:30:00Z'))", ".since(now)"]);
    }
    if random.once_in(6) {
        term += *random.pick(&[".before(params.at)", ".before(now)"]);
    }
    let end = match random.below(10) {
        0..=6 => format!(".count() {comparison} {}", random.pick(&["0", "1", "2", "0.5", "-1", "'1'"])),
        7 => format!(".sum('m') {comparison} 5"),
        8 => format!(".{}('m') {comparison} 5", random.pick(&["min", "max", "avg"])),
        _ => format!(".{}().m {comparison} {}", random.pick(&["first", "last"]), random.pick(&LITERALS)),
    };
    term + &end
}
