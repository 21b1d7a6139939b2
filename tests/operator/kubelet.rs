//! Does for the Pods of one namespace what a kubelet would: binds them to a node of its own, runs what their one
//! container asks for as a process on an address of its own, says how it stands, and ends it when the Pod is deleted.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::{Binding, Node, ObjectReference, Pod, Secret};
use kube::api::{DeleteParams, ListParams, ObjectMeta, Patch, PatchParams, PostParams, Preconditions};
use kube::{Api, Client, ResourceExt as _};
use serde_json::json;

use crate::forwards::Forwards;
use crate::harness::Request;
use crate::harness::cluster::Cluster;

const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How often the node says that it lives; the API server's controllers wait for 40 s.
const LIVES_EVERY: Duration = Duration::from_secs(10);

/// An image that no registry has.
pub const MISSING_IMAGE: &str = "fanfare:missing";

/// The kubelet of one namespace. Dropping it ends every process it started.
pub struct Kubelet {
    task: tokio::task::JoinHandle<()>,
    /// Where the API server carries port-forwards to.
    pub forwards: Forwards,
}

struct Work {
    client: Client,
    cluster: Arc<Cluster>,
    namespace: String,
    node: String,
    port: u16,
    folder: PathBuf,
    running: HashMap<String, Run>,
    lived: Option<Instant>,
    extra: Vec<String>,
    /// Leads every container to the API server, if it is not its account's own.
    kubeconfig: Option<String>,
}

/// A container as a process.
struct Run {
    process: Child,
    address: Ipv4Addr,
    ready: bool,
    place: PathBuf,
    told_to_end: Option<Instant>,
    grace: Duration,
}

impl Drop for Run {
    fn drop(&mut self) {
        let _gone = self.process.kill();
        let _gone = self.process.wait();
    }
}

impl Kubelet {
    /// Begins to look after a namespace. `extra` arguments go to every container.
    pub fn start(
        client: Client,
        cluster: Arc<Cluster>,
        namespace: &str,
        folder: &Path,
        extra: Vec<String>,
        kubeconfig: Option<String>,
    ) -> Self {
        let forwards = Forwards::start(client.clone());
        let mut work = Work {
            port: forwards.address.port(),
            client,
            cluster,
            namespace: namespace.to_owned(),
            node: format!("node-{namespace}"),
            folder: folder.to_owned(),
            running: HashMap::new(),
            lived: None,
            extra,
            kubeconfig,
        };
        let task = tokio::spawn(async move {
            loop {
                if let Err(error) = work.look().await {
                    eprintln!("kubelet of {}: {error}", work.namespace);
                }
                tokio::time::sleep(LOOK_EVERY).await;
            }
        });
        Kubelet { task, forwards }
    }
}

impl Drop for Kubelet {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// An address of this machine that nothing else of the tests has.
fn new_address() -> Ipv4Addr {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let (process, number) = (std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let [_, _, high, low] = process.to_be_bytes();
    Ipv4Addr::new(127, 1 + high % 254, low, u8::try_from(1 + number % 250).unwrap())
}

impl Work {
    async fn look(&mut self) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        self.live().await?;
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &self.namespace);
        let listed = pods.list(&ListParams::default()).await?;
        let mut seen = Vec::new();
        for pod in &listed.items {
            let uid = pod.metadata.uid.clone().unwrap();
            seen.push(uid.clone());
            if pod.spec.as_ref().unwrap().node_name.is_none() {
                self.bind(&pods, pod).await?;
            } else if pod.metadata.deletion_timestamp.is_some() {
                self.end(&pods, pod, &uid).await?;
            } else if self.running.contains_key(&uid) {
                self.attend(&pods, pod, &uid).await?;
            } else {
                self.begin(&pods, pod, uid).await?;
            }
        }
        self.running.retain(|uid, _| seen.contains(uid));
        Ok(())
    }

