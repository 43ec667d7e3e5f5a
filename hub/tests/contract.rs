//! What every [`Source`] and every [`Destination`] keeps to, whichever hub it is: one suite, run against each on the sandbox.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod contract {
    pub mod destination;
    pub mod source;
    pub mod world;
}

use contract::world::Side;
use hf2ms_hub::Hub::{HuggingFace, ModelScope};
use hf2ms_hub::RepoKind::{Dataset, Model};

/// Runs each test of a suite for each hub and kind, under a name of its own.
macro_rules! suite {
    ($module:ident: $($test:ident),* $(,)?) => {
        mod $module {
            use super::*;

            mod hugging_face_models { use super::*; $(#[tokio::test] async fn $test() { contract::$module::$test(Side(HuggingFace, Model)).await; })* }
            mod hugging_face_datasets { use super::*; $(#[tokio::test] async fn $test() { contract::$module::$test(Side(HuggingFace, Dataset)).await; })* }
            mod modelscope_models { use super::*; $(#[tokio::test] async fn $test() { contract::$module::$test(Side(ModelScope, Model)).await; })* }
            mod modelscope_datasets { use super::*; $(#[tokio::test] async fn $test() { contract::$module::$test(Side(ModelScope, Dataset)).await; })* }
        }
    };
}

suite!(source:
    the_account_is_the_tokens,
    a_repo_is_described_at_a_commit,
    what_is_absent_is_not_found,
    every_file_is_listed_with_size_and_digest,
    a_pinned_commit_is_read_though_the_branch_moves_on,
    files_are_read_whole_and_in_ranges,
    a_range_outside_the_file_is_invalid,
    a_file_that_is_lost_is_not_found,
    a_file_longer_than_listed_is_never_handed_on_whole,
    a_cut_body_is_an_error,
    an_expired_address_is_asked_for_again,
    a_refused_token_is_not_sent_again,
    storage_sees_no_credentials,
);

suite!(destination:
    an_absent_repo_is_none_and_one_that_exists_a_conflict,
    a_private_repo_is_made_private,
    what_is_put_and_committed_is_listed,
    a_blob_that_is_stored_is_not_wanted_again,
    a_body_that_fails_leaves_nothing_stored,
    parts_are_not_completed_before_the_body_ends_well,
    a_part_that_reads_otherwise_the_second_time_is_not_stored,
    a_failed_check_is_an_error,
    a_blob_that_is_refused_costs_only_itself,
    files_are_replaced_and_deleted,
    the_head_is_the_commit_that_was_written,
    a_branch_that_moved_is_a_conflict_and_nothing_is_written,
    one_who_may_not_write_is_told_so,
    a_broken_upload_can_be_repeated,
);
