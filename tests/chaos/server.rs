//! A PostgreSQL server that is stopped, starved and struck: driven by `pg_ctl`, ended with the test process however
//! that ends.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::admin::Admin;
use crate::harness::{Postgres, as_owner, owner_of_servers, programs, run, wait_for};

/// The schema of the tenant that the story's manifests name.
pub const SCHEMA: &str = "fanfare_default";

/// Ends the server, unmounts its disk and removes its folder when its standard input ends. Behind the programs and the
/// folder stands how a program is run as the server's owner.
const GUARD: &str = r#"
    programs=$1 folder=$2; shift 2
    cat >/dev/null
    "$@" "$programs/pg_ctl" -D "$folder/data" -m immediate stop >/dev/null 2>&1
    ! mountpoint -q "$folder" || umount -l "$folder"
    rm -rf "$folder"
"#;

/// Small files and few of them, so that a small disk is soon full and a checkpoint never far.
const SETTINGS: &str = "
listen_addresses = '127.0.0.1'
max_connections = 200
shared_buffers = 64MB
min_wal_size = 4MB
max_wal_size = 64MB
checkpoint_timeout = 30s
autovacuum_naptime = 5s
log_min_messages = warning
";

/// It comes up within this, whatever it has to recover.
const UP_MAX: Duration = Duration::from_secs(60);

/// The server.
pub struct Server {
    /// Its folder: the data are in `data`, what it says in `log`.
    pub folder: PathBuf,
    /// Where it listens.
    pub port: u16,
    programs: PathBuf,
    owner: Option<String>,
    environment: Vec<(&'static str, String)>,
    guard: Child,
}

/// How it is told to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// Connections are ended, everything is written.
    Fast,
    /// As if it crashed.
    Immediate,
}

impl Server {
    /// A server in an empty folder, started.
    pub fn start() -> Self {
        let server = Self::in_folder(&new_folder());
        server.initialize();
        server.up();
        server
    }

    /// A server whose whole folder is on a disk of this size, started. See [`crate::disk`].
    pub fn on_small_disk(mebibytes: u32) -> Self {
        let folder = new_folder();
        crate::small_disk::make(&folder, mebibytes);
        let server = Self::in_folder(&folder);
        server.initialize();
        server.up();
        server
    }

    /// A server that follows this one and whose disk is waited for, started.
    pub fn with_standby(&self) -> Self {
        let standby = Self::in_folder(&new_folder());
        let copied = format!("postgres://fanfare@127.0.0.1:{}/postgres?application_name=standby", self.port);
        let mut copy = standby.program("pg_basebackup");
        run(copy
            .args(["--no-sync", "-c", "fast", "-R", "-X", "stream", "-d", &copied])
            .arg("-D")
            .arg(standby.data()));
        standby.up();
        let admin = Admin::of(self);
        admin.batch("ALTER SYSTEM SET synchronous_standby_names = 'standby'; SELECT pg_reload_conf()");
        wait_for("a synchronous standby", || {
            let synchronous = "SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'";
            (!admin.query(synchronous, &[]).is_empty()).then_some(())
        });
        standby
    }

    /// Makes the folder's server, without data yet; `environment` is added to that of the server.
    pub fn in_folder(folder: &Path) -> Self {
        let (programs, owner) = (programs(), owner_of_servers());
        if let Some(owner) = &owner {
            run(Command::new("chown").arg("-R").arg(owner).arg(folder));
        }
        let prefix = as_owner(owner.as_deref(), Path::new("/usr/bin/env"));
        let guard = Command::new("bash")
            .args(["-c", GUARD, "guard"])
            .args([&programs, folder])
            .arg(prefix.get_program())
            .args(prefix.get_args())
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        Self { folder: folder.to_owned(), port, programs, owner, environment: Vec::new(), guard }
    }

