//! Opens what a runtime keeps things in, however long its database takes to answer, and makes sure that it is its own.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;

use super::args::RuntimeCommand;
use crate::api::labels::TAKE_OVER_ANNOTATION;
use crate::cli::dev::data_folder::{DataFolder, DataFolderError};
use crate::domain::backoff::{ExponentialBackoff, drawn_jitter};
use crate::runtime::http::admin::AdminState;
use crate::runtime::stores::{Stores, StoresError};
use crate::store::StoreError;
use crate::store::in_force::Holder;
use crate::store::postgres::{self, DatabaseAddressError, PostgresAddress};

/// The wait between two attempts to reach the database.
const BACKOFF: ExponentialBackoff =
    ExponentialBackoff::new(Duration::from_millis(500), Duration::from_secs(10));

/// Why there is nothing to keep things in.
#[derive(Debug, thiserror::Error)]
pub(super) enum StoreProblem {
    /// The folder cannot be used.
    #[error(transparent)]
    Data(#[from] DataFolderError),
    /// The database or the files cannot be used.
    #[error(transparent)]
    Stores(#[from] StoresError),
    /// The file with the database's address cannot be read.
    #[error("cannot read the database's address from {file}: {source}")]
    File {
        /// The file.
        file: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// What is in it is no address.
    #[error("{file}: {source}")]
    Address {
        /// The file.
        file: String,
        /// What is wrong.
        source: DatabaseAddressError,
    },
    /// Two would each believe to be alone.
    #[error(
        "the tenant {tenant} is held by {holder} (cluster/namespace), and this is {here}; stop what serves it there and \
         hand it over with `kubectl annotate runtime {runtime} -n {} {TAKE_OVER_ANNOTATION}={holder}`, or, where no \
         operator starts this, with `--cluster-id {} --take-over-from {holder}`; or make a Runtime with another \
         spec.tenant", here.namespace, here.cluster
    )]
    HeldElsewhere {
        /// The tenant.
        tenant: String,
        /// Who holds it.
        holder: Box<Holder>,
        /// Who asked.
        here: Box<Holder>,
        /// The Runtime that it asked for.
        runtime: String,
    },
}

/// Stores, and what must be held as long as they are open.
pub(super) struct Opened {
    /// The stores.
    pub stores: Stores,
    /// The folder, which is given up when this is dropped.
    pub folder: Option<DataFolder>,
}

/// Opens the stores and takes the tenant.
///
/// # Errors
/// Something is wrong that waiting does not heal.
pub(super) async fn open(command: &RuntimeCommand, admin_state: &AdminState) -> Result<Opened, StoreProblem> {
    let opened = match (&command.data, &command.database_file) {
        (Some(folder), _) => {
            let held = DataFolder::hold(folder)?;
            Opened { stores: Stores::in_folder(folder)?, folder: Some(held) }
        }
        (None, file) => {
            let authority = command.database_ca_file.as_deref();
            let address = address(&file.clone().unwrap_or_default(), authority)?;
            let mut backoff = BACKOFF;
            loop {
                match Stores::on_postgres(&address, command.tenant()).await {
                    Ok(stores) => break Opened { stores, folder: None },
                    Err(error) if is_passing(&error) => wait(admin_state, &error, &mut backoff).await,
                    Err(error) => return Err(error.into()),
                }
            }
        }
    };
    hold(command, &opened.stores, admin_state).await?;
    Ok(opened)
}

fn address(file: &Path, authority: Option<&Path>) -> Result<PostgresAddress, StoreProblem> {
    let name = || file.display().to_string();
    let text = std::fs::read_to_string(file).map_err(|source| StoreProblem::File { file: name(), source })?;
    let read = PostgresAddress::read(text.trim(), authority);
    read.map_err(|source| StoreProblem::Address { file: name(), source })
}

async fn hold(
    command: &RuntimeCommand,
    stores: &Stores,
    admin_state: &AdminState,
) -> Result<(), StoreProblem> {
    let here = command.holder();
    let from = command.take_over_from.as_ref().map(|text| &text.0);
    let mut backoff = BACKOFF;
    let holder = loop {
        match stores.in_force.hold(&here, from, Timestamp::now()).await {
            Ok(holder) => break holder,
            Err(error) if error.is_transient() => wait(admin_state, &error, &mut backoff).await,
            Err(error) => return Err(StoresError::Store(error).into()),
        }
    };
    if holder == here {
        return Ok(());
    }
    stores.close().await;
    let (tenant, runtime) = (command.tenant().to_owned(), command.name.clone());
    Err(StoreProblem::HeldElsewhere { tenant, holder: Box::new(holder), here: Box::new(here), runtime })
}

async fn wait(
    admin_state: &AdminState,
    error: &(dyn std::error::Error + Sync),
    backoff: &mut ExponentialBackoff,
) {
    tracing::warn!(%error, "the store cannot be used yet; trying again");
    admin_state.set_awaits(Some(error.to_string()));
    tokio::time::sleep(backoff.failed(drawn_jitter())).await;
}

fn is_passing(error: &StoresError) -> bool {
    let of_store = |source: &StoreError| source.is_transient();
    match error {
        StoresError::Store(source) => of_store(source),
        StoresError::Postgres(postgres::PostgresOpenError::Store { source, .. }) => of_store(source),
        _ => false,
    }
}
