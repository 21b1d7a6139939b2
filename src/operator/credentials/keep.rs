//! Keeps the Secret of generated credentials as planned: created once, changed only as it was read.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, OwnerReference};
use kube::ResourceExt as _;
use kube::api::{ObjectMeta, PostParams};
use kube::runtime::events::EventType;

use super::plan::{Form, Plan, Schedule, Wishes, advance, begin};
use super::state::State;
use crate::api::labels::{MANAGED_BY, MANAGED_BY_LABEL};
use crate::domain::credentials::{GenerateError, Pair, generate_secret, generate_username};
use crate::operator::conditions::{Finding, find};
use crate::operator::context::{Context, FIELD_MANAGER};
use crate::operator::error::ReconcileError;
use crate::operator::kind::Kind;
use crate::operator::programmed::{Serving, is_read_by_all};
use crate::operator::status::publish;
use crate::operator::user_secret::RESOLVED_REFS;

/// The key of the endpoint's address within the Secret.
const URL: &str = "url";

/// What to do about previous credentials that are still in use.
const OUTDATED: &str = "whoever calls with them must take the ones that are in the Secret now";

/// Whose credentials they are, and what is wished for them.
pub(in crate::operator) struct Owner<'a> {
    pub namespace: &'a str,
    /// The Secret's name.
    pub secret: String,
    /// The Secret's type, which Kubernetes never lets change.
    pub type_: &'static str,
    /// The label that names the owner.
    pub label: (&'static str, &'a str),
    pub reference: OwnerReference,
    pub form: Form,
    pub schedule: Option<Schedule>,
    pub requested: Option<&'a str>,
    /// Where the endpoint is, once it is reachable.
    pub url: Option<&'a str>,
    pub serving: &'a Serving,
}

/// A Secret as it is now.
#[derive(Debug, Clone)]
pub(in crate::operator) struct Kept {
    pub revision: String,
    pub rotated_at: Timestamp,
    pub previous_expires_at: Option<Timestamp>,
    /// The same without what was put off: what people are told does not change with each look.
    pub previous_ends_at: Option<Timestamp>,
    /// When it is to be looked at again.
    pub again_in: Option<Duration>,
    /// Whether a rotation waits for the replicas.
    pub is_rotating: bool,
    /// Whether the previous ones are in use although they end soon.
    pub is_outdated_in_use: bool,
}

impl Kept {
    /// That previous credentials are still used and end soon is told in an Event once, when it is found.
    pub(in crate::operator) async fn warn<K: Kind>(
        &self,
        context: &Context,
        object: &K,
        before: &[Condition],
        after: &[Condition],
    ) {
        let [before, after] = [before, after].map(|it| find(it, RESOLVED_REFS).map(|it| it.message.as_str()));
        let Some(message) = after.filter(|_| self.is_outdated_in_use && before != after) else { return };
        publish(context, object, EventType::Warning, "PreviousStillInUse", "Rotate", message).await;
    }

    /// What is said of the Secret. A rotation under way does not make anything unready: what there was still works.
    pub(in crate::operator) fn finding(&self, secret: &str, what: &str) -> Finding {
        let rotating = match self.is_rotating {
            true => "; a rotation is under way and ends once every replica takes the new ones",
            false => "",
        };
        let outdated = match self.previous_ends_at.filter(|_| self.is_outdated_in_use) {
            Some(at) => format!("; the previous ones end at {at} and are still in use: {OUTDATED}"),
            None => String::new(),
        };
        Finding::good(RESOLVED_REFS, format!("{what} in Secret {secret}{rotating}{outdated}"))
    }
}

/// Makes sure that the Secret is there and as it should be.
///
/// # Errors
/// The API server failed, there is no randomness, or a Secret of the name has another owner.
pub(in crate::operator) async fn keep(
    context: &Context,
    owner: &Owner<'_>,
    now: Timestamp,
) -> Result<Kept, ReconcileError> {
    let name = &owner.secret;
    let Some(found) = read(context, owner).await? else {
        let state = begin(&owner.wishes(false, now), &|form| generate(owner.label.1, form))?;
        let created = write(context, owner, &owner.secret(&state, None), Write::Create).await?;
        tracing::info!(namespace = owner.namespace, secret = %name, "credentials were generated");
        return Ok(kept(&created, &settled(state), now));
    };
    if !owner.may_keep(&found) {
        return Err(ReconcileError::NotOurs { kind: "Secret".into(), name: name.clone() });
    }
    let revision = found.resource_version().unwrap_or_default();
    let Serving { replicas, are_known, .. } = owner.serving;
    let wishes = owner.wishes(*are_known && is_read_by_all(replicas, name, &revision), now);
    let made = found.creation_timestamp().map_or(now, |time| time.0);
    let plan = match State::read(&texts(&found), found.annotations(), made) {
        Some(state) => advance(&state, &wishes, &|form| generate(owner.label.1, form))?,
        None => settled(begin(&wishes, &|form| generate(owner.label.1, form))?),
    };
    let wanted = owner.secret(&plan.state, Some(&found));
    if is_as(&found, &wanted) {
        return Ok(kept(&found, &plan, now));
    }
    if found.immutable == Some(true) {
        return Err(ReconcileError::Immutable { name: name.clone() });
    }
    let replaced = write(context, owner, &wanted, Write::Replace).await?;
    tracing::info!(namespace = owner.namespace, secret = %name, "the Secret of the credentials was changed");
    Ok(kept(&replaced, &plan, now))
}

