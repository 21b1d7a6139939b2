//! Who may ask: a handler that takes `May<ReadLog>` is only reached by a key with that permission.

use std::marker::PhantomData;

use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use jiff::Timestamp;

use super::ApiState;
use super::problem::ApiProblem;
use super::view::Reader;
use crate::domain::credentials::{Caller, KeyPermission, Presented, Rejected};
use crate::runtime::http::ingest::origin;
use crate::runtime::http::server::PublicKeysOnly;
use crate::store::calls::CallRecord;

/// A permission as a type.
pub trait Needs: Send + Sync {
    /// The permission.
    const PERMISSION: KeyPermission;
}

macro_rules! permissions {
    ($($(#[$doc:meta])* $name:ident;)*) => {
        $(
            $(#[$doc])*
            #[derive(Debug)]
            pub struct $name;

            impl Needs for $name {
                const PERMISSION: KeyPermission = KeyPermission::$name;
            }
        )*
    };
}

permissions! {
    /// Write customers and events.
    Track;
    /// Read calls and deliveries.
    ReadLog;
    /// Read customers.
    ReadCustomers;
    /// Resend, close, pause, resume, cancel.
    Control;
}

/// A caller who has proven to have the permission.
#[derive(Debug)]
pub struct May<N> {
    /// Who.
    pub caller: Caller,
    needs: PhantomData<N>,
}

/// A caller who may read the whole log, or ask about the calls that were made with the same credentials.
///
/// The caller of a call may see what becomes of it; that needs no key with `ReadLog`.
#[derive(Debug)]
pub struct MayReadOwn {
    /// Absent for one who may read the whole log.
    own: Option<(Presented, Rejected)>,
}

impl MayReadOwn {
    /// Who reads: the credentials that made a call learn nothing about single customers.
    pub(super) fn reader(&self) -> Reader {
        if self.own.is_some() { Reader::Caller } else { Reader::Log }
    }

    /// Refuses a caller whose call it is not, in the same words as where there is no such call.
    ///
    /// # Errors
    /// The caller may not see it.
    pub(super) fn check(&self, api: &ApiState, call: Option<&CallRecord>) -> Result<(), ApiProblem> {
        let Some((presented, rejected)) = &self.own else { return Ok(()) };
        let is_theirs = call.is_some_and(|call| {
            let caller = api.app.keyring.load().authorize_trigger(&call.trigger, presented);
            caller.is_ok_and(|caller| call.credential.as_deref() == Some(&*caller.credential))
        });
        match (is_theirs, rejected) {
            (true, _) => Ok(()),
            (false, Rejected::Unknown) => Err(ApiProblem::unauthorized()),
            (false, Rejected::NotAllowed) => Err(ApiProblem::forbidden(KeyPermission::ReadLog.word())),
        }
    }
}

impl FromRequestParts<ApiState> for MayReadOwn {
    type Rejection = ApiProblem;

    async fn from_request_parts(parts: &mut Parts, api: &ApiState) -> Result<Self, ApiProblem> {
        let (presented, now) = (presented(parts), Timestamp::now());
        let keyring = api.app.keyring.load();
        match presented.as_ref().map(|it| (it, keyring.authorize(KeyPermission::ReadLog, it))) {
            Some((_, Ok(caller))) => {
                api.app.outdated.note(&caller, now);
                Ok(MayReadOwn { own: None })
            }
            // Before the store is asked, so that it is asked only for callers who could have made a call.
            Some((presented, Err(rejected))) if keyring.may_call_something(presented) => {
                Ok(MayReadOwn { own: Some((presented.clone(), rejected)) })
            }
            Some((_, Err(Rejected::NotAllowed))) => Err(ApiProblem::forbidden(KeyPermission::ReadLog.word())),
            Some((_, Err(Rejected::Unknown))) | None => Err(unknown(parts, api, presented.as_ref(), now)),
        }
    }
}

impl<N: Needs> FromRequestParts<ApiState> for May<N> {
    type Rejection = ApiProblem;

    async fn from_request_parts(parts: &mut Parts, api: &ApiState) -> Result<Self, ApiProblem> {
        let (presented, now) = (presented(parts), Timestamp::now());
        let keyring = api.app.keyring.load();
        match presented.as_ref().map(|presented| keyring.authorize(N::PERMISSION, presented)) {
            Some(Ok(caller)) if !caller.stands_in_page(origin(&parts.headers)) => {
                Err(ApiProblem::forbidden_origin())
            }
            // What anybody can reach writes what a Public key lists, and nothing more.
            Some(Ok(caller))
                if caller.track.is_none() && parts.extensions.get::<PublicKeysOnly>().is_some() =>
            {
                Err(ApiProblem::public_keys_only())
            }
            Some(Ok(caller)) => {
                api.app.outdated.note(&caller, now);
                Ok(May { caller, needs: PhantomData })
            }
            Some(Err(Rejected::NotAllowed)) => Err(ApiProblem::forbidden(N::PERMISSION.word())),
            Some(Err(Rejected::Unknown)) | None => Err(unknown(parts, api, presented.as_ref(), now)),
        }
    }
}

fn presented(parts: &Parts) -> Option<Presented> {
    match parts.headers.get(AUTHORIZATION) {
        Some(value) => Presented::from_authorization(value.as_bytes()).ok(),
        None => parts.uri.query().and_then(Presented::from_query),
    }
}

/// Refuses a caller without valid credentials, and slows it down if it guesses.
fn unknown(parts: &Parts, api: &ApiState, presented: Option<&Presented>, now: Timestamp) -> ApiProblem {
    let peer = parts.extensions.get().copied();
    let slowed = api.app.guesses.failed(presented, peer, now);
    slowed.map_or_else(ApiProblem::unauthorized, ApiProblem::guessing)
}
