//! A PostgreSQL server of the tests' own: in a temporary folder, on a free port, ended with the test process however
//! that ends. `TEST_DATABASE_URL` names another server to use instead; each test has a tenant of its own on it.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use fanfare::store::postgres::Tenant;

use super::wait::wait_for;

/// A running server. Dropping it ends it and removes its folder.
pub struct Postgres {
    url: String,
    folder: PathBuf,
    guard: Option<Child>,
}

/// Ends the server when its standard input ends, which it does with the test process. A Ctrl-C is not for it: it would leave the
/// files.
const GUARD: &str = r#"
    trap '' INT TERM HUP
    "$1/postgres" -D "$2/data" -k "$2" -p "$3" >>"$2/log" 2>&1 &
    server=$!
    while read -r line; do
      case $line in
        kill) kill -9 $(pgrep -P $server) $server ;;
      esac
    done
    kill -QUIT $server 2>/dev/null
    wait $server 2>/dev/null
    rm -rf "$2"
"#;

const SETTINGS: &str = "
listen_addresses = '127.0.0.1'
max_connections = 400
shared_buffers = 256MB
max_wal_size = 2GB
autovacuum_naptime = 5s
";

impl Postgres {
    /// The server that all tests of this process share, with the URL of a database on it.
    pub fn shared() -> &'static Postgres {
        static SERVER: OnceLock<Postgres> = OnceLock::new();
        SERVER.get_or_init(|| match std::env::var("TEST_DATABASE_URL") {
            Ok(url) => Postgres { url, folder: PathBuf::new(), guard: None },
            Err(_) => Postgres::start(SETTINGS, &[]),
        })
    }

    /// A server of its own, for a test that stops or breaks it. It must not be `TEST_DATABASE_URL`'s.
    pub fn own() -> Postgres {
        Postgres::start(SETTINGS, &[])
    }

    /// A server of its own with more settings.
    pub fn with(settings: &str) -> Postgres {
        Postgres::own_with(settings, &[])
    }

    /// A server of its own with more settings, and with files in its data folder that only it can read.
    pub fn own_with(settings: &str, files: &[(&str, &Path)]) -> Postgres {
        Postgres::start(&format!("{SETTINGS}{settings}"), files)
    }

    /// A server of its own with more settings, whose files are in memory where that is possible.
    pub fn in_memory(settings: &str) -> Postgres {
        let memory = Path::new("/dev/shm");
        let parent = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        Postgres::start_in(&parent, &format!("{SETTINGS}{settings}"), &[])
    }

    /// The URL of a new database on the server, for what would be in another's way in one.
    pub fn database(&self) -> String {
        let name = Self::tenant_name().replace('-', "_");
        let create = format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'");
        let url = self.url.clone();
        // In a thread of its own, so that it can be asked from anywhere.
        let created = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let (client, connection) =
                    tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
                tokio::spawn(connection);
                client.batch_execute(&create).await.unwrap();
            });
        });
        created.join().unwrap();
        let mut url = url::Url::parse(&self.url).unwrap();
        url.set_path(&name);
        url.into()
    }

    /// Where it is.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its folder; the data are in `data`, the log is `log`.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A name for rows that no other test has.
    pub fn tenant() -> Tenant {
        Tenant::new(&Self::tenant_name()).unwrap()
    }

    /// The same as text.
    pub fn tenant_name() -> String {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        format!("t{}-{number}-{:x}", std::process::id(), std::time::UNIX_EPOCH.elapsed().unwrap().as_micros())
    }

    fn start(settings: &str, files: &[(&str, &Path)]) -> Postgres {
        Postgres::start_in(&std::env::temp_dir(), settings, files)
    }

    fn start_in(parent: &Path, settings: &str, files: &[(&str, &Path)]) -> Postgres {
        let programs = programs();
        let folder = parent.join(format!("fanfare-pg-{}", Self::tenant_name()));
        std::fs::create_dir(&folder).unwrap();
        let owner = owner_of_servers();
        if let Some(owner) = &owner {
            run(Command::new("chown").arg(owner).arg(&folder));
        }
        run(as_owner(owner.as_deref(), &programs.join("initdb")).arg("-D").arg(folder.join("data")).args([
            "--no-sync",
            "--auth=trust",
            "--username=fanfare",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
        ]));
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let file = folder.join("data/postgresql.conf");
        let initial = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, format!("{initial}{settings}")).unwrap();
        for (name, source) in files {
            let copy = folder.join("data").join(name);
            std::fs::copy(source, &copy).unwrap();
            std::fs::set_permissions(&copy, std::fs::Permissions::from_mode(0o600)).unwrap();
            if let Some(owner) = &owner {
                run(Command::new("chown").arg(owner).arg(&copy));
            }
        }
        let guard = as_owner(owner.as_deref(), Path::new("/bin/bash"))
            .args(["-c", GUARD, "guard"])
            .args([&programs, &folder])
            .arg(port.to_string())
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let url = format!("postgres://fanfare@127.0.0.1:{port}/postgres");
        let server = Postgres { url, folder, guard: Some(guard) };
        server.wait_until_it_answers(&programs, port);
        server
    }

    fn wait_until_it_answers(&self, programs: &Path, port: u16) {
        wait_for("PostgreSQL", || {
            let asked = Command::new(programs.join("pg_isready"))
                .args(["-q", "-h", "127.0.0.1", "-p", &port.to_string()])
                .status();
            asked.unwrap().success().then_some(())
        });
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if let Some(guard) = &mut self.guard {
            drop(guard.stdin.take());
            guard.wait().unwrap();
        }
    }
}

/// The folder of the newest server that is installed.
pub fn programs() -> PathBuf {
    let mut found: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .map(|entries| entries.map(|entry| entry.unwrap().path().join("bin")).collect())
        .unwrap_or_default();
    found.retain(|programs| programs.join("initdb").exists());
    found.sort();
    found.pop().expect(
        "PostgreSQL is not installed: `make packages` installs it, or name a server by TEST_DATABASE_URL",
    )
}

/// Whom servers run as: PostgreSQL refuses to be root.
pub fn owner_of_servers() -> Option<String> {
    let id = Command::new("id").arg("-u").output().unwrap();
    (String::from_utf8_lossy(&id.stdout).trim() == "0").then(|| "postgres".to_owned())
}

/// A program run by that owner.
pub fn as_owner(owner: Option<&str>, program: &Path) -> Command {
    let Some(owner) = owner else { return Command::new(program) };
    let mut command = Command::new("setpriv");
    command.args(["--reuid", owner, "--regid", owner, "--clear-groups"]).arg(program);
    command
}

/// Runs a command that must succeed.
pub fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
