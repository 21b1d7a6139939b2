//! What every store promises, told against the traits and run on each database.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../harness/mod.rs"]
mod harness;

mod customers;
mod indexes;
mod postgres;

/// Runs each story on a fresh SQLite file.
macro_rules! on_sqlite {
    ($suite:ident: $($story:ident),* $(,)?) => {
        mod $suite {
            $(
                #[tokio::test]
                async fn $story() {
                    let folder = tempfile::tempdir().unwrap();
                    let store = fanfare::store::sqlite::SqliteCustomers::open(&folder.path().join("customers.db"));
                    let store = store.unwrap();
                    crate::$suite::$story(&store).await;
                    store.close().await;
                }
            )*
        }
    };
}

mod sqlite {
    on_sqlite! { customers:
        attributes_and_consents_are_merged,
        null_removes_and_only_what_is_named_changes,
        ids_are_case_sensitive,
        an_id_of_another_customer_refuses_its_line_only,
        an_event_creates_its_customer,
        events_come_in_order_of_time_then_arrival,
        only_the_events_asked_for_are_loaded,
        customers_come_in_the_order_of_their_keys,
        numbers_are_kept_exactly,
        a_document_that_grows_too_large_refuses_its_line,
    }
}
