//! Real manifests, real channels, a real sandbox: only the process boundary is missing.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use fanfare::channels::connect::{SecretSource, connect};
use fanfare::channels::egress::{Egress, HostMap};
use fanfare::channels::wire::{Network, Tls};
use fanfare::compile::{Snapshot, Sources, compile};
use fanfare::domain::name::{CallId, TriggerName};
use fanfare::domain::secret::Secret;
use fanfare::domain::value::Value;
use fanfare::runtime::engine::dispatch::{ChannelHandle, ChannelHandles};
use fanfare::runtime::engine::versions::VersionCache;
use fanfare::runtime::engine::{Engine, RunningEngine};
use fanfare::sandbox::{Rule, RunningSandbox as SandboxRunning, Sandbox, SandboxSettings};
use fanfare::store::calls::{NewCall, NewRequest};
use fanfare::store::customers::CustomerWrite;
use fanfare::store::run_log::{DeliveryFilter, DeliveryRecord};
use jiff::Timestamp;
use serde_json::json;

use crate::harness::{Ledger, Place, Store};
use crate::world::deps;

pub struct Real {
    _place: Place,
    pub ledger: Ledger,
    pub customers: Arc<dyn Store>,
    pub sandbox: SandboxRunning,
    pub snapshot: Arc<Snapshot>,
    pub engine: RunningEngine,
}

struct AnySecret;

impl SecretSource for AnySecret {
    fn secret(&self, _name: &str, _key: &str) -> Result<Secret, String> {
        Ok(Secret::new("whsec_c2VjcmV0"))
    }
}

impl Real {
    /// An engine on these sources; channels name their provider's host `sandbox`.
    pub async fn start(place: Place, sources: serde_json::Value, faults: Vec<Rule>) -> Real {
        Real::start_with(place, sources, SandboxSettings { faults, ..SandboxSettings::default() }).await
    }

    pub async fn start_with(place: Place, mut sources: serde_json::Value, settings: SandboxSettings) -> Real {
        let sandbox = Sandbox::start(settings).await.unwrap();
        sources["namespace"] = "default".into();
        let sources: Sources = serde_json::from_value(sources).unwrap();
        let compiled = compile(&sources);
        assert!(compiled.problems.is_empty(), "{:?}", compiled.problems);
        let snapshot = Arc::new(compiled.snapshot);
        let (ledger, customers) = place.open_both().await;
        ledger.calls.put_version(&snapshot.version, sources.content(), Timestamp::now()).await.unwrap();
        let in_force = Arc::clone(&snapshot);
        let versions =
            Arc::new(VersionCache::new("default", Arc::clone(&ledger.calls), move || in_force.clone()));
        let engine = Engine::start(deps(&ledger, &customers, versions, handles(&snapshot, &sandbox)));
        Real { _place: place, ledger, customers, sandbox, snapshot, engine }
    }

    pub async fn customer(&self, registered: &str, attributes: serde_json::Value) {
        let serde_json::Value::Object(attributes) = attributes else { panic!("attributes are an object") };
        let attributes =
            attributes.iter().map(|(name, json)| (name.clone(), Value::from_json(json).unwrap())).collect();
        let consents = BTreeMap::from([("sms".to_owned(), Some(true))]);
        let line =
            CustomerWrite { registered: registered.into(), attributes, consents, ..CustomerWrite::default() };
        self.customers.upsert_customers(vec![line]).await.unwrap()[0].as_ref().unwrap();
    }

    pub async fn call(&self, trigger: &str, params: serde_json::Value) -> CallId {
        let id = CallId::new(uuid::Uuid::now_v7().to_string());
        let call =
            NewCall { id: id.clone(), expires_at: None, params: params.to_string(), deduplication: None };
        let request = NewRequest {
            trigger: TriggerName::new(trigger),
            credential: "test".into(),
            received_at: Timestamp::now(),
            version: self.snapshot.version.clone(),
            body_digest: [0; 32],
            request: None,
            idempotency: None,
            calls: vec![call],
            gate: None,
            rate: None,
            trace: None,
        };
        self.ledger.calls.accept(request).await.unwrap();
        id
    }

    /// The call's deliveries once it is at its end.
    pub async fn ended(&self, call: &CallId) -> Vec<DeliveryRecord> {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let record = self.ledger.calls.get(call).await.unwrap().unwrap();
            let filter = DeliveryFilter { limit: 100, ..DeliveryFilter::default() };
            let deliveries = self.ledger.log.deliveries_of_call(call, filter).await.unwrap();
            if record.finished_at.is_some() {
                return deliveries;
            }
            assert!(Instant::now() < deadline, "{call} is not at its end: {deliveries:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

fn handles(snapshot: &Snapshot, sandbox: &SandboxRunning) -> ChannelHandles {
    let (smtp, http) = (sandbox.smtp_addr.port(), sandbox.http_addr.port());
    let hosts = HostMap::parse([
        format!("sandbox:25=127.0.0.1:{smtp}").as_str(),
        format!("sandbox=127.0.0.1:{http}").as_str(),
    ]);
    let network = Network { egress: Arc::new(Egress::for_dev(hosts.unwrap())), tls: Tls::default() };
    let connected = snapshot.channels.iter().map(|(name, channel)| {
        let connection = connect(channel, &AnySecret, &network).unwrap();
        (name.clone(), Arc::new(ChannelHandle::new(channel, connection)))
    });
    let handles: HashMap<_, _> = connected.collect();
    ChannelHandles::new(arc_swap::ArcSwap::from_pointee(handles))
}

/// One trigger, one scenario for everyone with a phone, and a webhook beside a Twilio account.
pub fn storm() -> serde_json::Value {
    let token = json!({"secretKeyRef": {"name": "s", "key": "k"}});
    json!({
        "triggers": {"alert": {"parameters": [{"name": "kind", "type": "string"}]}},
        "channels": {
            "sms": {
                "twilio": {"accountSid": format!("AC{}", "0".repeat(32)), "from": "+431", "authToken": token,
                           "baseUrl": "http://sandbox"},
                "timeout": "2s"
            },
            "hook": {"webhook": {"url": "http://sandbox/hooks/crm", "signingSecret": token}, "timeout": "2s"}
        },
        "scenarios": {
            "storm": {
                "triggers": [{"triggerRef": {"name": "alert"}, "where": "params.kind == \"storm\""}],
                "audience": {"where": "customer.phone is defined"},
                "nodes": [
                    {"name": "by-sms", "message": {"channelRef": {"name": "sms"}, "consent": "sms",
                        "sms": {"body": "{{ customer.name }}, stay at home"}}},
                    {"name": "tell-crm", "message": {"channelRef": {"name": "hook"}, "consent": "None",
                        "webhook": {"body": "{\"who\": {{ customer.name | tojson }}}"}}}
                ]
            }
        }
    })
}