/// The Secret, as it is known or else as it is read.
async fn read(context: &Context, owner: &Owner<'_>) -> Result<Option<Arc<Secret>>, ReconcileError> {
    let (namespace, name) = (owner.namespace, &owner.secret);
    if let Some(known) = context.secrets.get(namespace, name) {
        return Ok(Some(known));
    }
    let found = context.api::<Secret>(namespace).get_opt(name).await;
    let found = found.map_err(ReconcileError::api(format!("get Secret {name}")))?.map(Arc::new);
    match &found {
        // The watch tells of what carries our labels, and of nothing else.
        Some(found) if owner.is_labelled(found) => context.secrets.put(namespace, name, Arc::clone(found)),
        _ => context.secrets.forget(namespace, name),
    }
    Ok(found)
}

enum Write {
    /// Created, never applied: of two who find none, one gets a conflict and reads what the other made.
    Create,
    /// Replaced as it was read, by its revision: of two who change it, one gets a conflict.
    Replace,
}

async fn write(
    context: &Context,
    owner: &Owner<'_>,
    secret: &Secret,
    how: Write,
) -> Result<Arc<Secret>, ReconcileError> {
    let (api, name) = (context.api::<Secret>(owner.namespace), &owner.secret);
    let parameters = PostParams { field_manager: Some(FIELD_MANAGER.into()), ..PostParams::default() };
    let written = match how {
        Write::Create => api.create(&parameters, secret).await,
        Write::Replace => api.replace(name, &parameters, secret).await,
    };
    // What was known led to something that cannot be: it is read anew.
    let written = written.inspect_err(|_| context.secrets.forget(owner.namespace, name));
    let written = Arc::new(written.map_err(ReconcileError::api(format!("write Secret {name}")))?);
    context.secrets.put(owner.namespace, name, Arc::clone(&written));
    Ok(written)
}

impl Owner<'_> {
    fn wishes(&self, is_taken: bool, now: Timestamp) -> Wishes<'_> {
        let reports = self.serving.replicas.iter().filter_map(|replica| replica.report.as_ref().ok());
        let previous_used_at = reports.filter_map(|report| report.outdated.get(&self.secret)).max().copied();
        let (form, schedule, requested) = (self.form, self.schedule, self.requested);
        Wishes { form, schedule, requested, is_taken, previous_used_at, now }
    }

    /// Ours is what belongs to this very object, whatever others made of its labels; and what carries our labels and
    /// belongs to an earlier one of its name, or has no owner: a Secret that was restored from a backup is taken up with the
    /// credentials it holds. An account that can write the one on a Secret can write the other.
    fn may_keep(&self, found: &Secret) -> bool {
        let owner = found.owner_references().iter().find(|reference| reference.controller == Some(true));
        match owner {
            Some(owner) if (&owner.kind, &owner.name) != (&self.reference.kind, &self.reference.name) => {
                false
            }
            Some(owner) if owner.uid == self.reference.uid => true,
            _ => self.is_labelled(found),
        }
    }

    fn is_labelled(&self, found: &Secret) -> bool {
        let is = |name: &str, value: &str| found.labels().get(name).map(String::as_str) == Some(value);
        is(MANAGED_BY_LABEL, MANAGED_BY) && is(self.label.0, self.label.1)
    }

    /// The Secret in this state. What others put on it stays.
    fn secret(&self, state: &State, found: Option<&Secret>) -> Secret {
        let mut metadata = found.map_or_else(ObjectMeta::default, |found| found.metadata.clone());
        metadata.name = Some(self.secret.clone());
        metadata.namespace = Some(self.namespace.to_owned());
        metadata.managed_fields = None;
        metadata.owner_references = Some(vec![self.reference.clone()]);
        let labels = metadata.labels.get_or_insert_default();
        labels.insert(MANAGED_BY_LABEL.into(), MANAGED_BY.into());
        labels.insert(self.label.0.into(), self.label.1.into());
        let annotations = metadata.annotations.get_or_insert_default();
        for name in super::state::NOTES {
            annotations.remove(name);
        }
        annotations.extend(state.notes());
        let mut data = state.credentials.data();
        data.extend(self.url.map(|url| (URL.to_owned(), url.to_owned())));
        let data = data.into_iter().map(|(key, value)| (key, ByteString(value.into_bytes())));
        let type_ = found.and_then(|found| found.type_.clone()).or_else(|| Some(self.type_.to_owned()));
        Secret { metadata, type_, data: Some(data.collect()), ..Secret::default() }
    }
}

fn is_as(found: &Secret, wanted: &Secret) -> bool {
    found.data == wanted.data
        && found.labels() == wanted.labels()
        && found.annotations() == wanted.annotations()
        && found.owner_references() == wanted.owner_references()
}

/// New credentials, of which nothing is due.
fn settled(state: State) -> Plan {
    Plan { state, again_at: None, previous_ends_at: None, is_outdated_in_use: false }
}

fn kept(secret: &Secret, plan: &Plan, now: Timestamp) -> Kept {
    let in_time = |at: Timestamp| Duration::try_from(at.duration_since(now)).unwrap_or_default();
    Kept {
        revision: secret.resource_version().unwrap_or_default(),
        rotated_at: plan.state.rotated_at,
        previous_expires_at: plan.state.previous_expires_at,
        previous_ends_at: plan.previous_ends_at,
        again_in: plan.again_at.map(in_time),
        is_rotating: plan.state.credentials.next.is_some(),
        is_outdated_in_use: plan.is_outdated_in_use,
    }
}

fn texts(secret: &Secret) -> BTreeMap<String, String> {
    let data = secret.data.iter().flatten();
    data.filter_map(|(key, value)| Some((key.clone(), String::from_utf8(value.0.clone()).ok()?))).collect()
}

fn generate(purpose: &str, form: Form) -> Result<Pair, GenerateError> {
    let username = match form {
        Form::Pair => generate_username(purpose)?,
        Form::Token => String::new(),
    };
    Ok(Pair { username, password: generate_secret()? })
}
