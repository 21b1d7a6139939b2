//! A certificate for tests, made by openssl.

use std::path::PathBuf;
use std::process::Command;

/// A certificate that nobody but its holder trusts.
pub struct Certificate {
    folder: tempfile::TempDir,
}

impl Certificate {
    /// One for a name.
    pub fn of(name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (subject, names) = (format!("/CN={name}"), format!("subjectAltName=DNS:{name}"));
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"])
            .args(["-keyout", "key.pem", "-out", "certificate.pem", "-days", "2", "-subj", &subject])
            .args(["-addext", "basicConstraints=critical,CA:FALSE", "-addext", &names])
            .current_dir(folder.path())
            .output()
            .expect("openssl is installed: `make packages` does it");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        Certificate { folder }
    }

    /// The file it is trusted by.
    pub fn file(&self) -> PathBuf {
        self.folder.path().join("certificate.pem")
    }

    /// Its holder's.
    pub fn key(&self) -> PathBuf {
        self.folder.path().join("key.pem")
    }
}
