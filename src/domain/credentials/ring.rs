//! All credentials in force, by digest: who a request is from, and whether it may do what it asks.
//!
//! Found by id, which is no secret; a wrong id costs the same digest and comparison as a wrong secret.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::{Digest, KeyPermission, Permissions, Presented, SlowDigest, TrackScope};
use crate::domain::name::TriggerName;

/// Who called, as the trigger log and a key's scope know it; never the secret.
pub type CredentialName = Arc<str>;

/// A shared key.
#[derive(Debug, Clone)]
pub struct ApiKeyEntry {
    /// Its name in the log: `key/<name>`.
    pub name: CredentialName,
    /// The digest of its secret.
    pub digest: Digest,
    /// What it may be used for.
    pub permissions: Permissions,
    /// The only triggers it may call; `None` for all.
    pub triggers: Option<HashSet<TriggerName>>,
    /// The origins of the pages that it stands in, as [`normal_origin`] writes them.
    pub origins: Arc<HashSet<String>>,
    /// What it may write of customers with the permission `Track`; `None` for all.
    pub track: Option<Arc<TrackScope>>,
}

/// What a page of another origin asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenTo<'a> {
    /// To call this trigger.
    Trigger(&'a str),
    /// To write customers and events.
    Tracking,
}

/// An origin as it is compared: scheme and host have no case (RFC 6454, 4).
pub fn normal_origin(origin: &str) -> String {
    origin.trim_end_matches('/').to_ascii_lowercase()
}

/// Who may call one trigger.
#[derive(Debug, Clone, Default)]
pub struct TriggerAccess {
    /// Its own usernames with the digests of their passwords; two while a rotation overlaps.
    pub basic: Vec<(Arc<str>, Digest)>,
    /// Usernames with passwords of which only slow digests are known; these hold once they are proven.
    pub slow: Vec<(Arc<str>, Arc<SlowDigest>)>,
    /// Whether shared keys may call it.
    pub api_keys: bool,
}

/// Who is calling, once it is proven.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Who, as the log names it.
    pub credential: CredentialName,
    /// The Secret that holds what was presented as its previous credentials: they are about to end.
    pub outdated: Option<Arc<str>>,
    /// What may be written of customers; `None` for all.
    pub track: Option<Arc<TrackScope>>,
    /// The origins of the pages that a Public key stands in; none listed, any.
    origins: Arc<HashSet<String>>,
}

impl Caller {
    /// Somebody who may write everything of customers, from anywhere.
    pub fn new(credential: CredentialName, outdated: Option<Arc<str>>) -> Self {
        Caller { credential, outdated, track: None, origins: Arc::default() }
    }

    /// Whether what was presented may be used by a page of this origin; without an origin it is no page that asks.
    pub fn stands_in_page(&self, origin: Option<&str>) -> bool {
        self.origins.is_empty() || origin.is_none_or(|origin| self.origins.contains(&normal_origin(origin)))
    }
}

impl PartialEq for Caller {
    fn eq(&self, other: &Self) -> bool {
        (&self.credential, &self.outdated) == (&other.credential, &other.outdated)
    }
}

impl Eq for Caller {}

/// Why a request is turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// These credentials are not known: 401.
    #[error("the credentials are wrong")]
    Unknown,
    /// The credentials are right, but are not for this: 403.
    #[error("the credentials are right, but not for this")]
    NotAllowed,
}

/// All credentials in force.
#[derive(Debug, Clone, Default)]
pub struct Keyring {
    private: HashMap<String, ApiKeyEntry>,
    /// Public tokens by the digest of the token: they may stand in a page, and hashing hides nothing more.
    public: HashMap<[u8; 32], ApiKeyEntry>,
    triggers: HashMap<TriggerName, TriggerAccess>,
    /// The Secrets of previous credentials, by what is presented.
    previous: HashMap<[u8; 32], Arc<str>>,
}

impl Keyring {
    /// Adds a private key, found by its id.
    pub fn add_private(&mut self, id: impl Into<String>, entry: ApiKeyEntry) {
        self.private.insert(id.into(), entry);
    }

    /// Adds a public key, found by its token.
    pub fn add_public(&mut self, entry: ApiKeyEntry) {
        self.public.insert(*entry.digest.as_bytes(), entry);
    }

    /// Says who may call a trigger.
    pub fn add_trigger(&mut self, name: TriggerName, access: TriggerAccess) {
        self.triggers.insert(name, access);
    }

