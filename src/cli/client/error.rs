//! Why a client command could not do what it was asked, and what the person can do about it.

use std::path::PathBuf;
use std::time::Duration;

use super::Problem;
use crate::cli::cluster::ClusterError;
use crate::cli::exit::Exit;

/// Why a client command stopped.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum ClientError {
    /// `--server` is no server.
    #[error("`{given}` is not a server's address; write http://host:port or https://host")]
    Server { given: String },
    /// `-n` where there is no cluster.
    #[error(
        "-n names a namespace of a cluster\n  run this as `kubectl fanfare`, or name the cluster by --context; \
         `fanfare dev` has one namespace"
    )]
    NamespaceOfServer,
    /// `pause runtime main`: a name where there is none.
    #[error(
        "the runtime takes no name: this is about everything\n  leave `{name}` out, or name a call, a scenario or a channel"
    )]
    NamedRuntime { name: String },
    /// A cluster's Runtime could not be reached or opened.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// The variable with the key does not hold one.
    #[error("{variable} must be <username>:<password>; `fanfare credentials` shows those of a data folder")]
    Key { variable: &'static str },
    /// There is no answer at that address.
    #[error(
        "cannot reach {server}: {reason}\n  is `fanfare dev` running? --server or FANFARE_SERVER name another server"
    )]
    Unreachable { server: url::Url, reason: String },
    /// Somebody is there and does not answer.
    #[error("{server} did not answer within {after:?}; it may be busy: try again, or look at its log")]
    TimedOut { server: url::Url, after: Duration, is_sent: bool },
    /// The request was sent, and the connection ended before its answer was whole.
    #[error("{server} ended the connection before it had answered: {reason}")]
    NoAnswer { server: url::Url, reason: String },
    /// The call was accepted, and what came of it could not be seen.
    #[error(
        "the call was accepted as {ids}; what came of it could not be seen: {source}\n  do not repeat it; \
         `{spoken} log <call>` shows it, with a key that has the permission ReadLog"
    )]
    AcceptedUnseen { ids: String, spoken: &'static str, source: Box<ClientError> },
    /// The call was sent, and it is not known whether it was accepted.
    #[error(
        "{source}\n  the call may have been accepted all the same: `{spoken} log` shows it; repeat it only under the same \
         --idempotency-key"
    )]
    CallInDoubt { spoken: &'static str, source: Box<ClientError> },
    /// 401.
    #[error("{}", if *had_key {
        "the server does not know this key\n  set FANFARE_API_KEY=<username>:<password> to one that is in force"
    } else {
        "the server wants a key\n  set FANFARE_API_KEY=<username>:<password>; `fanfare credentials` shows those of a \
         data folder"
    })]
    Unauthorized { had_key: bool },
    /// 403.
    #[error("this key may not do that: {0}\n  its ApiKey lists what it may do under spec.permissions")]
    Forbidden(Problem),
    /// Any other 4xx or 5xx.
    #[error("{0}")]
    Refused(Problem),
    /// An answer that is none.
    #[error("the server's answer was not understood: {reason}\n  is it a Fanfare of this version?")]
    NotUnderstood { reason: String },
    /// A file could not be read.
    #[error("cannot read {}: {source}", path.display())]
    File { path: PathBuf, source: std::io::Error },
    /// A data folder without the credentials asked for.
    #[error("no credentials in {}: {reason}", data.display())]
    Credentials { data: PathBuf, reason: String },
    /// The file to import is none.
    #[error(transparent)]
    Import(#[from] crate::track::import::ImportError),
    /// An import ended before its file did.
    #[error("{source}\n  {kept} lines were imported before that; {}", match doubtful {
        Some(last) => format!(
            "lines {before} to {last} may be in or not: look at one with `customers get`, then go on from line {before} \
             or {}", last + 1
        ),
        None => format!("go on from line {before}"),
    })]
    ImportStopped { kept: u64, before: u64, doubtful: Option<u64>, source: Box<ClientError> },
    /// The server would not keep some lines of an import.
    #[error(
        "the server refused the lines named above; {kept} others were imported\n  correct them, or leave them out with \
         --skip-invalid"
    )]
    LinesRefused { kept: u64 },
    /// The terminal or the pipe is gone.
    #[error("cannot write: {0}")]
    Output(#[from] std::io::Error),
}

impl ClientError {
    /// Whether what was asked may be asked again: nothing of it arrived, or arriving twice does no harm.
    pub(in crate::cli) fn may_repeat(&self, is_repeatable: bool) -> bool {
        match self {
            ClientError::Cluster(ClusterError::Broken { is_sent, .. }) => is_repeatable || !is_sent,
            _ => false,
        }
    }

    /// Whether it is not known if what was asked has been done.
    pub(in crate::cli) fn is_in_doubt(&self) -> bool {
        match self {
            ClientError::Cluster(ClusterError::Broken { is_sent, .. }) => *is_sent,
            ClientError::NoAnswer { .. } | ClientError::NotUnderstood { .. } => true,
            ClientError::TimedOut { is_sent, .. } => *is_sent,
            ClientError::Refused(problem) => problem.is_of_server(),
            _ => false,
        }
    }

    /// What the shell gets to see.
    pub(in crate::cli) fn exit(&self) -> Exit {
        match self {
            ClientError::Server { .. }
            | ClientError::Key { .. }
            | ClientError::NamespaceOfServer
            | ClientError::NamedRuntime { .. } => Exit::Usage,
            ClientError::Cluster(error) => error.exit(),
            ClientError::Unreachable { .. } | ClientError::TimedOut { .. } | ClientError::NoAnswer { .. } => {
                Exit::Unreachable
            }
            ClientError::AcceptedUnseen { .. } | ClientError::CallInDoubt { .. } => Exit::AcceptedUnseen,
            ClientError::Unauthorized { .. } | ClientError::Forbidden(_) => Exit::NotAllowed,
            ClientError::ImportStopped { source, .. } => source.exit(),
            ClientError::Refused(_)
            | ClientError::Credentials { .. }
            | ClientError::Import(_)
            | ClientError::LinesRefused { .. }
            | ClientError::NotUnderstood { .. }
            | ClientError::File { .. }
            | ClientError::Output(_) => Exit::Failed,
        }
    }
}
