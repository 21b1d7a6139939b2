//! Faults: which message is answered otherwise than well, and how.
//!
//! Invariant: decides and does no I/O; the desk keeps or refuses, the protocols answer.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Protocol;

/// How a message that meets a rule is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FaultAnswer {
    /// Well; with a delay this is the provider that answers late.
    Ok,
    /// 429 with `Retry-After`, SMTP 451.
    Throttle,
    /// 500, SMTP 554.
    Fail,
    /// Never, with the connection left open.
    Hang,
    /// The connection is closed in order, without an answer.
    Close,
    /// The connection is reset after the whole message was read.
    Reset,
}

/// The step of an SMTP dialogue at which a fault answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FaultStep {
    /// The banner.
    Connect,
    /// EHLO and HELO.
    Ehlo,
    /// AUTH.
    Auth,
    /// MAIL FROM.
    Mail,
    /// RCPT TO.
    Rcpt,
    /// DATA.
    Data,
    /// The end of the mail, whole requests of other protocols.
    #[default]
    End,
}

impl FaultStep {
    const ALL: [(FaultStep, &'static str); 7] = [
        (FaultStep::Connect, "connect"),
        (FaultStep::Ehlo, "ehlo"),
        (FaultStep::Auth, "auth"),
        (FaultStep::Mail, "mail"),
        (FaultStep::Rcpt, "rcpt"),
        (FaultStep::Data, "data"),
        (FaultStep::End, "end"),
    ];

    fn is_end(&self) -> bool {
        *self == FaultStep::End
    }
}

impl std::str::FromStr for FaultStep {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = FaultStep::ALL.into_iter().find(|(_, word)| *word == text);
        found.map(|(step, _)| step).ok_or_else(|| format!("`{text}` is no step"))
    }
}

/// One fault. It applies to a message that meets all its conditions; the first rule that applies decides.
///
/// On a command line `<protocol>:<answer>[,keep][,delay-ms=N][,status=N][,retry-after=N][,to=A]`
/// `[,probability=P][,every=N][,count=N][,step=S][,code=N][,text=WORDS]`, as in `smtp:fail,keep,every=10`. What stands
/// behind `text=` goes to the end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rule {
    /// The protocol it is about.
    pub protocol: Protocol,
    /// How such a message is answered.
    pub answer: FaultAnswer,
    /// Whether the message counts as taken although it is not answered well. `ok` always takes it.
    #[serde(default)]
    pub keep: bool,
    /// Milliseconds between keeping the message and answering it.
    #[serde(default)]
    pub delay_ms: u64,
    /// The status or reply code of `throttle` and `fail`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The step of an SMTP dialogue at which it answers, with `throttle`, `fail` or `close`; the mail's end if not given.
    #[serde(default, skip_serializing_if = "FaultStep::is_end")]
    pub step: FaultStep,
    /// The words of `throttle` and `fail`: an SMTP reply's, a Twilio error's message, the body of a webhook's answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The code of a Twilio error, such as 21610.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<u32>,
    /// Seconds in the `Retry-After` of `throttle`; 1 if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u32>,
    /// Only messages to this recipient (for webhooks: to the hook of this name).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Only this share of the messages, from 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probability: Option<f64>,
    /// Only every nth message that meets the conditions above: 3 is the third, the sixth, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<u32>,
    /// At most so many messages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
}

/// Why a rule is not understood.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "fault `{rule}`: {problem}; expected <protocol>:<answer>[,<condition>…] such as `smtp:fail,keep,every=10`"
)]
pub struct RuleError {
    rule: String,
    problem: String,
}

impl Rule {
    /// A rule without conditions.
    pub fn always(protocol: Protocol, answer: FaultAnswer) -> Self {
        Self {
            protocol,
            answer,
            keep: false,
            delay_ms: 0,
            status: None,
            step: FaultStep::End,
            text: None,
            code: None,
            retry_after: None,
            to: None,
            probability: None,
            every: None,
            count: None,
        }
    }

    /// The code it answers with, for `throttle` and `fail`.
    pub(super) fn status(&self) -> u16 {
        self.status.unwrap_or(match (self.protocol, self.answer) {
            (Protocol::Smtp, FaultAnswer::Throttle) => 451,
            (Protocol::Smtp, _) => 554,
            (_, FaultAnswer::Throttle) => 429,
            (_, _) => 500,
        })
    }