    /// Marks what is presented as a Secret's previous credentials.
    pub fn add_previous(&mut self, digest: &Digest, secret: Arc<str>) {
        self.previous.insert(*digest.as_bytes(), secret);
    }

    /// Who it is, once that is proven by this digest.
    fn caller(&self, credential: &CredentialName, digest: &Digest) -> Caller {
        let outdated = self.previous.get(digest.as_bytes()).map(Arc::clone);
        Caller::new(Arc::clone(credential), outdated)
    }

    fn caller_by(&self, entry: &ApiKeyEntry, digest: &Digest) -> Caller {
        let (track, origins) = (entry.track.clone(), Arc::clone(&entry.origins));
        Caller { track, origins, ..self.caller(&entry.name, digest) }
    }

    /// Whether a page of this origin, as [`normal_origin`] writes it, is listed by a Public key that may do what it asks.
    pub fn is_open_to_page(&self, origin: &str, asked: OpenTo<'_>) -> bool {
        self.public.values().filter(|key| key.origins.contains(origin)).any(|key| match asked {
            OpenTo::Tracking => key.permissions.allow(KeyPermission::Track),
            OpenTo::Trigger(name) => {
                let is_listed = |names: &HashSet<TriggerName>| names.iter().any(|it| it.as_str() == name);
                key.permissions.allow(KeyPermission::Trigger) && key.triggers.as_ref().is_none_or(is_listed)
            }
        })
    }

    /// The caller of the trigger, if these credentials may call it.
    ///
    /// # Errors
    /// See [`Rejected`].
    pub fn authorize_trigger(
        &self,
        trigger: &TriggerName,
        presented: &Presented,
    ) -> Result<Caller, Rejected> {
        let access = self.triggers.get(trigger);
        let digest = digest_of(presented);
        if let (Some(access), Presented::Pair { id, .. }) = (access, presented)
            && let Some(username) = own_username(access, id, &digest)
        {
            return Ok(self.caller(&username, &digest));
        }
        let entry = self.find(presented, &digest).ok_or(Rejected::Unknown)?;
        let narrowed_out = entry.triggers.as_ref().is_some_and(|triggers| !triggers.contains(trigger));
        let refused = access.is_none_or(|access| !access.api_keys);
        if refused || narrowed_out || !entry.permissions.allow(KeyPermission::Trigger) {
            return Err(Rejected::NotAllowed);
        }
        Ok(self.caller_by(entry, &digest))
    }

    /// The slow digests that a presented password is to be held against before it is asked who calls; usually none.
    pub fn to_prove(&self, trigger: &TriggerName, presented: &Presented) -> (Vec<Arc<SlowDigest>>, Digest) {
        let digest = digest_of(presented);
        let access = self.triggers.get(trigger).filter(|access| !access.slow.is_empty());
        let (Some(access), Presented::Pair { id, .. }) = (access, presented) else {
            return (Vec::new(), digest);
        };
        let of_name = access.slow.iter().filter(|(username, _)| username.as_ref() == id);
        let slow: Vec<Arc<SlowDigest>> = of_name.map(|(_, slow)| Arc::clone(slow)).collect();
        match slow.iter().any(|slow| slow.is_proven(&digest)) {
            true => (Vec::new(), digest),
            false => (slow, digest),
        }
    }

    /// The caller of something other than a trigger, if these credentials may ask for it.
    ///
    /// # Errors
    /// See [`Rejected`].
    pub fn authorize(&self, permission: KeyPermission, presented: &Presented) -> Result<Caller, Rejected> {
        let digest = digest_of(presented);
        let entry = self.find(presented, &digest).ok_or(Rejected::Unknown)?;
        if !entry.permissions.allow(permission) {
            return Err(Rejected::NotAllowed);
        }
        Ok(self.caller_by(entry, &digest))
    }

    /// Whether these are credentials by which some trigger may be called: its own, or a private key's. Whoever presents
    /// them may ask about calls that were made with them; a public token may stand in a page and is none.
    pub fn may_call_something(&self, presented: &Presented) -> bool {
        let Presented::Pair { id, .. } = presented else { return false };
        let digest = digest_of(presented);
        let is_own = self.triggers.values().any(|access| own_username(access, id, &digest).is_some());
        is_own
            || self
                .find(presented, &digest)
                .is_some_and(|entry| entry.permissions.allow(KeyPermission::Trigger))
    }