    /// What the server's processes find in their environment from the next start on.
    pub fn set_environment(&mut self, environment: impl IntoIterator<Item = (&'static str, String)>) {
        self.environment = environment.into_iter().collect();
    }

    /// Makes the data.
    pub fn initialize(&self) {
        run(self.program("initdb").arg("-D").arg(self.data()).args([
            "--no-sync",
            "--auth=trust",
            "--username=fanfare",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--data-checksums",
            "--wal-segsize=1",
        ]));
        let file = self.data().join("postgresql.conf");
        let initial = fs::read_to_string(&file).unwrap();
        fs::write(&file, format!("{initial}{SETTINGS}")).unwrap();
    }

    /// Starts it if it does not run, again and again until it answers.
    pub fn up(&self) {
        let start = Instant::now();
        while !self.answers() {
            assert!(start.elapsed() < UP_MAX, "PostgreSQL does not come up:\n{}", self.says());
            let options = format!("-k {} -p {}", self.folder.display(), self.port);
            let mut command = self.program("pg_ctl");
            command.arg("-D").arg(self.data()).arg("-l").arg(self.folder.join("log"));
            command.args(["-w", "-t", "5", "-o", &options, "start"]).envs(self.environment.clone());
            // Refused while it runs, and when it recovers in vain: the next look says.
            let _ = command.output().unwrap();
        }
    }

    /// Takes away the note of a postmaster that is gone; it stops every start if it has lost its content.
    pub fn remove_note(&self) {
        fs::remove_file(self.data().join("postmaster.pid")).unwrap();
    }

    /// The end of its log.
    fn says(&self) -> String {
        let text =
            String::from_utf8_lossy(&fs::read(self.folder.join("log")).unwrap_or_default()).into_owned();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }

    /// Stops it.
    pub fn down(&self, how: Stop) {
        let mode = if how == Stop::Fast { "fast" } else { "immediate" };
        let mut stop = self.program("pg_ctl");
        // It may be down already, by a disk that was full.
        let _ = stop.arg("-D").arg(self.data()).args(["-m", mode, "-w", "stop"]).output().unwrap();
        wait_for("the end of PostgreSQL", || (!self.answers()).then_some(()));
    }

    /// SIGKILL to all its processes at once.
    pub fn kill(&self) {
        let all = self.signal("KILL");
        wait_for("the end of all its processes", || {
            let is_gone = |id: &String| !Path::new("/proc").join(id).join("exe").exists();
            all.iter().all(is_gone).then_some(())
        });
    }

    /// Sends a signal to all its processes; gives their ids.
    pub fn signal(&self, name: &str) -> Vec<String> {
        let file = fs::read_to_string(self.data().join("postmaster.pid")).unwrap();
        let postmaster = file.lines().next().unwrap().trim().to_owned();
        // So that it makes no other process after they were listed.
        let held = Command::new("kill").args(["-STOP", &postmaster]).stderr(Stdio::null()).status();
        let _ = held.unwrap();
        let children = Command::new("pgrep").args(["-P", &postmaster]).output().unwrap();
        let mut all = vec![postmaster];
        all.extend(String::from_utf8_lossy(&children.stdout).lines().map(str::to_owned));
        // One that ended meanwhile is no failure.
        let sent = Command::new("kill").arg(format!("-{name}")).args(&all).stderr(Stdio::null()).status();
        let _ = sent.unwrap();
        all
    }

    /// Stops those of its processes that serve a connection on which nothing is asked now; gives how many. It makes
    /// others for connections that are new, and serves those.
    pub fn stop_idle_backends(&self) -> usize {
        let file = fs::read_to_string(self.data().join("postmaster.pid")).unwrap();
        let postmaster = file.lines().next().unwrap().trim();
        let idle = r"127\.0\.0\.1\([0-9]+\) idle *$";
        let found = Command::new("pgrep").args(["-P", postmaster, "-f", idle]).output().unwrap();
        let found = String::from_utf8_lossy(&found.stdout).into_owned();
        let ids: Vec<&str> = found.lines().collect();
        let sent = Command::new("kill").arg("-STOP").args(&ids).stderr(Stdio::null()).status();
        let _ = sent.unwrap();
        ids.len()
    }

    /// Makes a standby the server that is written to.
    pub fn promote(&self) {
        run(self.program("pg_ctl").arg("-D").arg(self.data()).args(["-w", "promote"]));
    }

    /// Whether it takes connections.
    pub fn answers(&self) -> bool {
        let port = self.port.to_string();
        let asked = self.program("pg_isready").args(["-q", "-h", "127.0.0.1", "-p", &port]).status();
        asked.unwrap().success()
    }

    /// The URL of its database at this port.
    pub fn url_at(port: u16) -> String {
        format!("postgres://fanfare@127.0.0.1:{port}/postgres")
    }

    /// The URL of its database.
    pub fn url(&self) -> String {
        Self::url_at(self.port)
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn program(&self, name: &str) -> Command {
        let mut command = as_owner(self.owner.as_deref(), &self.programs.join(name));
        command.current_dir("/");
        command
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // One that was stopped when a story failed could not end.
        if self.data().join("postmaster.pid").exists() {
            self.signal("CONT");
        }
        drop(self.guard.stdin.take());
        self.guard.wait().unwrap();
    }
}

/// A new folder that other users may look into.
pub fn new_folder() -> PathBuf {
    let folder = std::env::temp_dir().join(format!("fanfare-chaos-{}", Postgres::tenant_name()));
    fs::create_dir(&folder).unwrap();
    folder
}