    /// The pause before the answer.
    pub(super) fn delay(&self) -> Duration {
        Duration::from_millis(self.delay_ms)
    }

    /// What is wrong with its numbers, if anything.
    pub(super) fn problem(&self) -> Option<String> {
        let codes = if self.protocol == Protocol::Smtp { 400..=599 } else { 200..=599 };
        if let Some(status) = self.status.filter(|status| !codes.contains(status)) {
            return Some(format!("status {status} is not one of {} to {}", codes.start(), codes.end()));
        }
        if !self.step.is_end() && self.protocol != Protocol::Smtp {
            return Some("only SMTP has steps".to_owned());
        }
        if !self.step.is_end()
            && !matches!(self.answer, FaultAnswer::Throttle | FaultAnswer::Fail | FaultAnswer::Close)
        {
            return Some("at a step only throttle, fail and close answer".to_owned());
        }
        if self.text.as_ref().is_some_and(|text| text.contains(['\r', '\n'])) {
            return Some("text is one line".to_owned());
        }
        if self.probability.is_some_and(|share| !(0.0..=1.0).contains(&share)) {
            return Some("probability is not between 0 and 1".to_owned());
        }
        (self.every == Some(0)).then(|| "every is at least 1".to_owned())
    }

    fn set(&mut self, condition: &str) -> Result<(), String> {
        let (key, value) = condition.split_once('=').unwrap_or((condition, ""));
        match key {
            "keep" if value.is_empty() => self.keep = true,
            "delay-ms" => self.delay_ms = number(value)?,
            "status" => self.status = Some(number(value)?),
            "retry-after" => self.retry_after = Some(number(value)?),
            "to" => self.to = Some(value.to_owned()),
            "probability" => self.probability = Some(number(value)?),
            "every" => self.every = Some(number(value)?),
            "count" => self.count = Some(number(value)?),
            "step" => self.step = value.parse()?,
            "code" => self.code = Some(number(value)?),
            _ => return Err(format!("`{condition}` is not known")),
        }
        Ok(())
    }

    fn parse(text: &str) -> Result<Self, String> {
        let (protocol, rest) = text.split_once(':').ok_or("there is no `:`")?;
        let (rest, words) = match rest.split_once(",text=") {
            Some((rest, words)) => (rest, Some(words.to_owned())),
            None => (rest, None),
        };
        let mut parts = rest.split(',');
        let answer = match parts.next().unwrap_or_default() {
            "ok" => FaultAnswer::Ok,
            "throttle" => FaultAnswer::Throttle,
            "fail" => FaultAnswer::Fail,
            "hang" => FaultAnswer::Hang,
            "close" => FaultAnswer::Close,
            "reset" => FaultAnswer::Reset,
            other => return Err(format!("`{other}` is no answer")),
        };
        let mut rule = Self::always(protocol.parse()?, answer);
        for condition in parts {
            rule.set(condition)?;
        }
        rule.text = words;
        rule.problem().map_or(Ok(rule), Err)
    }
}

impl std::str::FromStr for Rule {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text).map_err(|problem| RuleError { rule: text.to_owned(), problem })
    }
}

fn number<T: std::str::FromStr>(value: &str) -> Result<T, String> {
    value.parse().map_err(|_| format!("`{value}` is not a number it can take"))
}

/// The rules in force, with what each has seen so far.
#[derive(Debug)]
pub(super) struct Faults {
    rules: Vec<(Rule, Seen)>,
    random: u64,
}

#[derive(Debug, Default, Clone, Copy)]
struct Seen {
    met: u32,
    applied: u32,
}

impl Faults {
    pub(super) fn new(rules: Vec<Rule>, seed: u64) -> Self {
        Self { rules: rules.into_iter().map(|rule| (rule, Seen::default())).collect(), random: seed }
    }

