//! ApiTrigger: credentials for its callers, and an address, an example and a command for people.

use std::time::Duration;

use jiff::Timestamp;
use kube::{Resource as _, ResourceExt as _};
use serde_json::json;

use super::apply;
use super::caches::name_of;
use super::conditions::{Finding, Ground};
use super::context::Context;
use super::controller::{Reconcile, again};
use super::credentials::{Form, Kept, Owner, keep};
use super::error::ReconcileError;
use super::kind::Kind;
use super::programmed::{Serving, Wanted, in_force, tell_in_force};
use super::status;
use super::user_secret::{self, RESOLVED_REFS, UserSecret};
use super::verdict::judge;
use crate::api::labels::{ROTATE_ANNOTATION, TRIGGER_LABEL, trigger_secret_name};
use crate::api::status::Time;
use crate::api::{ApiTrigger, ApiTriggerStatus, LocalRef};
use crate::compile::references::{SecretUse, trigger_secret};
use crate::compile::{ObjectKind, curl, spec_digest};
use crate::domain::name::TriggerName;
use crate::domain::replica_report::ReplicaReport;

/// The trigger's own credentials, as they stand.
struct Credentials {
    finding: Finding,
    secret: Option<String>,
    revision: Option<String>,
    kept: Option<Kept>,
}

impl Credentials {
    /// What a replica must have read of them.
    fn wanted(&self, name: &str, trigger: &ApiTrigger) -> Vec<(String, SecretUse, String)> {
        let source = trigger_secret(name, &trigger.spec).zip(self.revision.clone());
        source.map(|((secret, use_), revision)| (secret, use_, revision)).into_iter().collect()
    }
}

impl Reconcile for ApiTrigger {
    const DEBOUNCE: Duration = Duration::from_millis(20);

    async fn reconcile(context: &Context, trigger: &Self) -> Result<Duration, ReconcileError> {
        let (namespace, name, now) =
            (trigger.namespace().unwrap_or_default(), name_of(trigger), Timestamp::now());
        let space = context.namespace(&namespace);
        let mut sources = space.sources();
        sources.triggers.insert(name.clone(), trigger.spec.clone());
        let verdict = judge(&sources, ObjectKind::ApiTrigger, &name, &trigger.spec);
        let serving = context.serving(&namespace);
        let url = context.url(&namespace).await?.map(|base| format!("{base}/in/{namespace}/{name}"));
        let credentials = credentials(context, trigger, url.as_deref(), &serving, now).await?;
        let wanted = Wanted {
            object: (ReplicaReport::object(Self::NAME, &name), spec_digest(&trigger.spec)),
            secrets: credentials.wanted(&name, trigger),
            ..Wanted::default()
        };
        let programmed = serving.programmed(&wanted);
        let example =
            verdict.snapshot.triggers.get(&TriggerName::new(name.as_str())).map(|it| it.example.clone());
        let observed = trigger.status.as_ref();
        let ground = Ground {
            observed: observed.map_or(&[], |status| &status.conditions),
            generation: trigger.metadata.generation.unwrap_or_default(),
            now,
            made: trigger.creation_timestamp().map(|time| time.0),
        };
        let (generation, before) =
            (trigger.metadata.generation, observed.and_then(|status| status.generation_in_force));
        let generation_in_force = in_force(&programmed, before, generation);
        let Credentials { finding, secret, revision, kept } = credentials;
        let is_resolved = finding.standing == super::conditions::Standing::Good;
        let mut findings = [verdict.finding(), finding, programmed];
        tell_in_force(&mut findings, generation_in_force, generation);
        let new = ApiTriggerStatus {
            observed_generation: generation,
            generation_in_force,
            conditions: ground.conditions(&findings, &[]),
            curl: url
                .as_ref()
                .zip(example.as_ref())
                .map(|(url, example)| curl(url, &user_of(&namespace, secret.as_deref()), example)),
            url,
            secret_ref: secret.map(|name| LocalRef { name }),
            secret_revision: revision,
            rotated_at: kept.as_ref().map(|kept| Time(kept.rotated_at)),
            previous_expires_at: kept.as_ref().and_then(|kept| kept.previous_expires_at).map(Time),
            example: example.map(|example| example.to_string()),
        };
        let conditions = (ground.observed, new.conditions.as_slice());
        status::write(context, trigger, observed, &new, conditions).await?;
        if let Some(kept) = &kept {
            kept.warn(context, trigger, ground.observed, &new.conditions).await;
        }
        let due = kept.and_then(|kept| kept.again_in).into_iter().chain(ground.due(&findings)).min();
        Ok(again(is_resolved, due))
    }
}

