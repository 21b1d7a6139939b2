//! Scenarios of tests: a small flow over customers whose mood may change at any time.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fanfare::domain::content::Content;
use fanfare::domain::customer::{Customer, EventNeeds};
use fanfare::domain::delivery::{RunKey, TargetId};
use fanfare::domain::flow::FlowStep;
use fanfare::domain::name::{CallId, ChannelName, NodeIndex, ScenarioName, VersionId};
use fanfare::domain::permit::Consent;
use fanfare::domain::selection::Selection;
use fanfare::domain::value::{Number, Value};
use fanfare::runtime::engine::live::{
    BoundScenario, ComposedMessage, Moment, Version, VersionError, VersionSource,
};
use fanfare::store::calls::AcceptedCall;
use fanfare::store::runs::{Matched, UnmatchedScenario};

/// The flow of every scenario: node 0 by `sms` for an even mood, else node 1 by `mail`; behind both node 2 by
/// `mail` for a mood that three divides. A mood that seven divides has no address.
pub struct Flow {
    selection: Selection,
    needs: EventNeeds,
    channels: Vec<ChannelName>,
    key: RunKey,
    two_steps: bool,
    /// How long a journey waits behind its first message, at node 3; behind that is node 4, by `mail`.
    wait: Option<Duration>,
    planted: Option<Planted>,
    let_go: Arc<AtomicBool>,
    /// Whether its messages need the consent `sms`, which is given unless it was withdrawn.
    asks_consent: bool,
}

const WAIT: u16 = 3;
const BEHIND_WAIT: u16 = 4;

/// What writing for customer `c2` does.
#[derive(Clone, Copy)]
enum Planted {
    /// It ends the process.
    Ends,
    /// It does not come to an end before it is let go.
    StandsStill,
}

impl Planted {
    fn happens(self, let_go: &AtomicBool) {
        match self {
            Planted::Ends => std::process::abort(),
            Planted::StandsStill => {
                while !let_go.load(Ordering::Acquire) {
                    std::thread::sleep(Duration::from_millis(5));
                }
            }
        }
    }
}

fn mood(customer: &Customer) -> i64 {
    match customer.attributes.get("mood") {
        Some(Value::Number(Number::Integer(mood))) => *mood,
        _ => 1,
    }
}

impl BoundScenario for Flow {
    fn selection(&self) -> &Selection {
        &self.selection
    }

    fn selection_is_exact(&self) -> bool {
        false
    }

    fn audience_needs(&self) -> &EventNeeds {
        &self.needs
    }

    fn flow_needs(&self) -> &EventNeeds {
        &self.needs
    }

    fn selects(&self, customer: &Customer) -> bool {
        mood(customer) >= 0
    }

    fn channels(&self) -> &[ChannelName] {
        &self.channels
    }

    fn next_stop(&self, customer: &Customer, from: NodeIndex, moment: Moment) -> FlowStep {
        let mood = mood(customer);
        let message = |node| FlowStep::Message { node: NodeIndex(node) };
        match from.0 {
            0 | 1 if mood % 13 == 12 => FlowStep::End,
            0 if mood % 2 == 0 => message(0),
            0 | 1 => message(1),
            2 if mood % 3 == 0 => message(2),
            WAIT if self.wait.is_some_and(|_| mood % 5 != 4) => FlowStep::Wait {
                node: NodeIndex(WAIT),
                until: moment.decided_at + self.wait.unwrap_or_default(),
            },
            BEHIND_WAIT if mood % 3 != 2 => message(BEHIND_WAIT),
            _ => FlowStep::End,
        }
    }

    fn waits(&self) -> bool {
        self.wait.is_some()
    }

    fn after(&self, node: NodeIndex) -> Option<NodeIndex> {
        match node.0 {
            0 | 1 if self.wait.is_some() => Some(NodeIndex(WAIT)),
            0 | 1 if self.two_steps => Some(NodeIndex(2)),
            WAIT => Some(NodeIndex(BEHIND_WAIT)),
            _ => None,
        }
    }

