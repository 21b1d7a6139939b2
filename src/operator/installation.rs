//! Whether an operator is installed as it should be: it is ready, the kinds are served, and its account sees them.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::rt::TokioExecutor;
use kube::api::{ApiResource, DynamicObject, ListParams};
use kube::{Api, Client};
use tokio::time::Instant;

use super::caches::{Guarded, name_of, namespace_of};
use super::lease_held::{LeaseHeld, LeaseName};
use super::managed_by::{Manager, manager};
use super::rights::{Role, has_all};
use crate::api::{ApiKey, ApiTrigger, Channel, Runtime, Scenario};
use crate::causes::in_words;

/// How long one question may take.
const ASK_MAX: Duration = Duration::from_secs(5);
/// The rest between two looks.
const REST: Duration = Duration::from_millis(500);
/// How many Runtimes of others are named.
const TOLD_MAX: usize = 5;
/// The largest answer that is read of the operator's probe.
const ANSWER_BYTES_MAX: usize = 4096;

/// What is looked at.
#[derive(Debug, Clone)]
pub struct Installation {
    /// Where the operator's admin port is: `http://fanfare-operator:8082`.
    pub operator: String,
    /// The Lease of the leader, and its namespace; none if the operator runs without leader election.
    pub lease: Option<LeaseName>,
    /// How the installation is known: `<namespace>/<name of the Lease>`.
    pub name: String,
    /// The namespaces it serves; empty for all.
    pub namespaces: Vec<String>,
    /// For how long what is not yet so is looked at again.
    pub patience: Duration,
}

/// One thing that was looked at.
#[derive(Debug)]
pub struct InstallationFinding {
    /// What should be so.
    pub what: String,
    /// Why it is not.
    pub trouble: Option<String>,
}

impl Installation {
    /// Looks at everything, as the account of this client.
    pub async fn look(&self, client: &Client) -> Vec<InstallationFinding> {
        let end = Instant::now() + self.patience;
        let mut findings = vec![
            until(end, "the operator is ready", async || self.operator_is_ready().await).await,
            until(end, "the API server serves all kinds", async || kinds_are_served(client).await).await,
        ];
        if let Some(lease) = &self.lease {
            let what = format!(
                "an operator holds the Lease {} of namespace {} and serves {}",
                lease.name,
                lease.namespace,
                self.served()
            );
            let held = LeaseHeld::new(client, lease);
            findings.push(until(end, &what, async || held.look().await).await);
        }
        let named = self.namespaces.iter().map(|name| Some(name.as_str()));
        let scopes: Vec<Option<&str>> = if self.namespaces.is_empty() { vec![None] } else { named.collect() };
        for scope in scopes {
            let place = scope.map_or("all namespaces".to_owned(), |name| format!("namespace {name}"));
            let what = format!("this account may list all kinds in {place}");
            findings.push(until(end, &what, async || kinds_are_listed(client, scope).await).await);
            let what = format!("this account may do all that the operator does in {place}");
            let has_all = async || has_all(client, Role::Served, scope, None).await;
            findings.push(until(end, &what, has_all).await);
            let what = format!("no other installation manages a Runtime in {place}");
            findings.push(until(end, &what, async || self.manages_alone(client, scope).await).await);
        }
        let what = "this account may look at what is the cluster's";
        findings.push(until(end, what, async || has_all(client, Role::Cluster, None, None).await).await);
        if let Some(LeaseName { namespace, name }) = &self.lease {
            let what = format!("this account may hold the Lease {name} of namespace {namespace}");
            let has_all = async || has_all(client, Role::Own, Some(namespace), Some(name)).await;
            findings.push(until(end, &what, has_all).await);
        }
        findings
    }

    /// A second installation stands back from what a first one manages.
    async fn manages_alone(&self, client: &Client, namespace: Option<&str>) -> Result<(), String> {
        let runtimes: Api<Guarded<Runtime>> = match namespace {
            Some(namespace) => Api::namespaced(client.clone(), namespace),
            None => Api::all(client.clone()),
        };
        let listed = runtimes.list(&ListParams::default()).await.map_err(|error| in_words(&error))?;
        let others = listed.items.iter().filter_map(|it| {
            let runtime = it.0.as_ref().ok()?;
            match manager(runtime, &self.name) {
                Manager::Other { installation, .. } => {
                    Some(format!("{}/{} by {installation}", namespace_of(runtime), name_of(runtime)))
                }
                Manager::Own | Manager::Nobody => None,
            }
        });
        let others: Vec<String> = others.take(TOLD_MAX).collect();
        if others.is_empty() {
            return Ok(());
        }
        Err(format!(
            "{}; this one stands back there: let only one of them serve a namespace (watchNamespaces)",
            others.join(", ")
        ))
    }

    fn served(&self) -> String {
        match self.namespaces.as_slice() {
            [] => "all namespaces".into(),
            [one] => format!("namespace {one}"),
            several => format!("namespaces {}", several.join(", ")),
        }
    }

    async fn operator_is_ready(&self) -> Result<(), String> {
        let uri = format!("{}/readyz", self.operator.trim_end_matches('/'));
        let uri = uri.parse().map_err(|_| format!("{} is no address", self.operator))?;
        let http: HttpClient<_, Empty<Bytes>> = HttpClient::builder(TokioExecutor::new()).build_http();
        let answer = http
            .get(uri)
            .await
            .map_err(|error| format!("{} cannot be reached: {}", self.operator, in_words(&error)))?;
        if answer.status().is_success() {
            return Ok(());
        }
        let status = answer.status();
        let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
        let body = body.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        Err(format!("it answers {status}: {}", String::from_utf8_lossy(&body)))
    }
}

/// Looks again until it is so, or there is no more time.
async fn until(end: Instant, what: &str, is_so: impl AsyncFn() -> Result<(), String>) -> InstallationFinding {
    loop {
        let looked = tokio::time::timeout(ASK_MAX, is_so()).await;
        let trouble = looked.unwrap_or_else(|_| Err(format!("no answer within {ASK_MAX:?}"))).err();
        if trouble.is_none() || Instant::now() + REST > end {
            return InstallationFinding { what: what.to_owned(), trouble };
        }
        tokio::time::sleep(REST).await;
    }
}

/// The kinds, as the API server is asked for them.
fn kinds() -> [ApiResource; 5] {
    [
        ApiResource::erase::<ApiKey>(&()),
        ApiResource::erase::<ApiTrigger>(&()),
        ApiResource::erase::<Channel>(&()),
        ApiResource::erase::<Runtime>(&()),
        ApiResource::erase::<Scenario>(&()),
    ]
}

async fn kinds_are_served(client: &Client) -> Result<(), String> {
    for kind in kinds() {
        let served = client.list_api_group_resources(&kind.api_version).await;
        let served =
            served.map_err(|error| format!("{} is not served: {}", kind.api_version, in_words(&error)))?;
        if !served.resources.iter().any(|resource| resource.name == kind.plural) {
            return Err(format!("{} is not served; apply its CustomResourceDefinition", kind.kind));
        }
    }
    Ok(())
}

async fn kinds_are_listed(client: &Client, namespace: Option<&str>) -> Result<(), String> {
    for kind in kinds() {
        let api: Api<DynamicObject> = match namespace {
            Some(namespace) => Api::namespaced_with(client.clone(), namespace, &kind),
            None => Api::all_with(client.clone(), &kind),
        };
        let listed = api.list_metadata(&ListParams::default().limit(1)).await;
        listed.map_err(|error| format!("{}: {}", kind.plural, in_words(&error)))?;
    }
    Ok(())
}
