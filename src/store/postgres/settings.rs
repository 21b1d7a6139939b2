//! The settings of a session that promises rest on. They are made by SET once the connection is there, because a pooler
//! in between passes no `options` of the start on, and asked back in the next statement.

use super::connect::ConnectError;

/// A setting and its value, as the server writes it.
type Setting = (&'static str, &'static str);

/// Settings of every session. `synchronous_commit` is what a 202 rests on. A server that looks whether its client is
/// there ends statements whose client has gone: else there would be more statements at work than the pools have
/// connections.
const SESSION: &[Setting] = &[
    ("synchronous_commit", "on"),
    ("TimeZone", "UTC"),
    ("jit", "off"),
    ("lock_timeout", "2s"),
    ("client_connection_check_interval", "1s"),
    ("client_min_messages", "warning"),
];

/// What has no meaning on a socket of this machine, and is not asked back.
const NETWORK: &[Setting] = &[
    ("tcp_user_timeout", "10s"),
    ("tcp_keepalives_idle", "10"),
    ("tcp_keepalives_interval", "5"),
    ("tcp_keepalives_count", "3"),
];

/// The ledger's statements find rows by keys that are named in arrays. A plan is made once, mostly while a partition is
/// empty, and must be right when it holds millions: so that the arrays lead joins, and each row of them is looked up by
/// its whole key, nothing else is left to choose, and a step into an index costs little. The time that a transaction may
/// rest is under half a lease.
pub(super) const LEDGER: &[Setting] = &[
    ("statement_timeout", "5s"),
    ("idle_in_transaction_session_timeout", "3s"),
    ("plan_cache_mode", "force_generic_plan"),
    ("enable_seqscan", "off"),
    ("enable_bitmapscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    ("enable_material", "off"),
    ("random_page_cost", "0.01"),
    ("cpu_operator_cost", "0.0001"),
];

/// What is read by keys and by values has its index, and the program has chosen which. So the server is left no plan
/// that walks a table, and arrays lead joins; and steps into an index cost it little, so that it does not walk a
/// middling one, comparing each row with an array, where it can step to each value of the array. Plans are made anew,
/// with the values: a statement that reads a whole table says so. Writes are single statements here, so that only a snapshot is
/// ever left open while this process works, and that holds no row.
pub(super) const CUSTOMERS: &[Setting] = &[
    ("statement_timeout", "2min"),
    ("idle_in_transaction_session_timeout", "30s"),
    ("plan_cache_mode", "force_custom_plan"),
    ("enable_seqscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    ("random_page_cost", "0.01"),
    ("cpu_operator_cost", "0.0001"),
];

/// Who only listens asks nothing of a table.
pub(super) const LISTENER: &[Setting] = &[("statement_timeout", "5s")];

/// The statements that make these settings again, in a session of this kind in which work that takes long has changed them.
pub(super) fn to_make_again(own: &'static [Setting], names: &[&str]) -> String {
    let again = SESSION.iter().chain(own).filter(|(name, _)| names.contains(name));
    again.map(set).collect()
}

fn set((name, value): &Setting) -> String {
    format!("SET {name} = '{value}'; ")
}

/// The settings of one kind of session in one schema.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    schema: String,
    own: &'static [Setting],
}

/// What a session says of itself.
#[derive(Debug)]
pub(super) struct Told {
    /// Whether it takes writes.
    pub takes_writes: bool,
    /// The server's process.
    pub pid: String,
    /// The port from which the server sees its client come, if it comes by TCP.
    pub client_port: Option<String>,
}

impl Settings {
    pub(super) fn new(schema: &str, own: &'static [Setting]) -> Self {
        Settings { schema: schema.to_owned(), own }
    }

    fn asserted(&self) -> impl Iterator<Item = &'static Setting> {
        SESSION.iter().chain(self.own)
    }

    /// The statements that make them. A pooler may give a server on which another has prepared statements.
    pub(super) fn to_make(&self) -> String {
        let all = self.asserted().chain(NETWORK);
        let set: String = all.map(set).collect();
        format!("DEALLOCATE ALL; {set}SET search_path = {}", self.schema)
    }

    /// The question what has become of them, and of whom it is asked.
    pub(super) fn to_ask(&self) -> String {
        let settings: String =
            self.asserted().map(|(name, _)| format!(", current_setting('{name}')")).collect();
        format!(
            "SELECT current_setting('search_path'), current_schema(), to_regnamespace('{}') IS NULL,
                pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on',
                pg_backend_pid(), inet_client_port(){settings}",
            self.schema
        )
    }

    /// What the answer says.
    ///
    /// # Errors
    /// A setting is not as it was made.
    pub(super) fn judge(&self, row: &tokio_postgres::SimpleQueryRow) -> Result<Told, ConnectError> {
        let is = |column: usize| row.get(column) == Some("t");
        let differs = |setting: &str, found: Option<&str>| ConnectError::Setting {
            setting: setting.to_owned(),
            found: found.unwrap_or("nothing").to_owned(),
        };
        if row.get(0) != Some(self.schema.as_str()) {
            return Err(differs(&format!("search_path={}", self.schema), row.get(0)));
        }
        let (schema, is_absent) = (row.get(1), is(2));
        if schema != Some(self.schema.as_str()) && !is_absent {
            return Err(ConnectError::Schema { schema: self.schema.clone() });
        }
        for ((name, wanted), column) in self.asserted().zip(6..) {
            let found = row.get(column);
            if found != Some(wanted) {
                return Err(differs(&format!("{name}={wanted}"), found));
            }
        }
        Ok(Told {
            takes_writes: !is(3),
            pid: row.get(4).unwrap_or_default().to_owned(),
            client_port: row.get(5).map(str::to_owned),
        })
    }
}