    fn channel(&self, node: NodeIndex) -> Option<&ChannelName> {
        self.channels.get(usize::from(node.0 > 0))
    }

    fn consent_category(&self, _node: NodeIndex) -> Option<&str> {
        self.asks_consent.then_some("sms")
    }

    fn consent(&self, _node: NodeIndex, customer: &Customer) -> Option<Consent<'_>> {
        let recorded = customer.consents.get("sms").copied();
        self.asks_consent.then_some(Consent { category: "sms", recorded, default: true })
    }

    fn compose(
        &self,
        customer: &Arc<Customer>,
        node: NodeIndex,
        _now: jiff::Timestamp,
    ) -> Result<ComposedMessage, String> {
        if mood(customer) % 7 == 0 {
            return Err("no address".into());
        }
        let name = customer.registered();
        if let Some(planted) = self.planted.filter(|_| name == "c2") {
            planted.happens(&self.let_go);
        }
        let key = self.key.delivery(&format!("node-{}", node.0), name, TargetId::ONLY);
        let body = format!("Hello {name} {}", mood(customer) / 100);
        Ok(ComposedMessage { key, address: format!("@{name}"), content: Content::Sms { body } })
    }
}

/// Knows `narrow` with one message a journey, `consented` with one that needs a consent, `wide` with two, `waits` and `waits-long` with one, a wait and another, and `ends` and `still`, which are narrow but for one
/// customer.
#[derive(Default)]
pub struct Books {
    pub stopped: Mutex<HashSet<String>>,
    /// Whether what stands still may go on.
    pub let_go: Arc<AtomicBool>,
}

#[async_trait::async_trait]
impl VersionSource for Books {
    async fn get(&self, _version: &VersionId) -> Result<Arc<dyn Version>, VersionError> {
        Ok(Arc::new(Book(Arc::clone(&self.let_go))))
    }

    fn in_force(&self) -> VersionId {
        // A new one whenever something else is stopped.
        VersionId::new(format!("stopped {}", self.stopped.lock().unwrap().len()))
    }

    fn may_stop(&self, _scenario: &ScenarioName) -> bool {
        true
    }

    fn stops(&self, _version: &VersionId, scenario: &ScenarioName) -> bool {
        self.stopped.lock().unwrap().contains(scenario.as_str())
    }
}

struct Book(Arc<AtomicBool>);

impl Version for Book {
    fn match_call(&self, call: &AcceptedCall) -> Matched {
        let fired = call.trigger.as_str().split('+').map(ScenarioName::new).collect();
        Matched {
            fired,
            not_fired: vec![UnmatchedScenario {
                scenario: ScenarioName::new("other"),
                reason: "params.alert is `heat`".into(),
                more: 0,
            }],
        }
    }

    fn bind(&self, call: &AcceptedCall, scenario: &ScenarioName) -> Option<Arc<dyn BoundScenario>> {
        Some(Arc::new(Flow {
            selection: Selection::Everyone,
            needs: EventNeeds::default(),
            channels: vec![ChannelName::new("sms"), ChannelName::new("mail")],
            key: RunKey::new("test", &CallId::new(call.id.as_str()), scenario),
            two_steps: scenario.as_str() == "wide",
            asks_consent: scenario.as_str() == "consented",
            wait: match scenario.as_str() {
                "waits" => Some(Duration::from_millis(300)),
                "waits-long" => Some(Duration::from_secs(3600)),
                _ => None,
            },
            planted: match scenario.as_str() {
                "ends" => Some(Planted::Ends),
                "still" => Some(Planted::StandsStill),
                _ => None,
            },
            let_go: Arc::clone(&self.0),
        }))
    }

    fn sends_by(&self, _scenario: &ScenarioName, channel: &ChannelName) -> bool {
        ["sms", "mail"].contains(&channel.as_str())
    }
}
