//! A cluster that somebody else made, of one node (kind's, say): named by `KUBECONFIG_E2E`, with `KUBECONFIG_E2E_LOAD`, a
//! command that takes an image archive into it: `kind load image-archive`.

use std::path::PathBuf;
use std::process::Command;

use crate::harness::cluster::{file, stderr};

/// Where it is, and how images come into it.
pub struct Theirs {
    pub kubeconfig: PathBuf,
    load: String,
}

impl Theirs {
    /// The one that is named, if one is.
    pub fn named() -> Option<Self> {
        let kubeconfig = std::env::var_os("KUBECONFIG_E2E").filter(|path| !path.is_empty())?;
        let load = std::env::var("KUBECONFIG_E2E_LOAD").expect(
            "set KUBECONFIG_E2E_LOAD to a command that takes an image archive: kind load image-archive",
        );
        Some(Self { kubeconfig: kubeconfig.into(), load })
    }

    /// Takes an image made of files into the cluster.
    pub fn load(&self, image: &str, files: &[&str], entry: &[&str]) {
        let folder = tempfile::tempdir().unwrap();
        let archive = folder.path().join("image.tar").display().to_string();
        let arguments = [&[archive.as_str(), image], files, &["--"], entry].concat();
        let script = file("tests/cluster/image.py");
        let made = Command::new("python3").arg(script).args(arguments).output().unwrap();
        assert!(made.status.success(), "{image}: {}", stderr(&made));
        let line = format!("{} '{archive}'", self.load);
        let loaded = Command::new("bash").args(["-euc", &line]).output().unwrap();
        assert!(loaded.status.success(), "{line}: {}", stderr(&loaded));
    }
}
