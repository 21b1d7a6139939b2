//! Who may ask: a handler that takes `May<ReadLog>` is only reached by a key with that permission.

use std::marker::PhantomData;

use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use jiff::Timestamp;

use super::Desk;
use super::problem::ApiProblem;
use crate::domain::credentials::{Caller, Permission, Presented, Rejected};
use crate::runtime::ingest::origin;

/// A permission as a type.
pub trait Needs: Send + Sync {
    /// The permission.
    const PERMISSION: Permission;
}

macro_rules! permissions {
    ($($(#[$doc:meta])* $name:ident;)*) => {
        $(
            $(#[$doc])*
            #[derive(Debug)]
            pub struct $name;

            impl Needs for $name {
                const PERMISSION: Permission = Permission::$name;
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

impl<N: Needs> FromRequestParts<Desk> for May<N> {
    type Rejection = ApiProblem;

    async fn from_request_parts(parts: &mut Parts, desk: &Desk) -> Result<Self, ApiProblem> {
        let presented = match parts.headers.get(AUTHORIZATION) {
            Some(value) => Presented::from_authorization(value.as_bytes()).ok(),
            None => parts.uri.query().and_then(Presented::from_query),
        };
        let now = Timestamp::now();
        let keyring = desk.app.keyring.load();
        match presented.as_ref().map(|presented| keyring.authorize(N::PERMISSION, presented)) {
            Some(Ok(caller)) if !caller.stands_in_page(origin(&parts.headers)) => {
                Err(ApiProblem::forbidden_origin())
            }
            Some(Ok(caller)) => {
                desk.app.outdated.note(&caller, now);
                Ok(May { caller, needs: PhantomData })
            }
            Some(Err(Rejected::NotAllowed)) => Err(ApiProblem::forbidden(N::PERMISSION.word())),
            Some(Err(Rejected::Unknown)) | None => {
                let peer = parts.extensions.get().copied();
                let slowed = desk.app.guesses.failed(presented.as_ref(), peer, now);
                Err(slowed.map_or_else(ApiProblem::unauthorized, ApiProblem::guessing))
            }
        }
    }
}
