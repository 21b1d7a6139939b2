//! One object that is mutated, judged and put back again and again.

use std::time::{Duration, Instant};

use kube::api::{DynamicObject, PostParams};
use kube::core::Status;
use kube::{Api, Client};
use serde_json::{Value, json};

use super::effect::{Seen, compiled, made, objects, status};
use super::mutations::Mutation;
use crate::coherence;

const API: &str = "fanfare.dev/v1alpha1";
const LOOK_EVERY: Duration = Duration::from_millis(40);
const SOON: Duration = Duration::from_secs(60);

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Complaint {
    /// Neither refused, nor said to be wrong, nor coherent.
    Judged(String),
    /// It is not as it was before.
    NotRecovered(String),
}

/// What became of a mutation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// The API server did not take it.
    Rejected,
    /// The API server made of it what was there before.
    Same,
    /// The object says why it is not ready.
    Stalled,
    /// It can be seen.
    Effective,
    /// Nothing came of it, and nothing said so.
    Ignored,
}

pub struct Lane {
    pub kind: &'static str,
    client: Client,
    namespace: String,
    name: String,
    base: Value,
    seen: Seen,
}

impl Lane {
    /// Makes the object and waits until it is as it will be.
    pub async fn new(client: Client, kind: &'static str, namespace: &str, name: &str, base: &Value) -> Self {
        let (namespace, name) = (namespace.to_owned(), name.to_owned());
        let nothing =
            Seen { status: Value::Null, made: Vec::new(), compiled: String::new(), digest: String::new() };
        let mut lane = Lane { kind, client, namespace, name, base: base.clone(), seen: nothing };
        create(&lane.client, kind, &lane.namespace, &lane.name, base).await;
        if base["storage"]["sqlite"].is_object() {
            lane.until_claimed().await;
        }
        // What the API server fills in is part of it.
        let object = lane.settled().await;
        lane.base = object["spec"].clone();
        lane.seen = lane.look(&object).await;
        lane
    }

    fn api(&self) -> Api<DynamicObject> {
        objects(&self.client, API, self.kind, &self.namespace)
    }

    async fn get(&self) -> Value {
        serde_json::to_value(self.api().get(&self.name).await.unwrap()).unwrap()
    }

    async fn until_claimed(&self) {
        let claims = objects(&self.client, "v1", "PersistentVolumeClaim", &self.namespace);
        let (name, begun) = (format!("data-{}-runtime-0", self.name), Instant::now());
        while claims.get_opt(&name).await.unwrap().is_none() {
            assert!(begun.elapsed() < SOON, "no claim {name}");
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Does a mutation, judges it, and puts back what was there.
    pub async fn judge(&self, mutation: &Mutation) -> Result<Outcome, Complaint> {
        let outcome = match self.write(&mutation.spec).await {
            Err(refused) if (400..500).contains(&refused.code) => return Ok(Outcome::Rejected),
            Err(failed) => return Err(Complaint::Judged(format!("the API server failed: {failed}"))),
            Ok(written) if written["spec"] == self.base => return Ok(Outcome::Same),
            Ok(_) => self.outcome().await.map_err(Complaint::Judged)?,
        };
        let put_back = self.write(&self.base).await;
        put_back.map_err(|refused| Complaint::NotRecovered(format!("it cannot be put back: {refused}")))?;
        self.recovered().await.map(|()| outcome).map_err(Complaint::NotRecovered)
    }

    async fn outcome(&self) -> Result<Outcome, String> {
        let object = self.settled().await;
        let complaints = coherence::complaints(&object);
        if !complaints.is_empty() {
            return Err(format!("{complaints:?}: {:#}", object["status"]));
        }
        let seen = self.look(&object).await;
        if is_worse(&seen.status, &self.seen.status) {
            return Ok(Outcome::Stalled);
        }
        let is_effective = match self.kind {
            "Runtime" => seen != Seen { digest: seen.digest.clone(), ..self.seen.clone() },
            _ => {
                seen.digest != self.seen.digest
                    && (&seen.compiled, &seen.status) != (&self.seen.compiled, &self.seen.status)
            }
        };
        Ok(if is_effective { Outcome::Effective } else { Outcome::Ignored })
    }

    async fn recovered(&self) -> Result<(), String> {
        let begun = Instant::now();
        loop {
            let seen = self.look(&self.settled().await).await;
            if seen == self.seen {
                return Ok(());
            }
            if begun.elapsed() > SOON {
                return Err(format!(
                    "it does not recover: {:#} instead of {:#}",
                    json!([seen.status, seen.made]),
                    json!([self.seen.status, self.seen.made])
                ));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn look(&self, object: &Value) -> Seen {
        let (digest, compiled) = compiled(self.kind, &object["spec"]);
        let made = if self.kind == "Runtime" {
            made(&self.client, &self.namespace, &self.name).await
        } else {
            Vec::new()
        };
        Seen { status: status(object), made, compiled, digest }
    }

    /// Waits until the operator has seen the object as it is.
    async fn settled(&self) -> Value {
        let begun = Instant::now();
        loop {
            let object = self.get().await;
            if object["status"]["observedGeneration"] == object["metadata"]["generation"] {
                return object;
            }
            assert!(begun.elapsed() < SOON, "nobody looks at {} {}: {object:#}", self.kind, self.name);
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Replaces the spec, whatever else was written in between.
    async fn write(&self, spec: &Value) -> Result<Value, Box<Status>> {
        loop {
            let mut object = self.api().get(&self.name).await.unwrap();
            object.data["spec"] = spec.clone();
            match self.api().replace(&self.name, &PostParams::default(), &object).await {
                Ok(written) => return Ok(serde_json::to_value(written).unwrap()),
                Err(kube::Error::Api(status)) if status.code == 409 => {}
                Err(kube::Error::Api(status)) => return Err(status),
                Err(error) => panic!("{error}"),
            }
        }
    }
}

/// Whether an object says that it is not ready for a reason it did not have.
fn is_worse(now: &Value, before: &Value) -> bool {
    let ready = |status: &Value| {
        let conditions = status["conditions"].as_array().cloned().unwrap_or_default();
        conditions.into_iter().find(|it| it["type"] == "Ready").unwrap_or_default()
    };
    let (now, before) = (ready(now), ready(before));
    now["status"] != "True" && now["reason"] != before["reason"]
}

/// Makes an object of one of our kinds.
pub async fn create(client: &Client, kind: &str, namespace: &str, name: &str, spec: &Value) {
    let object = json!({"apiVersion": API, "kind": kind, "metadata": {"name": name}, "spec": spec});
    let object: DynamicObject = serde_json::from_value(object).unwrap();
    let made = objects(client, API, kind, namespace).create(&PostParams::default(), &object).await;
    made.unwrap_or_else(|error| panic!("{kind} {name}: {error}"));
}
