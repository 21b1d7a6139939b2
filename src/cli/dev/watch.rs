//! Watches the folder of manifests and says when something in it has changed and come to rest.
//!
//! Editors write a file in several steps; a burst of changes is one signal, at most [`REST`] after its last.

use std::ffi::OsStr;
use std::path::Path;
use std::time::Duration;

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;

/// How long a folder must be quiet before it is read again; well under the second a reload may take.
const REST: Duration = Duration::from_millis(150);
/// A folder that never rests is read again all the same after this.
const RESTLESS: Duration = Duration::from_millis(700);

/// Changes of one folder; ends watching when dropped.
#[derive(Debug)]
pub struct Watch {
    changed: mpsc::Receiver<()>,
    _watcher: Option<RecommendedWatcher>,
}

impl Watch {
    /// Begins to watch the folder and everything below it.
    ///
    /// # Errors
    /// The system cannot watch it, for one because its number of watches is used up.
    pub fn start(folder: &Path) -> notify::Result<Self> {
        // One place is enough: a signal that waits already stands for every change before it is taken.
        let (sender, changed) = mpsc::channel(1);
        let root = folder.to_owned();
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            if event.map_or(true, |event| matters(&root, &event)) {
                // A full place means that a signal waits already.
                let _full_is_fine = sender.try_send(());
            }
        })?;
        watcher.watch(folder, RecursiveMode::Recursive)?;
        Ok(Watch { changed, _watcher: Some(watcher) })
    }

    /// Watches nothing: standard input never changes.
    pub fn nothing() -> Self {
        let (_, changed) = mpsc::channel(1);
        Watch { changed, _watcher: None }
    }

    /// Waits for the next change and for the rest behind it.
    pub async fn changed(&mut self) {
        if self.changed.recv().await.is_none() {
            // The watcher thread has ended; without it nothing is ever known to change.
            std::future::pending::<()>().await;
        }
        let restless = tokio::time::Instant::now() + RESTLESS;
        while let Ok(Some(())) = tokio::time::timeout(REST, self.changed.recv()).await {
            if tokio::time::Instant::now() >= restless {
                return;
            }
        }
    }
}

/// Whether what is read of the folder may have changed. Nothing hidden is read, and the data folder may be in it: `.fanfare`.
/// A mounted ConfigMap is changed by a link called `..data`.
fn matters(root: &Path, event: &Event) -> bool {
    let is_hidden = |path: &Path| {
        let below = path.strip_prefix(root).unwrap_or(Path::new(""));
        below
            .iter()
            .map(OsStr::as_encoded_bytes)
            .any(|name| name.starts_with(b".") && !name.starts_with(b".."))
    };
    let is_access = matches!(event.kind, EventKind::Access(_));
    !is_access && (event.paths.is_empty() || !event.paths.iter().all(|path| is_hidden(path)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_burst_of_writes_is_one_change() {
        let folder = tempfile::tempdir().unwrap();
        let mut watch = Watch::start(folder.path()).unwrap();
        for n in 0..20 {
            std::fs::write(folder.path().join("a.yaml"), n.to_string()).unwrap();
        }
        tokio::time::timeout(Duration::from_secs(5), watch.changed()).await.unwrap();
        let again = tokio::time::timeout(REST * 2, watch.changed()).await;
        assert!(again.is_err(), "one burst was reported twice");
    }

    #[tokio::test]
    async fn what_is_hidden_is_no_change() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join(".fanfare")).unwrap();
        let mut watch = Watch::start(folder.path()).unwrap();
        for name in [".fanfare/ledger.db", ".a.yaml.part"] {
            std::fs::write(folder.path().join(name), "x").unwrap();
        }
        // Looked at in their order: had they been changes, they would be seen before this one.
        std::fs::write(folder.path().join("a.yaml"), "x").unwrap();
        tokio::time::timeout(Duration::from_secs(5), watch.changed()).await.unwrap();
        let event = |name: &str| Event::new(EventKind::Any).add_path(folder.path().join(name));
        let matters = |name| super::matters(folder.path(), &event(name));
        assert_eq!([matters("a.yaml"), matters(".fanfare/ledger.db"), matters("b/.c")], [true, false, false]);
        assert!(matters("..data"));
        assert!(
            super::matters(folder.path(), &Event::new(EventKind::Any)),
            "what is not known may be anything"
        );
    }
}