    /// Puts other rules in force; what the previous ones counted is forgotten.
    pub(super) fn replace(&mut self, rules: Vec<Rule>) {
        self.rules = rules.into_iter().map(|rule| (rule, Seen::default())).collect();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// The rules in force, each with the number of messages it applied to.
    pub(super) fn list(&self) -> impl Iterator<Item = (&Rule, u32)> {
        self.rules.iter().map(|(rule, seen)| (rule, seen.applied))
    }

    /// The rule that decides about a message to these recipients at this step, if one applies.
    pub(super) fn decide(&mut self, protocol: Protocol, step: FaultStep, to: &[String]) -> Option<Rule> {
        let Self { rules, random } = self;
        rules.iter_mut().find_map(|(rule, seen)| {
            (rule.protocol == protocol && rule.step == step && applies(rule, seen, random, to))
                .then(|| rule.clone())
        })
    }
}

fn applies(rule: &Rule, seen: &mut Seen, random: &mut u64, to: &[String]) -> bool {
    let meant = rule.to.as_ref().is_none_or(|wanted| to.contains(wanted))
        && rule.count.is_none_or(|count| seen.applied < count)
        && rule.probability.is_none_or(|share| next_share(random) < share);
    if !meant {
        return false;
    }
    seen.met = seen.met.saturating_add(1);
    let applies = rule.every.is_none_or(|every| seen.met.is_multiple_of(every));
    seen.applied = seen.applied.saturating_add(u32::from(applies));
    applies
}

/// The next number in [0, 1) of SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number
/// generators"): small, and the same everywhere for the same seed.
fn next_share(state: &mut u64) -> f64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(rule: &str, messages: usize) -> usize {
        let mut faults = Faults::new(vec![rule.parse().unwrap()], 7);
        let to = ["a@b.c".to_owned()];
        (0..messages).filter(|_| faults.decide(Protocol::Smtp, FaultStep::End, &to).is_some()).count()
    }

    #[test]
    fn conditions_narrow_a_rule() {
        assert_eq!(applied("smtp:fail", 10), 10);
        assert_eq!(applied("twilio:fail", 10), 0);
        assert_eq!(applied("smtp:fail,count=3", 10), 3);
        assert_eq!(applied("smtp:fail,every=3", 10), 3);
        assert_eq!(applied("smtp:fail,every=3,count=2", 10), 2);
        assert_eq!(applied("smtp:fail,to=a@b.c", 10), 10);
        assert_eq!(applied("smtp:fail,to=x@b.c", 10), 0);
        let half = applied("smtp:fail,probability=0.5", 10_000);
        assert!((4_800..5_200).contains(&half), "{half}");
        assert_eq!(half, applied("smtp:fail,probability=0.5", 10_000), "the same seed decides the same");
    }

    #[test]
    fn the_first_rule_that_applies_decides() {
        let rules = ["smtp:hang,count=1", "smtp:fail,keep,status=550"].map(|rule| rule.parse().unwrap());
        let mut faults = Faults::new(rules.to_vec(), 0);
        assert_eq!(faults.decide(Protocol::Smtp, FaultStep::End, &[]).unwrap().answer, FaultAnswer::Hang);
        assert!(faults.decide(Protocol::Smtp, FaultStep::Rcpt, &[]).is_none());
        let second = faults.decide(Protocol::Smtp, FaultStep::End, &[]).unwrap();
        assert_eq!((second.answer, second.keep, second.status()), (FaultAnswer::Fail, true, 550));
        assert_eq!(faults.list().map(|(_, applied)| applied).collect::<Vec<_>>(), [1, 1]);
    }

    #[test]
    fn a_rule_may_answer_at_a_step_with_words() {
        let rule: Rule = "smtp:fail,status=550,step=rcpt,text=5.7.1 no, not today".parse().unwrap();
        assert_eq!((rule.step, rule.text.as_deref()), (FaultStep::Rcpt, Some("5.7.1 no, not today")));
        let rule: Rule = "twilio:fail,status=400,code=21610".parse().unwrap();
        assert_eq!((rule.step, rule.code), (FaultStep::End, Some(21610)));
    }

    #[test]
    fn a_rule_that_is_not_understood_says_why() {
        for (rule, problem) in [
            ("smtp", "there is no `:`"),
            ("fax:fail", "`fax` is no protocol"),
            ("smtp:explode", "`explode` is no answer"),
            ("smtp:fail,sometimes", "`sometimes` is not known"),
            ("smtp:fail,step=noon", "`noon` is no step"),
            ("webhook:fail,step=rcpt", "only SMTP has steps"),
            ("smtp:hang,step=rcpt", "at a step only throttle, fail and close answer"),
            ("smtp:fail,every=0", "every is at least 1"),
            ("smtp:fail,status=200", "status 200 is not one of 400 to 599"),
            ("webhook:fail,probability=2", "probability is not between 0 and 1"),
            ("webhook:fail,count=many", "`many` is not a number it can take"),
        ] {
            let error = rule.parse::<Rule>().unwrap_err().to_string();
            assert!(error.contains(problem), "{error}");
        }
    }
}
