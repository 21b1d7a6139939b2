//! What every store promises, told against the traits and run on each database.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../harness/mod.rs"]
mod harness;

mod address;
mod certificate;
mod customers;
mod in_force;
mod indexes;
mod partitions;
mod plans;
mod poolers;
mod postgres;
mod replicas;
mod retention;
mod retention_days;
mod retention_world;
mod schema;
mod slow;
mod tls;
mod transitions;
mod upgrades;

/// Tells each story of what is removed in a new place of a database.
macro_rules! removed_on {
    ($database:ident: $($story:ident),* $(,)?) => {
        mod $database {
            use crate::harness::Place;

            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $story() {
                    crate::retention::$story(Place::$database()).await;
                }
            )*
        }
    };
}

macro_rules! removed_on_both {
    ($($stories:tt)*) => {
        removed_on! { sqlite: $($stories)* }
        removed_on! { postgres: $($stories)* }
    };
}

mod removed {
    removed_on_both! {
        what_is_old_and_at_its_end_goes_with_all_that_belongs_to_it,
        what_is_not_at_its_end_stays_and_goes_on,
        whoever_ends_between_two_batches_leaves_whole_calls_only,
        keys_refuse_repetitions_for_as_long_as_they_are_valid,
        numbers_are_never_given_again,
        versions_stay_while_something_may_need_them,
        a_call_with_a_delivery_that_is_sent_again_stays,
        counts_and_pauses_go_and_what_is_young_stays,
        without_a_length_of_time_nothing_goes_but_what_was_begun,
        events_go_from_histories_and_side_tables_alike,
        a_late_outcome_of_what_is_gone_changes_nothing,
    }
}

mod deliveries {
    use crate::harness::Place;

    #[tokio::test]
    async fn follow_the_table_on_sqlite() {
        crate::transitions::the_table_is_followed(Place::sqlite()).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn follow_the_table_on_postgres() {
        crate::transitions::the_table_is_followed(Place::postgres()).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn are_written_in_the_order_of_their_step_on_sqlite() {
        crate::transitions::a_step_is_written_in_its_order(Place::sqlite()).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn are_written_in_the_order_of_their_step_on_postgres() {
        crate::transitions::a_step_is_written_in_its_order(Place::postgres()).await;
    }
}

/// Runs each story in a new place of a database: those of customers on an open store, those of indexes on the place,
/// because they open it again.
macro_rules! on {
    ($database:ident: customers: $($story:ident),*; indexes: $($index_story:ident),* $(,)?) => {
        mod $database {
            use std::time::Duration;

            use crate::harness::Place;

            $(
                #[tokio::test]
                async fn $story() {
                    let place = Place::$database();
                    let store = place.open(Duration::from_secs(3_600)).await;
                    crate::customers::$story(&*store).await;
                    store.close().await;
                }
            )*
            $(
                #[tokio::test]
                async fn $index_story() {
                    crate::indexes::$index_story(&Place::$database()).await;
                }
            )*
        }
    };
}

macro_rules! on_both {
    ($($stories:tt)*) => {
        on! { sqlite: $($stories)* }
        on! { postgres: $($stories)* }
    };
}

mod stories {
    on_both! {
        customers:
            attributes_and_consents_are_merged,
            a_null_keeps_its_place_in_a_list,
            attributes_are_seen_by_a_look_at_some_customers,
            null_removes_and_only_what_is_named_changes,
            ids_are_case_sensitive,
            an_id_of_another_customer_refuses_its_line_only,
            an_event_creates_its_customer,
            events_come_in_order_of_time_then_arrival,
            only_the_events_asked_for_are_loaded,
            the_newest_events_are_read_whatever_their_types_as_far_as_they_fit,
            customers_come_in_the_order_of_their_keys,
            numbers_are_kept_exactly,
            a_document_that_grows_too_large_refuses_its_line;
        indexes:
            is_used_once_complete_and_says_so_before,
            goes_on_being_filled_after_a_restart_and_is_kept_by_every_write,
            is_kept_for_its_grace_and_then_dropped,
            values_are_compared_by_index_as_they_are_everywhere,
    }
}