/// Makes sure of generated credentials, or looks at the user's.
async fn credentials(
    context: &Context,
    trigger: &ApiTrigger,
    url: Option<&str>,
    serving: &Serving,
    now: Timestamp,
) -> Result<Credentials, ReconcileError> {
    let (namespace, name) = (trigger.namespace().unwrap_or_default(), name_of(trigger));
    let reference = trigger.controller_owner_ref(&()).unwrap_or_default();
    let source = trigger_secret(&name, &trigger.spec);
    if !matches!(source, Some((_, SecretUse::Generated))) {
        let secret = json!({"apiVersion": "v1", "kind": "Secret",
            "metadata": {"namespace": namespace, "name": trigger_secret_name(&name)}});
        apply::remove(context, &reference, &secret).await?;
    }
    let Some((secret, use_)) = source else {
        let finding = Finding::good(RESOLVED_REFS, "it has no credentials of its own; ApiKeys may call it");
        return Ok(Credentials { finding, secret: None, revision: None, kept: None });
    };
    if use_ == SecretUse::Trigger {
        return of_user(context, &namespace, secret).await;
    }
    let owner = Owner {
        namespace: &namespace,
        secret: secret.clone(),
        type_: "kubernetes.io/basic-auth",
        label: (TRIGGER_LABEL, &name),
        reference,
        form: Form::Pair,
        schedule: schedule(trigger),
        requested: trigger.annotations().get(ROTATE_ANNOTATION).map(String::as_str),
        url,
        serving,
    };
    let kept = match keep(context, &owner, now).await {
        Ok(kept) => kept,
        Err(ReconcileError::NotOurs { .. }) => {
            return Ok(Credentials { finding: not_owned(&secret), secret: None, revision: None, kept: None });
        }
        Err(error) => return Err(error),
    };
    let finding = kept.finding(&secret, "the credentials are");
    Ok(Credentials { finding, secret: Some(secret), revision: Some(kept.revision.clone()), kept: Some(kept) })
}

async fn of_user(context: &Context, namespace: &str, secret: String) -> Result<Credentials, ReconcileError> {
    let keys = ["username", "password"];
    let (finding, revision) =
        match user_secret::look(context, namespace, &secret, &keys, SecretUse::Trigger).await? {
            UserSecret::Usable(it) => (
                Finding::good(RESOLVED_REFS, format!("the credentials are read from Secret {secret}")),
                Some(it.resource_version().unwrap_or_default()),
            ),
            UserSecret::Unusable(finding) => (finding, None),
        };
    Ok(Credentials { finding, secret: Some(secret), revision, kept: None })
}

/// The message about a Secret of a needed name that is not the operator's.
pub(super) fn not_owned(secret: &str) -> Finding {
    let message = format!(
        "there is a Secret {secret} that Fanfare did not make, and the generated credentials belong there; rename or \
         delete it"
    );
    Finding::retrying(RESOLVED_REFS, "SecretNotOwned", message)
}

fn schedule(trigger: &ApiTrigger) -> Option<super::credentials::Schedule> {
    let rotation = trigger.spec.auth.as_ref()?.basic.as_ref()?.rotation.as_ref()?;
    super::credentials::schedule(rotation)
}

/// What `curl --user` is given: a reading of the Secret, never the secret itself.
fn user_of(namespace: &str, secret: Option<&str>) -> String {
    let Some(secret) = secret else { return "\"$FANFARE_API_KEY\"".into() };
    let read = |key: &str| {
        format!("$(kubectl -n {namespace} get secret {secret} -o jsonpath='{{.data.{key}}}' | base64 -d)")
    };
    format!("\"{}:{}\"", read("username"), read("password"))
}
