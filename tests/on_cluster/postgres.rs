//! PostgreSQL in a Pod of its own: an image from this machine's files, data on a volume.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::checker::Ledger;
use crate::node::Node;
use crate::space::Space;

const IMAGE: &str = "localhost/postgres:1";
const PASSWORD: &str = "only-on-this-node";

/// Starts a server in the namespace, and makes the Secret `database` that leads to it.
pub fn start(space: &Space) {
    load(&space.node);
    let programs = newest("/usr/lib/postgresql").join("bin").display().to_string();
    let manifest = MANIFEST.replace("@PROGRAMS@", &programs);
    space.apply(&manifest.replace("@IMAGE@", IMAGE).replace("@PASSWORD@", PASSWORD));
    space.ask(&["rollout", "status", "statefulset/postgres", "--timeout=120s"]);
}

/// What the tenant's schema holds, once nobody writes to it.
pub fn ledger(space: &Space) -> Ledger {
    let port = space.get("service", "postgres")["spec"]["ports"][0]["nodePort"].as_u64().unwrap();
    let url = format!("postgres://postgres:{PASSWORD}@{}:{port}/postgres", space.node.ip);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        client.batch_execute(&format!("SET search_path = fanfare_{}", space.name)).await.unwrap();
        Ledger::read_from(&client).await
    })
}

/// The server's programs, what they read, and a shell, which initdb starts the server by.
fn load(node: &Node) {
    let programs = newest("/usr/lib/postgresql").join("bin");
    let version = programs.parent().unwrap().file_name().unwrap().to_owned();
    let (library, share) =
        (programs.parent().unwrap().join("lib"), Path::new("/usr/share/postgresql").join(version));
    let folder = tempfile::tempdir().unwrap();
    let users = folder.path().join("passwd");
    std::fs::write(&users, "postgres:x:65532:65532::/data:/bin/sh\n").unwrap();
    let mut files = vec![format!("/etc/passwd={}", users.display())];
    let shell = Command::new("sh").args(["-c", "command -v busybox"]).output().unwrap();
    let shell = String::from_utf8(shell.stdout).unwrap().trim().to_owned();
    files.push(format!("/bin/sh={shell}"));
    for name in ["Etc/UTC", "UTC", "GMT"] {
        files.push(format!("/usr/share/zoneinfo/{name}=/usr/share/zoneinfo/{name}"));
    }
    for place in [programs.clone(), library, share] {
        add(&place, &mut files);
    }
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    node.load(IMAGE, &files, &["/bin/sh"]);
}

/// Every file below a folder, at its own path, but for what only developers and other languages need.
fn add(folder: &Path, files: &mut Vec<String>) {
    const UNUSED: [&str; 3] = ["bitcode", "pgxs", "man"];
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if path.is_dir() && !UNUSED.contains(&name.as_str()) {
            add(&path, files);
        } else if path.is_file() {
            files.push(format!("{0}={0}", path.display()));
        }
    }
}

fn newest(folder: &str) -> PathBuf {
    let versions = std::fs::read_dir(folder).unwrap_or_else(|_| panic!("{folder}: install PostgreSQL"));
    let found = versions.flatten().map(|entry| entry.path()).filter(|path| path.join("bin/initdb").exists());
    found.max().unwrap_or_else(|| panic!("{folder} has no initdb: install PostgreSQL"))
}

const MANIFEST: &str = r#"
apiVersion: v1
kind: Secret
metadata: {name: database, labels: {fanfare.dev/allow: storage}}
stringData: {uri: "postgres://postgres:@PASSWORD@@postgres:5432/postgres?sslmode=disable"}
---
apiVersion: v1
kind: Service
metadata: {name: postgres}
spec: {type: NodePort, selector: {app: postgres}, ports: [{port: 5432}]}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: postgres}
spec:
  serviceName: postgres
  selector: {matchLabels: {app: postgres}}
  template:
    metadata: {labels: {app: postgres}}
    spec:
      automountServiceAccountToken: false
      terminationGracePeriodSeconds: 5
      securityContext:
        {runAsNonRoot: true, runAsUser: 65532, runAsGroup: 65532, fsGroup: 65532, seccompProfile: {type: RuntimeDefault}}
      containers:
        - name: postgres
          image: @IMAGE@
          args:
            - -ec
            - |
              export PATH=@PROGRAMS@:$PATH LC_ALL=C
              [ -e /data/pg/PG_VERSION ] || {
                echo @PASSWORD@ > /tmp/password
                initdb -D /data/pg -U postgres --pwfile=/tmp/password --auth=scram-sha-256 --locale=C --encoding=UTF8
                echo "host all all all scram-sha-256" >> /data/pg/pg_hba.conf
              }
              exec postgres -D /data/pg -k /tmp -c listen_addresses=* -c max_connections=200
          ports: [{containerPort: 5432}]
          readinessProbe: {tcpSocket: {port: 5432}, periodSeconds: 1}
          securityContext: {readOnlyRootFilesystem: true, allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
          volumeMounts:
            - {name: data, mountPath: /data}
            - {name: tmp, mountPath: /tmp}
            - {name: memory, mountPath: /dev/shm}
      volumes:
        - {name: tmp, emptyDir: {}}
        - {name: memory, emptyDir: {medium: Memory}}
  volumeClaimTemplates:
    - metadata: {name: data}
      spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
"#;
