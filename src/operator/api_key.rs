//! ApiKey: the Secret that holds the key, and whether it is in force.

use std::time::Duration;

use jiff::Timestamp;
use kube::{Resource as _, ResourceExt as _};

use super::api_trigger::not_owned;
use super::caches::name_of;
use super::conditions::{Finding, Ground, Standing};
use super::context::Context;
use super::controller::{Reconcile, again};
use super::credentials::{Form, Kept, Owner, keep, schedule};
use super::error::ReconcileError;
use super::kind::Kind;
use super::programmed::{Serving, Wanted, in_force, tell_in_force};
use super::status;
use super::verdict::judge;
use crate::api::labels::{API_KEY_LABEL, ROTATE_ANNOTATION, api_key_secret_name};
use crate::api::status::Time;
use crate::api::{ApiKey, ApiKeyStatus, KeyType, LocalRef};
use crate::compile::references::SecretUse;
use crate::compile::{ObjectKind, spec_digest};
use crate::domain::replica_report::ReplicaReport;

impl Reconcile for ApiKey {
    const DEBOUNCE: Duration = Duration::from_millis(20);

    async fn reconcile(context: &Context, key: &Self) -> Result<Duration, ReconcileError> {
        let (namespace, name, now) = (key.namespace().unwrap_or_default(), name_of(key), Timestamp::now());
        let space = context.namespace(&namespace);
        let sources = space.sources_of_api_key(&name, &key.spec);
        let verdict = judge(&sources, ObjectKind::ApiKey, &name, &key.spec);
        let serving = context.serving(&namespace);
        let (finding, kept) = secret(context, key, &serving, now).await?;
        let is_resolved = finding.standing == Standing::Good;
        let secret = api_key_secret_name(&name);
        let wanted = Wanted {
            object: (ReplicaReport::object(Self::NAME, &name), spec_digest(&key.spec)),
            secrets: kept
                .iter()
                .map(|kept| (secret.clone(), SecretUse::Generated, kept.revision.clone()))
                .collect(),
            ..Wanted::default()
        };
        let programmed = serving.programmed(&wanted);
        let observed = key.status.as_ref();
        let generation = key.metadata.generation;
        let conditions = observed.map_or(&[][..], |status| &status.conditions);
        let made = key.creation_timestamp().map(|time| time.0);
        let ground = Ground { observed: conditions, generation: generation.unwrap_or_default(), now, made };
        let before = observed.and_then(|status| status.generation_in_force);
        let generation_in_force = in_force(&programmed, before, generation);
        let mut findings = [verdict.finding(), finding, programmed];
        tell_in_force(&mut findings, generation_in_force, generation);
        let new = ApiKeyStatus {
            observed_generation: generation,
            generation_in_force,
            conditions: ground.conditions(&findings, &[]),
            secret_ref: kept.as_ref().map(|_| LocalRef { name: secret }),
            secret_revision: kept.as_ref().map(|kept| kept.revision.clone()),
            rotated_at: kept.as_ref().map(|kept| Time(kept.rotated_at)),
            previous_expires_at: kept.as_ref().and_then(|kept| kept.previous_expires_at).map(Time),
        };
        status::write(context, key, observed, &new, (conditions, &new.conditions)).await?;
        if let Some(kept) = &kept {
            kept.warn(context, key, conditions, &new.conditions).await;
        }
        let due = kept.and_then(|kept| kept.again_in).into_iter().chain(ground.due(&findings)).min();
        Ok(again(is_resolved, due))
    }
}

async fn secret(
    context: &Context,
    key: &ApiKey,
    serving: &Serving,
    now: Timestamp,
) -> Result<(Finding, Option<Kept>), ReconcileError> {
    let (namespace, name) = (key.namespace().unwrap_or_default(), name_of(key));
    let secret = api_key_secret_name(&name);
    let owner = Owner {
        namespace: &namespace,
        secret: secret.clone(),
        // Not basic-auth: a key may become a token and back, and the type of a Secret never changes.
        type_: "Opaque",
        label: (API_KEY_LABEL, &name),
        reference: key.controller_owner_ref(&()).unwrap_or_default(),
        form: if key.spec.r#type == KeyType::Public { Form::Token } else { Form::Pair },
        schedule: key.spec.rotation.as_ref().and_then(schedule),
        requested: key.annotations().get(ROTATE_ANNOTATION).map(String::as_str),
        url: None,
        serving,
    };
    match keep(context, &owner, now).await {
        Ok(kept) => Ok((kept.finding(&secret, "the key is"), Some(kept))),
        Err(ReconcileError::NotOurs { .. }) => Ok((not_owned(&secret), None)),
        Err(error) => Err(error),
    }
}