    fn find(&self, presented: &Presented, digest: &Digest) -> Option<&ApiKeyEntry> {
        let entry = match presented {
            Presented::Pair { id, .. } => self.private.get(id.as_str()),
            Presented::Token(_) => self.public.get(digest.as_bytes()),
        };
        // An unknown id is compared too, so that the time it takes does not tell which ids there are.
        let matches = entry.map_or(digest, |entry| &entry.digest).matches(digest);
        entry.filter(|_| matches)
    }
}

fn own_username(access: &TriggerAccess, id: &str, digest: &Digest) -> Option<Arc<str>> {
    let mut found = None;
    let proven = access.slow.iter().filter(|(_, slow)| slow.is_proven(digest));
    if let Some((username, _)) = proven.into_iter().find(|(username, _)| username.as_ref() == id) {
        return Some(Arc::clone(username));
    }
    for (username, expected) in &access.basic {
        let matches = expected.matches(digest);
        if matches && username.as_ref() == id {
            found = Some(Arc::clone(username));
        }
    }
    found
}

fn digest_of(presented: &Presented) -> Digest {
    match presented {
        Presented::Pair { secret, .. } | Presented::Token(secret) => Digest::of(secret.expose()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::secret::Secret;

    fn pair(id: &str, secret: &str) -> Presented {
        Presented::Pair { id: id.into(), secret: Secret::new(secret) }
    }

    fn token(token: &str) -> Presented {
        Presented::Token(Secret::new(token))
    }

    fn entry(
        name: &str,
        secret: &str,
        permissions: &[KeyPermission],
        triggers: Option<&[&str]>,
    ) -> ApiKeyEntry {
        ApiKeyEntry {
            name: name.into(),
            digest: Digest::of(secret),
            permissions: permissions.iter().copied().collect(),
            triggers: triggers.map(|names| names.iter().map(|name| TriggerName::new(*name)).collect()),
            origins: Arc::default(),
            track: None,
        }
    }

    #[test]
    fn pages_are_let_in_where_a_public_key_lists_them() {
        let mut ring = Keyring::default();
        let origins = |of: &[&str]| Arc::new(of.iter().map(|it| normal_origin(it)).collect::<HashSet<_>>());
        let page = entry("key/page", "t1", &[KeyPermission::Trigger], Some(&["goal"]));
        ring.add_public(ApiKeyEntry { origins: origins(&["HTTPS://Shop.example/"]), ..page });
        let blog = entry("key/blog", "t2", &[KeyPermission::Track], None);
        ring.add_public(ApiKeyEntry { origins: origins(&["https://blog.example"]), ..blog });
        let private = entry("key/crm", "s", &[KeyPermission::Trigger, KeyPermission::Track], None);
        ring.add_private("crm", ApiKeyEntry { origins: origins(&["https://crm.example"]), ..private });
        let open = |origin: &str, asked| ring.is_open_to_page(&normal_origin(origin), asked);
        assert!(open("https://shop.example", OpenTo::Trigger("goal")));
        assert!(open("https://blog.example", OpenTo::Tracking));
        for (origin, asked) in [
            ("https://shop.example", OpenTo::Trigger("storm")),
            ("https://shop.example", OpenTo::Tracking),
            ("http://shop.example", OpenTo::Trigger("goal")),
            ("https://shop.example:8443", OpenTo::Trigger("goal")),
            ("https://blog.example", OpenTo::Trigger("goal")),
            ("https://crm.example", OpenTo::Tracking),
            ("null", OpenTo::Tracking),
        ] {
            assert!(!open(origin, asked), "{origin} {asked:?}");
        }
    }

    fn ring() -> Keyring {
        let mut ring = Keyring::default();
        ring.add_private(
            "crm",
            entry("key/crm", "s1", &[KeyPermission::Track, KeyPermission::Trigger], None),
        );
        ring.add_private("one", entry("key/one", "s2", &[KeyPermission::Trigger], Some(&["goal"])));
        ring.add_private("log", entry("key/log", "s3", &[KeyPermission::ReadLog], None));
        ring.add_public(entry("key/page", "t1", &[KeyPermission::Trigger], Some(&["goal"])));
        let basic =
            vec![(Arc::from("storm-1"), Digest::of("old")), (Arc::from("storm-2"), Digest::of("new"))];
        let slow = vec![];
        ring.add_trigger(TriggerName::new("storm"), TriggerAccess { basic, slow, api_keys: true });
        let none = |api_keys| TriggerAccess { api_keys, ..TriggerAccess::default() };
        ring.add_trigger(TriggerName::new("goal"), none(true));
        ring.add_trigger(TriggerName::new("closed"), none(false));
        ring
    }

    fn call(trigger: &str, presented: &Presented) -> Result<String, Rejected> {
        let caller = ring().authorize_trigger(&TriggerName::new(trigger), presented);
        caller.map(|caller| caller.credential.to_string())
    }

    #[test]
    fn a_trigger_takes_its_own_credentials_old_and_new() {
        assert_eq!(call("storm", &pair("storm-1", "old")), Ok("storm-1".into()));
        assert_eq!(call("storm", &pair("storm-2", "new")), Ok("storm-2".into()));
        assert_eq!(call("storm", &pair("storm-2", "old")), Err(Rejected::Unknown));
        assert_eq!(call("goal", &pair("storm-2", "new")), Err(Rejected::Unknown));
    }

    #[test]
    fn a_password_known_by_its_slow_digest_only_is_taken_once_it_is_proven() {
        let slow = vec![(Arc::from("ann"), Arc::new(SlowDigest::of(&Digest::of("sommer")).unwrap()))];
        let (storm, mut ring) = (TriggerName::new("storm"), Keyring::default());
        ring.add_trigger(storm.clone(), TriggerAccess { slow, ..TriggerAccess::default() });
        let to_prove = |presented: &Presented| ring.to_prove(&storm, presented).0.len();
        assert_eq!((to_prove(&pair("bob", "sommer")), to_prove(&token("sommer"))), (0, 0));
        for (password, taken) in [("winter", false), ("sommer", true)] {
            let presented = pair("ann", password);
            assert!(ring.authorize_trigger(&storm, &presented).is_err());
            let (slow, digest) = ring.to_prove(&storm, &presented);
            assert_eq!(slow.len(), 1);
            assert_eq!(slow[0].prove(&digest), taken);
            assert_eq!(ring.authorize_trigger(&storm, &presented).is_ok(), taken);
        }
        assert_eq!(to_prove(&pair("ann", "sommer")), 0);
        assert!(ring.authorize_trigger(&storm, &pair("bob", "sommer")).is_err());
    }

    #[test]
    fn whoever_uses_what_is_about_to_end_is_known() {
        let mut ring = ring();
        ring.add_previous(&Digest::of("old"), "storm-trigger".into());
        let storm = TriggerName::new("storm");
        let outdated = |pair: &Presented| ring.authorize_trigger(&storm, pair).unwrap().outdated;
        assert_eq!(outdated(&pair("storm-1", "old")).as_deref(), Some("storm-trigger"));
        assert_eq!(outdated(&pair("storm-2", "new")), None);
        assert_eq!(outdated(&pair("crm", "s1")), None);
    }

    #[test]
    fn a_key_calls_what_it_is_for() {
        assert_eq!(call("storm", &pair("crm", "s1")), Ok("key/crm".into()));
        assert_eq!(call("storm", &pair("crm", "s2")), Err(Rejected::Unknown));
        assert_eq!(call("storm", &pair("one", "s2")), Err(Rejected::NotAllowed));
        assert_eq!(call("goal", &pair("one", "s2")), Ok("key/one".into()));
        assert_eq!(call("storm", &pair("log", "s3")), Err(Rejected::NotAllowed));
        assert_eq!(call("closed", &pair("crm", "s1")), Err(Rejected::NotAllowed));
        assert_eq!(call("goal", &token("t1")), Ok("key/page".into()));
        assert_eq!(call("storm", &token("t1")), Err(Rejected::NotAllowed));
        assert_eq!(call("goal", &token("t2")), Err(Rejected::Unknown));
        assert_eq!(call("goal", &token("s1")), Err(Rejected::Unknown));
    }

    #[test]
    fn who_calls_may_ask_about_their_calls_and_nobody_else() {
        let ring = ring();
        for caller in [pair("storm-1", "old"), pair("storm-2", "new"), pair("one", "s2"), pair("crm", "s1")] {
            assert!(ring.may_call_something(&caller), "{caller:?}");
        }
        for other in [pair("storm-2", "old"), pair("log", "s3"), token("t1"), pair("nobody", "x")] {
            assert!(!ring.may_call_something(&other), "{other:?}");
        }
    }

    #[test]
    fn the_api_asks_for_a_permission() {
        let ring = ring();
        assert!(ring.authorize(KeyPermission::ReadLog, &pair("log", "s3")).is_ok());
        assert_eq!(ring.authorize(KeyPermission::Control, &pair("log", "s3")), Err(Rejected::NotAllowed));
        assert_eq!(ring.authorize(KeyPermission::ReadLog, &pair("storm-1", "old")), Err(Rejected::Unknown));
    }
}
