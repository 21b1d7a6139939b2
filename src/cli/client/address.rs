//! Where the server is and which key opens it: `--server`, `FANFARE_SERVER`, `FANFARE_API_KEY`, or a cluster's own.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{Client, ClientError, Way};
use crate::cli::cluster::{self, ClusterArgs, Need};
use crate::domain::secret::without_last_newline;

/// The variable that holds the key. There is no flag for it: what stands on a command line is seen by every process.
const KEY_VARIABLE: &str = "FANFARE_API_KEY";
/// The variable that holds the server's address.
const SERVER_VARIABLE: &str = "FANFARE_SERVER";
/// Where `fanfare dev` listens.
const USUAL_SERVER: &str = "http://127.0.0.1:8080";
/// The namespace of `fanfare dev`.
const USUAL_NAMESPACE: &str = "default";

/// How a client command finds its server. The key comes from the environment, or from a Secret of the cluster.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct ServerArgs {
    /// The server's address; FANFARE_SERVER if left out, or else http://127.0.0.1:8080. The key is read from
    /// FANFARE_API_KEY=<username>:<password>.
    #[arg(long, value_name = "URL", conflicts_with_all = ["kubeconfig", "context", "api_key"])]
    server: Option<String>,

    #[command(flatten)]
    cluster: ClusterArgs,
}

impl ServerArgs {
    /// The client for that server, with a key that is good for what is needed.
    pub(in crate::cli) async fn client(&self, need: Need<'_>) -> Result<Client, ClientError> {
        let key = std::env::var(KEY_VARIABLE).ok().filter(|key| !key.is_empty());
        let key = key.as_deref().map(basic).transpose()?;
        if self.server.is_none() && self.cluster.is_meant() {
            return self.in_cluster(need, key).await;
        }
        if self.cluster.namespace.is_some() && matches!(need, Need::May(_)) {
            return Err(ClientError::NamespaceOfServer);
        }
        let server =
            self.server.clone().or_else(|| std::env::var(SERVER_VARIABLE).ok().filter(|it| !it.is_empty()));
        let server = address(&server.unwrap_or_else(|| USUAL_SERVER.to_owned()))?;
        let namespace = self.cluster.namespace.clone().unwrap_or_else(|| USUAL_NAMESPACE.to_owned());
        Ok(Client { way: Way::Server, server, namespace, authorization: key })
    }

    async fn in_cluster(
        &self,
        need: Need<'_>,
        key: Option<http::HeaderValue>,
    ) -> Result<Client, ClientError> {
        let own = key.filter(|_| !self.cluster.names_key());
        let found = cluster::find(&self.cluster, need, own.is_none()).await?;
        let server = address(&format!("http://{}.{}", found.runtime, found.namespace))?;
        let (secret, read) = found.key.map(|key| (key.secret, key.authorization)).unzip();
        Ok(Client {
            way: Way::Cluster { tunnel: Box::new(found.tunnel), secret },
            server,
            namespace: found.namespace,
            authorization: own.or(read),
        })
    }
}

impl Client {
    /// A client for a server whose address and key are known.
    pub(in crate::cli) fn to(server: &str, key: Option<&str>) -> Result<Self, ClientError> {
        let authorization = key.map(basic).transpose()?;
        Ok(Client {
            way: Way::Server,
            server: address(server)?,
            namespace: USUAL_NAMESPACE.to_owned(),
            authorization,
        })
    }
}

fn address(given: &str) -> Result<url::Url, ClientError> {
    let url = url::Url::parse(given).ok();
    let is_server = |url: &url::Url| matches!(url.scheme(), "http" | "https") && url.host_str().is_some();
    url.filter(is_server).ok_or_else(|| ClientError::Server { given: given.to_owned() })
}

fn basic(key: &str) -> Result<http::HeaderValue, ClientError> {
    if !key.contains(':') {
        return Err(ClientError::Key { variable: KEY_VARIABLE });
    }
    // A key that was read from a file into the variable, or from a Secret by hand, brings the file's newline.
    let mut value: http::HeaderValue = format!("Basic {}", STANDARD.encode(without_last_newline(key)))
        .parse()
        .expect("base64 has only characters a header may have");
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_sent_as_basic_authentication() {
        assert_eq!(basic("Aladdin:open sesame").unwrap(), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        assert_eq!(basic("Aladdin:open sesame\n").unwrap(), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        assert!(!format!("{:?}", basic("a:secret").unwrap()).contains("c2VjcmV0"));
    }

    #[test]
    fn a_key_without_a_colon_is_named_without_being_shown() {
        let message = basic("hunter2").unwrap_err().to_string();
        assert!(message.contains("<username>:<password>") && !message.contains("hunter2"), "{message}");
    }

    #[test]
    fn an_address_has_a_scheme_and_a_host() {
        assert!(address("https://fanfare.example").is_ok());
        assert!(address("fanfare.example:8080").is_err() && address("ftp://fanfare.example").is_err());
    }
}