    async fn live(&mut self) -> Result<(), kube::Error> {
        if self.lived.is_some_and(|at| at.elapsed() < LIVES_EVERY) {
            return Ok(());
        }
        let nodes: Api<Node> = Api::all(self.client.clone());
        if nodes.get_opt(&self.node).await?.is_none() {
            let metadata = ObjectMeta { name: Some(self.node.clone()), ..ObjectMeta::default() };
            nodes.create(&PostParams::default(), &Node { metadata, ..Node::default() }).await?;
        }
        let now = jiff::Timestamp::now().to_string();
        let ready = json!({"type": "Ready", "status": "True", "reason": "Tests", "message": "it lives",
            "lastHeartbeatTime": now, "lastTransitionTime": "2026-01-01T00:00:00Z"});
        let status = json!({"status": {
            "conditions": [ready],
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": self.port}},
        }});
        nodes.patch_status(&self.node, &PatchParams::default(), &Patch::Strategic(&status)).await?;
        self.lived = Some(Instant::now());
        Ok(())
    }

    async fn bind(&self, pods: &Api<Pod>, pod: &Pod) -> Result<(), kube::Error> {
        let binding = Binding {
            metadata: ObjectMeta { name: Some(pod.name_any()), ..ObjectMeta::default() },
            target: ObjectReference {
                kind: Some("Node".into()),
                name: Some(self.node.clone()),
                ..Default::default()
            },
        };
        let _bound: serde_json::Value =
            pods.create_subresource("binding", &pod.name_any(), &PostParams::default(), &binding).await?;
        Ok(())
    }

    async fn begin(
        &mut self,
        pods: &Api<Pod>,
        pod: &Pod,
        uid: String,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let spec = pod.spec.as_ref().unwrap();
        let container = &spec.containers[0];
        if container.image.as_deref() == Some(MISSING_IMAGE) {
            return Ok(self.wait_for_image(pods, pod).await?);
        }
        let (name, address) = (pod.name_any(), new_address());
        let place = self.folder.join(format!("{name}-{}", &uid[..8]));
        std::fs::create_dir_all(&place)?;
        // A volume outlives its Pod.
        let data = self.folder.join(format!("volume-{name}"));
        std::fs::create_dir_all(&data)?;
        let database = place.join("database");
        std::fs::create_dir_all(&database)?;
        if let Some(secret) = spec.volumes.iter().flatten().find_map(|volume| volume.secret.as_ref()) {
            let secrets: Api<Secret> = Api::namespaced(self.client.clone(), &self.namespace);
            let found = secrets.get(secret.secret_name.as_deref().unwrap()).await?;
            let data = found.data.unwrap();
            for item in secret.items.iter().flatten() {
                std::fs::write(database.join(&item.path), &data[&item.key].0)?;
            }
        }
        let kubeconfig = place.join("kubeconfig");
        let account = spec.service_account_name.as_deref().unwrap();
        let own = || self.cluster.kubeconfig_of(&self.namespace, account);
        std::fs::write(&kubeconfig, self.kubeconfig.clone().unwrap_or_else(own))?;
        let there = |argument: &String| {
            argument
                .replace("[::]", &address.to_string())
                .replace("/var/lib/fanfare", &data.display().to_string())
                .replace("/etc/fanfare/database", &database.display().to_string())
        };
        let log = std::fs::File::create(place.join("log"))?;
        let mut command = Command::new(env!("CARGO_BIN_EXE_fanfare"));
        command.args(container.args.iter().flatten().map(there)).args(&self.extra);
        for variable in container.env.iter().flatten() {
            command.env(&variable.name, variable.value.as_deref().unwrap_or_default());
        }
        command
            .env("KUBECONFIG", &kubeconfig)
            .env("TMPDIR", &place)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        let process = command.spawn()?;
        let grace =
            Duration::from_secs(u64::try_from(spec.termination_grace_period_seconds.unwrap_or(30)).unwrap());
        self.running.insert(uid, Run { process, address, ready: false, place, told_to_end: None, grace });
        self.say(pods, pod, address, false).await?;
        Ok(())
    }

    async fn attend(&mut self, pods: &Api<Pod>, pod: &Pod, uid: &str) -> Result<(), kube::Error> {
        let run = self.running.get_mut(uid).unwrap();
        if let Ok(Some(ended)) = run.process.try_wait() {
            // Begun anew, as `restartPolicy: Always` says.
            let (address, place) = (run.address, run.place.clone());
            self.running.remove(uid);
            let words = std::fs::read_to_string(place.join("log")).unwrap_or_default();
            self.lament(
                pods,
                pod,
                address,
                ended.code().unwrap_or(-1),
                words.trim().lines().last().unwrap_or(""),
            )
            .await?;
            return Ok(());
        }
        let (address, was) = (run.address, run.ready);
        let is = is_ready(address).await;
        if is != was {
            self.running.get_mut(uid).unwrap().ready = is;
            self.say(pods, pod, address, is).await?;
        }
        Ok(())
    }

