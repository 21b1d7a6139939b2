//! What the run engine promises, told on the real store of each database with providers that fail in every way.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../harness/mod.rs"]
mod harness;

mod accepting;
mod books;
mod crash_counts;
mod crashes;
mod ends;
mod fencing;
mod heard;
mod kills;
mod ledger;
mod pauses;
mod permission;
mod plans;
mod provider;
mod real;
mod refusals;
mod replicas;
mod rights;
mod sockets;
mod stories;
mod waits;
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

mod told {
    on_both! {
        ledger:
            only_the_owner_of_a_chunk_opens_windows,
            a_delivery_is_opened_once_unless_it_is_the_same_step_again,
            an_outcome_counts_only_while_its_attempt_is_under_way,
            a_run_that_was_told_to_stop_opens_nothing_more,
            neither_chunk_nor_run_is_done_while_something_is_open,
            who_lost_a_chunk_decides_nothing_in_it_and_still_brings_outcomes,
            a_wait_is_its_owners_and_is_woken_once,
            who_waits_in_a_run_that_failed_is_let_go;
        crash_counts:
            a_run_that_ends_its_process_three_times_is_failed_and_the_others_go_on,
            a_run_whose_writing_stands_still_is_failed_and_the_others_go_on;
        stories:
            one_call_reaches_everyone_once_and_adds_up,
            an_empty_audience_is_a_run_that_is_done,
            a_call_that_cannot_be_read_back_holds_up_no_other,
            an_unknown_is_held_where_nothing_tells_a_repetition_and_sent_again_where_something_does,
            a_channel_that_is_down_is_probed_and_holds_up_nobody,
            what_one_channel_cannot_send_holds_up_no_other_channel_of_the_same_run,
            a_channel_of_which_nothing_waits_any_more_is_probed_by_the_next_message,
            attempts_are_used_up_and_then_it_has_failed,
            what_comes_too_late_is_not_sent_and_is_counted,
            a_call_tells_of_every_end_its_runs_came_to,
            whom_a_run_left_out_is_kept_until_another_reaches_its_customers,
            a_stopped_scenario_sends_nothing_more_and_counts_exactly,
            a_clean_stop_leaves_nothing_in_doubt,
            a_broad_run_does_not_hold_up_a_narrow_one,
            a_broad_run_does_not_hold_up_a_narrow_one_where_the_concurrency_is_learned,
            what_is_under_way_follows_what_the_provider_bears;
        pauses:
            a_paused_scenario_rests_over_a_restart_while_others_go_on,
            a_pause_that_is_ended_at_once_loses_and_doubles_nothing,
            a_paused_channel_keeps_its_messages_and_the_other_sends,
            what_is_cancelled_while_it_rests_is_counted_exactly,
            a_run_that_expires_while_it_rests_comes_to_its_end;
        permission:
            who_withdraws_the_consent_while_a_message_waits_for_its_turn_is_not_written_to,
            who_withdraws_the_consent_while_the_channel_is_paused_is_not_written_to,
            who_withdraws_the_consent_before_the_next_attempt_is_not_written_to;
        refusals:
            an_outage_uses_no_attempt_from_the_first_message_on,
            an_outage_is_waited_for_no_longer_than_a_message_may_be_tried,
            who_is_refused_with_the_words_of_others_waits,
            two_recipients_refused_as_everyone_wait_and_are_served,
            who_is_refused_with_doubtful_words_while_others_are_served_fails,
            who_is_told_to_come_back_later_uses_no_attempt,
            refusals_of_single_recipients_stop_nobody,
            a_channel_whose_endpoint_is_gone_rests_until_a_person_resumes_it,
            who_opted_out_at_the_provider_has_withdrawn_the_consent,
            mails_that_refuse_us_at_the_recipient_are_sent_in_the_end;
        waits:
            who_waits_goes_on_once_and_the_run_adds_up,
            who_is_woken_before_the_chunk_is_done_is_counted_once,
            a_run_that_rests_is_told_and_survives_a_restart,
            a_run_that_rests_is_cancelled_by_a_person,
            a_run_that_rests_ends_with_its_scenario,
            a_wait_ends_when_its_call_expires,
            who_is_woken_while_the_scenario_is_paused_goes_on_when_it_is_resumed,
            what_was_held_before_the_wait_is_sent_again_while_the_run_rests;
        crashes:
            nothing_is_lost_doubled_or_decided_twice;
        sockets:
            without_a_fault_both_are_sent_once,
            a_throttled_message_is_sent_when_the_provider_said,
            who_is_throttled_for_longer_than_attempts_last_is_sent_once,
            a_500_is_unknown_held_for_sms_and_sent_again_with_the_same_id_for_webhooks,
            a_reset_after_the_body_is_unknown,
            a_provider_that_hangs_is_unknown_after_the_timeout,
            a_late_answer_is_an_answer,
            more_connections_are_used_at_a_provider_that_answers_late_unless_it_is_told_how_many,
            a_call_that_fires_nothing_is_done_with_the_reason,
            a_person_decides_what_is_held,
            a_held_delivery_that_is_closed_stays_unknown_and_the_run_adds_up;
    }
}
