//! A compiled scenario bound to one call.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::compile::{CompiledAudience, Scenario};
use crate::domain::customer::{Customer, EventNeeds};
use crate::domain::delivery::{RunKey, TargetId};
use crate::domain::expression::{CallFacts, Facts};
use crate::domain::flow::{self, FlowStep, NextNode};
use crate::domain::name::{ChannelName, NodeIndex};
use crate::domain::permit::Consent;
use crate::domain::render::Subject;
use crate::domain::selection::Selection;
use crate::runtime::engine::cpu_time;
use crate::runtime::engine::live::{BoundScenario, ComposedMessage, Moment};

/// How long a core may write one message. What people write takes a thousandth of it.
const TIME_MAX: Duration = Duration::from_millis(100);

/// One scenario for one call; what depends on the call alone is settled once.
pub(super) struct CallScenario {
    scenario: Arc<Scenario>,
    call: Arc<CallFacts>,
    selection: Selection,
    exact: bool,
    audience_needs: EventNeeds,
    flow_needs: EventNeeds,
    channels: Vec<ChannelName>,
    key: RunKey,
}

impl CallScenario {
    pub(super) fn new(scenario: Arc<Scenario>, call: CallFacts, tenant: &str) -> Self {
        let facts = Facts::of_call(&call, call.received_at);
        let (selection, exact) = match &scenario.audience {
            CompiledAudience::Everyone => (Selection::Everyone, true),
            CompiledAudience::Where(condition) => {
                let narrowed = condition.narrow(facts);
                (narrowed.selection, narrowed.exact)
            }
        };
        CallScenario {
            selection,
            exact,
            audience_needs: scenario.audience_events.settle(facts),
            flow_needs: scenario.flow_events.settle(facts),
            channels: scenario.flow.channels(),
            key: RunKey::new(tenant, &call.id, &scenario.name),
            call: Arc::new(call),
            scenario,
        }
    }

    fn facts<'a>(&'a self, customer: &'a Customer, now: Timestamp) -> Facts<'a> {
        Facts::of_call(&self.call, now).with_customer(customer)
    }
}

impl BoundScenario for CallScenario {
    fn selection(&self) -> &Selection {
        &self.selection
    }

    fn selection_is_exact(&self) -> bool {
        self.exact
    }

    fn audience_needs(&self) -> &EventNeeds {
        &self.audience_needs
    }

    fn flow_needs(&self) -> &EventNeeds {
        &self.flow_needs
    }

    fn selects(&self, customer: &Customer) -> bool {
        match &self.scenario.audience {
            CompiledAudience::Everyone => true,
            CompiledAudience::Where(condition) => {
                condition.decide(self.facts(customer, self.call.received_at)).is_true()
            }
        }
    }

    fn channels(&self) -> &[ChannelName] {
        &self.channels
    }

    fn next_stop(&self, customer: &Customer, from: NodeIndex, moment: Moment) -> FlowStep {
        let facts = self.facts(customer, moment.now);
        flow::walk(&self.scenario.flow, NextNode::Node(from), facts, moment.decided_at).step
    }

    fn waits(&self) -> bool {
        self.scenario.flow.waits()
    }

    fn after(&self, node: NodeIndex) -> Option<NodeIndex> {
        match self.scenario.flow.after(node) {
            NextNode::Node(next) => Some(next),
            NextNode::End => None,
        }
    }

    fn channel(&self, node: NodeIndex) -> Option<&ChannelName> {
        self.scenario.flow.message(node).map(|message| &message.channel)
    }

    fn consent_category(&self, node: NodeIndex) -> Option<&str> {
        self.scenario.flow.message(node)?.consent.as_deref()
    }

    fn consent(&self, node: NodeIndex, customer: &Customer) -> Option<Consent<'_>> {
        self.scenario.flow.message(node)?.consent_of(customer, &self.call.consent_defaults)
    }

    fn compose(
        &self,
        customer: &Arc<Customer>,
        node: NodeIndex,
        now: Timestamp,
    ) -> Result<ComposedMessage, String> {
        let flow = &self.scenario.flow;
        let (Some(message), Some(name)) =
            (flow.message(node), flow.nodes.get(usize::from(node.0)).map(|node| &node.name))
        else {
            return Err("there is no such message".into());
        };
        let subject = Subject {
            call: Arc::clone(&self.call),
            customer: Arc::clone(customer),
            now,
            time: cpu_time::budget(TIME_MAX),
        };
        match flow::compose(message, &subject) {
            flow::Composed::Ready { address, text } => Ok(ComposedMessage {
                key: self.key.delivery(name, customer.registered(), TargetId::ONLY),
                address,
                content: text,
            }),
            flow::Composed::Skipped(reason) => Err(reason),
        }
    }
}
