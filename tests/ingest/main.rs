//! Calls over real sockets into a real ledger of each database: each rule of admission, and what the trigger log then
//! shows.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../harness/mod.rs"]
mod harness;

mod admission;
mod api;
mod batch;
mod bodies;
mod connections;
mod durability;
mod guessing;
mod keys;
mod limits;
mod mapping;
mod pages;
mod refusals;
mod world;

/// Tells each story in a new place of a database.
macro_rules! on {
    ($database:ident: $($module:ident: $($story:ident),* $(,)?;)*) => {
        mod $database {
            use crate::harness::Place;

            $($(
                #[tokio::test(flavor = "multi_thread")]
                async fn $story() {
                    crate::$module::$story(Place::$database()).await;
                }
            )*)*
        }
    };
}

macro_rules! on_both {
    ($($stories:tt)*) => {
        on! { sqlite: $($stories)* }
        on! { postgres: $($stories)* }
    };
}

mod held {
    // What connections do is the same on any database.
    on! { sqlite:
        connections:
            who_sends_nothing_locks_nobody_out,
            one_peer_has_so_many_connections_and_takes_none_from_others,
            who_reads_no_answer_is_given_up,
            so_many_requests_come_ahead_of_their_answers,
            who_only_writes_hears_why_a_body_is_not_taken,
            what_is_left_of_a_body_does_not_end_its_connection;
    }
}

mod told {
    on_both! {
        admission:
            a_call_is_on_disk_when_it_is_answered,
            method_and_size_come_before_authentication,
            a_body_that_does_not_say_its_length_is_cut_at_the_limit,
            every_wrong_parameter_is_named,
            what_cannot_be_read_is_400_and_what_is_not_taken_415,
            keys_are_let_in_as_far_as_they_go;
        api:
            the_log_pages_and_filters,
            a_page_with_large_params_ends_early_and_goes_on_behind,
            what_no_name_holds_is_not_found_and_no_error,
            a_call_shows_what_came_of_it,
            a_key_may_do_what_it_is_for_and_nothing_else,
            probes_metrics_and_the_description_are_for_everyone,
            every_problem_is_sent_as_it_is_described,
            a_batch_that_is_too_large_is_a_problem_like_others;
        batch:
            each_element_becomes_a_call_once,
            one_wrong_element_refuses_the_request,
            none_is_fine_a_thousand_is_most_and_no_list_is_refused,
            the_idempotency_key_is_the_requests;
        bodies:
            json_is_read_however_it_is_announced,
            what_is_not_json_says_what_is_taken,
            json_that_is_sent_as_a_form_is_told_which_header_to_send,
            compressed_bodies_are_unpacked_within_bounds,
            customers_and_events_are_read_the_same_way,
            one_more_slash_is_taken,
            a_newline_behind_a_credential_is_no_part_of_it;
        guessing:
            a_name_that_is_guessed_at_is_slowed_and_its_password_passes,
            a_peer_that_makes_up_names_is_slowed_and_its_neighbours_pass,
            guesses_are_counted_and_in_no_flood_of_entries;
        durability:
            nothing_is_answered_before_its_commit,
            a_store_that_is_away_or_full_is_503_and_keeps_nothing,
            one_call_that_cannot_be_kept_takes_no_other_with_it;
        keys:
            of_many_at_once_with_one_key_exactly_one_is_new,
            another_body_is_a_conflict_and_another_credential_another_key,
            no_refusal_occupies_a_key,
            one_happening_is_one_call_however_often_it_is_reported,
            numbers_that_are_equal_report_one_happening,
            a_key_is_free_again_when_it_has_expired;
        limits:
            what_is_already_expired_is_refused_and_what_will_be_is_kept_with_its_time,
            a_length_counts_from_the_receipt,
            duplicates_take_no_place_of_the_rate_window,
            a_restart_forgets_no_call_of_the_rate_window;
        mapping:
            params_come_from_body_headers_and_query,
            a_value_nests_as_deep_as_can_be_read_back,
            secrets_of_a_request_are_out_of_reach,
            fields_that_a_mapping_reads_are_known,
            with_for_each_the_fields_around_the_elements_are_checked_too,
            members_keep_the_order_in_which_they_were_posted,
            a_form_is_read_as_the_declared_types,
            a_null_element_is_refused_by_its_own_index;
        pages:
            a_public_key_writes_what_it_lists_of_whom_is_proven,
            a_conflict_names_nobody_to_a_page,
            pages_are_let_in_by_the_origins_that_a_public_key_lists,
            a_beacon_is_taken,
            what_may_be_exposed_takes_public_keys_where_they_write_and_nothing_else;
        refusals:
            a_refused_call_is_in_the_log_without_what_it_brought,
            a_flood_is_counted,
            a_caller_that_hangs_up_in_its_body_leaves_no_call,
            a_head_that_is_too_large_is_answered_as_one_that_cannot_be_read;
    }
}