    async fn end(&mut self, pods: &Api<Pod>, pod: &Pod, uid: &str) -> Result<(), kube::Error> {
        if let Some(run) = self.running.get_mut(uid) {
            match run.told_to_end {
                None => {
                    run.told_to_end = Some(Instant::now());
                    let id = run.process.id().to_string();
                    let _told = Command::new("kill").args(["-TERM", &id]).status();
                }
                Some(at) if at.elapsed() > run.grace => drop(run.process.kill()),
                Some(_) => {}
            }
            if run.process.try_wait().is_ok_and(|ended| ended.is_none()) {
                let (address, was) = (run.address, run.ready);
                if was && !is_ready(address).await {
                    self.running.get_mut(uid).unwrap().ready = false;
                    self.say(pods, pod, address, false).await?;
                }
                return Ok(());
            }
            self.running.remove(uid);
        }
        let preconditions = Preconditions { uid: Some(uid.to_owned()), resource_version: None };
        let parameters = DeleteParams {
            grace_period_seconds: Some(0),
            preconditions: Some(preconditions),
            ..DeleteParams::default()
        };
        match pods.delete(&pod.name_any(), &parameters).await {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.code == 404 || status.code == 409 => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Says that a container waits for its image. As long as nothing changes, saying it again writes nothing.
    async fn wait_for_image(&self, pods: &Api<Pod>, pod: &Pod) -> Result<(), kube::Error> {
        let container = json!({"name": "runtime", "ready": false, "restartCount": 0, "image": "", "imageID": "",
            "state": {"waiting": {"reason": "ImagePullBackOff", "message": "there is no such image"}}});
        let status = json!({"status": {"phase": "Pending", "containerStatuses": [container],
            "conditions": [{"type": "Ready", "status": "False"}]}});
        match pods.patch_status(&pod.name_any(), &PatchParams::default(), &Patch::Strategic(&status)).await {
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            said => said.map(drop),
        }
    }

    /// Says with which words a container ended.
    async fn lament(
        &self,
        pods: &Api<Pod>,
        pod: &Pod,
        address: Ipv4Addr,
        code: i32,
        words: &str,
    ) -> Result<(), kube::Error> {
        self.say(pods, pod, address, false).await?;
        let container = json!({"name": "runtime", "ready": false, "restartCount": 1, "image": "", "imageID": "",
            "lastState": {"terminated": {"exitCode": code, "message": words}}});
        let status = json!({"status": {"containerStatuses": [container]}});
        match pods.patch_status(&pod.name_any(), &PatchParams::default(), &Patch::Merge(&status)).await {
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            said => said.map(drop),
        }
    }

    async fn say(
        &self,
        pods: &Api<Pod>,
        pod: &Pod,
        address: Ipv4Addr,
        ready: bool,
    ) -> Result<(), kube::Error> {
        let now = jiff::Timestamp::now().to_string();
        let condition = |kind: &str, is: bool| json!({"type": kind, "status": if is { "True" } else { "False" }, "lastTransitionTime": now});
        let status = json!({"status": {
            "phase": "Running",
            "podIP": address.to_string(),
            "podIPs": [{"ip": address.to_string()}],
            "startTime": now,
            "containerStatuses": [{"name": "runtime", "ready": ready, "restartCount": 0, "image": "", "imageID": ""}],
            "conditions": [condition("Ready", ready), condition("ContainersReady", ready), condition("PodScheduled", true)],
        }});
        match pods.patch_status(&pod.name_any(), &PatchParams::default(), &Patch::Strategic(&status)).await {
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            said => said.map(drop),
        }
    }
}

async fn is_ready(address: Ipv4Addr) -> bool {
    let asked = Request::get(format!("http://{address}:8082/readyz")).within(Duration::from_secs(5));
    asked.sent().await.is_ok_and(|answer| answer.status == 200)
}
