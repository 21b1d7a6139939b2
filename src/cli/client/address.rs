//! Where the server is and which key opens it: `--server`, `FANFARE_SERVER`, `FANFARE_API_KEY`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{Client, ClientError};

/// The variable that holds the key. There is no flag for it: what stands on a command line is seen by every process.
const KEY_VARIABLE: &str = "FANFARE_API_KEY";

/// How a client command finds its server. The key comes from the environment.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct ServerArgs {
    /// The server's address. The key is read from FANFARE_API_KEY=<username>:<password>.
    #[arg(long, env = "FANFARE_SERVER", default_value = "http://127.0.0.1:8080", value_name = "URL")]
    server: url::Url,
}

impl ServerArgs {
    /// The client for that server.
    pub(in crate::cli) fn client(&self) -> Result<Client, ClientError> {
        if !matches!(self.server.scheme(), "http" | "https") || self.server.host_str().is_none() {
            return Err(ClientError::Server { given: self.server.to_string() });
        }
        let key = std::env::var(KEY_VARIABLE).ok().filter(|key| !key.is_empty());
        let authorization = key.as_deref().map(basic).transpose()?;
        Ok(Client { server: self.server.clone(), authorization })
    }
}

impl Client {
    /// A client for a server whose address and key are known.
    pub(in crate::cli) fn to(server: &str, key: Option<&str>) -> Result<Self, ClientError> {
        let url = url::Url::parse(server).map_err(|_| ClientError::Server { given: server.to_owned() })?;
        Ok(Client { server: url, authorization: key.map(basic).transpose()? })
    }
}

fn basic(key: &str) -> Result<http::HeaderValue, ClientError> {
    if !key.contains(':') {
        return Err(ClientError::Key { variable: KEY_VARIABLE });
    }
    let mut value: http::HeaderValue = format!("Basic {}", STANDARD.encode(key))
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
        assert!(!format!("{:?}", basic("a:secret").unwrap()).contains("c2VjcmV0"));
    }

    #[test]
    fn a_key_without_a_colon_is_named_without_being_shown() {
        let message = basic("hunter2").unwrap_err().to_string();
        assert!(message.contains("<username>:<password>") && !message.contains("hunter2"), "{message}");
    }
}
