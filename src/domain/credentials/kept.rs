//! Generated credentials as a Secret keeps them: the current ones, and during a rotation the next or the previous.
//!
//! A rotation is four states of this one object: current; current and next, until every replica takes the next;
//! current (the former next) and previous, while the overlap lasts; current. Each step is one write.

use std::collections::BTreeMap;

use crate::domain::secret::{Secret, without_last_newline};

/// A username and its password. A public key has only a token, which stands as the password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// The username; empty for the token of a public key.
    pub username: String,
    /// The password, or the token.
    pub password: Secret,
}

/// What a Secret of generated credentials holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptCredentials {
    /// What a caller is to use.
    pub current: Pair,
    /// What a caller will be told to use once every replica takes it.
    pub next: Option<Pair>,
    /// What a caller may still use.
    pub previous: Option<Pair>,
}

/// The Secret does not hold what it should.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it has no `{0}`; delete the Secret to have new credentials generated")]
pub struct KeptError(pub &'static str);

/// The keys of a pair within the Secret's data.
const CURRENT: [&str; 2] = ["username", "password"];
const NEXT: [&str; 2] = ["nextUsername", "nextPassword"];
const PREVIOUS: [&str; 2] = ["previousUsername", "previousPassword"];
/// A public key's tokens.
const TOKENS: [&str; 3] = ["token", "nextToken", "previousToken"];

impl KeptCredentials {
    /// Reads the data of a Secret.
    ///
    /// # Errors
    /// The current credentials are not whole.
    pub fn read(data: &BTreeMap<String, String>) -> Result<Self, KeptError> {
        if let Some(token) = nonempty(data, TOKENS[0]) {
            let token_of = |name| nonempty(data, name).map(token_pair);
            let (next, previous) = (token_of(TOKENS[1]), token_of(TOKENS[2]));
            return Ok(KeptCredentials { current: token_pair(token), next, previous });
        }
        let [username, password] = CURRENT;
        let whole = |names: [&str; 2]| {
            let (username, password) = (nonempty(data, names[0])?, nonempty(data, names[1])?);
            Some(Pair { username: username.to_owned(), password: Secret::new(password) })
        };
        match whole(CURRENT) {
            Some(current) => Ok(KeptCredentials { current, next: whole(NEXT), previous: whole(PREVIOUS) }),
            None if nonempty(data, username).is_none() => Err(KeptError(username)),
            None => Err(KeptError(password)),
        }
    }

    /// The data of a Secret that holds them.
    pub fn data(&self) -> BTreeMap<String, String> {
        let mut data = BTreeMap::new();
        let pairs = [
            (Some(&self.current), 0, CURRENT),
            (self.next.as_ref(), 1, NEXT),
            (self.previous.as_ref(), 2, PREVIOUS),
        ];
        for (pair, place, [username, password]) in pairs {
            let Some(pair) = pair else { continue };
            let secret = pair.password.expose().to_owned();
            if pair.username.is_empty() {
                data.insert(TOKENS[place].to_owned(), secret);
            } else {
                data.insert(username.to_owned(), pair.username.clone());
                data.insert(password.to_owned(), secret);
            }
        }
        data
    }

    /// Everything a caller may use now.
    pub fn taken(&self) -> impl Iterator<Item = &Pair> {
        std::iter::once(&self.current).chain(&self.next).chain(&self.previous)
    }
}

fn nonempty<'a>(data: &'a BTreeMap<String, String>, key: &str) -> Option<&'a str> {
    data.get(key).map(|value| without_last_newline(value)).filter(|value| !value.is_empty())
}

fn token_pair(token: &str) -> Pair {
    Pair { username: String::new(), password: Secret::new(token) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(username: &str, password: &str) -> Pair {
        Pair { username: username.into(), password: Secret::new(password) }
    }

    #[test]
    fn what_is_written_is_read_again() {
        for username in ["", "storm"] {
            let name = |n: &str| if username.is_empty() { String::new() } else { format!("{username}-{n}") };
            let kept = KeptCredentials {
                current: pair(&name("1"), "a"),
                next: Some(pair(&name("2"), "b")),
                previous: Some(pair(&name("0"), "c")),
            };
            assert_eq!(KeptCredentials::read(&kept.data()), Ok(kept.clone()));
            assert_eq!(kept.taken().count(), 3);
        }
    }

    #[test]
    fn half_a_pair_is_named() {
        let data = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect::<BTreeMap<_, _>>()
        };
        assert_eq!(KeptCredentials::read(&data(&[("username", "a")])), Err(KeptError("password")));
        assert_eq!(
            KeptCredentials::read(&data(&[("username", ""), ("password", "b")])),
            Err(KeptError("username"))
        );
        let half = data(&[("username", "a"), ("password", "b"), ("nextUsername", "c")]);
        assert_eq!(KeptCredentials::read(&half).unwrap().next, None);
    }
}
