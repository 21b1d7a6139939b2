//! A connection of the test's own, past every proxy.

use tokio::runtime::Runtime;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, NoTls, Row};

use crate::checker::Ledger;
use crate::server::{SCHEMA, Server};

/// The connection.
pub struct Admin {
    runtime: Runtime,
    client: Client,
}

impl Admin {
    /// To a server that answers.
    pub fn of(server: &Server) -> Self {
        Self::try_of(server).expect("the server answers")
    }

    /// To one that may not.
    pub fn try_of(server: &Server) -> Option<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let url = format!("{}?options=-c%20search_path={SCHEMA}&application_name=checker", server.url());
        let connecting = async {
            let (client, connection) = tokio_postgres::connect(&url, NoTls).await.ok()?;
            tokio::spawn(connection);
            Some(client)
        };
        let client = runtime.block_on(connecting)?;
        Some(Self { runtime, client })
    }

    /// All rows of a statement that must succeed.
    pub fn query(&self, sql: &str, values: &[&(dyn ToSql + Sync)]) -> Vec<Row> {
        let rows = self.runtime.block_on(self.client.query(sql, values));
        rows.unwrap_or_else(|error| panic!("{sql}: {error:?}"))
    }

    /// All rows, or none if the server goes away.
    pub fn try_query(&self, sql: &str, values: &[&(dyn ToSql + Sync)]) -> Option<Vec<Row>> {
        self.runtime.block_on(self.client.query(sql, values)).ok()
    }

    /// Statements one after the other.
    pub fn batch(&self, sql: &str) {
        for statement in sql.split(';').filter(|statement| !statement.trim().is_empty()) {
            self.runtime
                .block_on(self.client.batch_execute(statement))
                .unwrap_or_else(|error| panic!("{statement}: {error:?}"));
        }
    }

    /// The ledger as the checker reads it.
    pub fn ledger(&self) -> Ledger {
        self.runtime.block_on(Ledger::read_from(&self.client))
    }

    /// Every page and every index is as it should be.
    pub fn assert_intact(&self) {
        self.runtime.block_on(Ledger::assert_intact(&self.client));
    }
}
