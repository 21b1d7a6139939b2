//! Where a runtime serves, for scripts that let the system choose the ports.

use std::io;
use std::net::SocketAddr;
use std::path::Path;

use serde::Serialize;

use crate::cli::dev::private_file::write_whole;

/// The ready file's content.
#[derive(Debug, Serialize)]
pub(super) struct Ready {
    /// Where calls come in: `127.0.0.1:8080`.
    pub calls: SocketAddr,
    /// Where the API is.
    pub api: SocketAddr,
    /// Where probes, numbers and the report are.
    pub admin: SocketAddr,
}

impl Ready {
    /// Writes it so that a reader sees all of it or nothing.
    pub(super) fn write(&self, path: &Path) -> io::Result<()> {
        let text = serde_json::to_string_pretty(self).map_err(io::Error::from)?;
        write_whole(path, format!("{text}\n").as_bytes())
    }
}
