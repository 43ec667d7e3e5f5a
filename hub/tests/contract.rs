//! What every [`Source`], every [`Destination`] and all [`References`] keep to, whichever hub it is: one suite, run against each on the sandbox.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod contract {
    pub mod admin;
    pub mod destination;
    pub mod references;
    pub mod source;
    pub mod spaces;
    pub mod toy;
    pub mod world;
}

use contract::world::{Protocol, Side, has_xet};
use hf2ms_hub::Hub::{HuggingFace, ModelScope};
use hf2ms_hub::RepoKind::{Dataset, Model, Space};

/// Runs each test of a suite for each hub and kind, under a name of its own.
macro_rules! suite {
    ($name:ident of $module:ident by $protocol:expr; $($test:ident),* $(,)?) => {
        mod $name {
            use super::*;

            mod hugging_face_models { use super::*; $(#[tokio::test] async fn $test() { contract::$module::$test(Side(HuggingFace, Model, $protocol)).await; })* }
            mod hugging_face_datasets { use super::*; $(#[tokio::test] async fn $test() { contract::$module::$test(Side(HuggingFace, Dataset, $protocol)).await; })* }
            mod modelscope_models { use super::*; $(#[tokio::test] async fn $test() { contract::$module::$test(Side(ModelScope, Model, $protocol)).await; })* }
            mod modelscope_datasets { use super::*; $(#[tokio::test] async fn $test() { contract::$module::$test(Side(ModelScope, Dataset, $protocol)).await; })* }
        }
    };
}

/// The same for Hugging Face alone, where the sandbox has Xet's storage.
macro_rules! suite_by_xet {
    ($name:ident of $module:ident by $protocol:expr; $($test:ident),* $(,)?) => {
        mod $name {
            use super::*;

            mod hugging_face_models { use super::*; $(#[tokio::test] async fn $test() { if has_xet(stringify!($test)) { contract::$module::$test(Side(HuggingFace, Model, $protocol)).await; } })* }
            mod hugging_face_datasets { use super::*; $(#[tokio::test] async fn $test() { if has_xet(stringify!($test)) { contract::$module::$test(Side(HuggingFace, Dataset, $protocol)).await; } })* }
        }
    };
}

/// The suite of sources, by one way to read them.
macro_rules! sources {
    ($suite:ident: $name:ident by $protocol:expr) => {
        $suite!($name of source by $protocol;
            the_account_is_the_tokens,
            a_repo_is_described_at_a_commit,
            what_is_absent_is_not_found,
            every_file_is_listed_with_size_and_digest,
            a_pinned_commit_is_read_though_the_branch_moves_on,
            files_are_read_whole_and_in_ranges,
            a_range_outside_the_file_is_invalid,
            a_file_that_is_lost_is_not_found,
            a_cut_body_is_an_error,
            an_expired_address_is_asked_for_again,
            a_refused_token_is_not_sent_again,
            storage_sees_no_credentials,
        );
    };
}

sources!(suite: source by Protocol::Api);
sources!(suite: source_by_git by Protocol::Git);
sources!(suite_by_xet: source_by_xet by Protocol::Xet);

// Xet gives a part of a file and does not tell how long all of it is: the digest tells.
suite!(longer_source of source by Protocol::Api; a_file_longer_than_listed_is_never_handed_on_whole);
suite!(longer_source_by_git of source by Protocol::Git; a_file_longer_than_listed_is_never_handed_on_whole);

/// The suite of destinations, by one way to write them.
macro_rules! destinations {
    ($suite:ident: $name:ident by $protocol:expr) => {
        $suite!($name of destination by $protocol;
            an_absent_repo_is_none_and_one_that_exists_a_conflict,
            a_private_repo_is_made_private,
            what_is_put_and_committed_is_listed,
            a_blob_that_is_stored_is_not_wanted_again,
            a_body_that_fails_leaves_nothing_stored,
            a_body_that_is_not_the_blob_is_never_stored,
            a_failed_check_is_an_error,
            a_blob_that_is_refused_costs_only_itself,
            files_are_replaced_and_deleted,
            the_head_is_the_commit_that_was_written,
            a_branch_that_moved_is_a_conflict_and_nothing_is_written,
            one_who_may_not_write_is_told_so,
            a_broken_upload_can_be_repeated,
        );
    };
}

destinations!(suite: destination by Protocol::Api);
destinations!(suite_by_xet: destination_by_xet by Protocol::Xet);

// By Xet nothing is read a second time: what is sent again is still in memory.
suite!(destination_in_parts of destination by Protocol::Api; a_part_that_reads_otherwise_the_second_time_is_not_stored);

suite!(references of references by Protocol::Api;
    branches_and_tags_are_told_with_their_commits,
    an_absent_repo_has_no_refs_and_is_not_found,
    a_branch_that_is_made_takes_commits_and_can_be_taken_away,
    a_tag_is_made_of_any_commit,
    a_branch_or_tag_that_exists_is_a_conflict_and_is_not_moved,
    no_commit_makes_a_branch,
    one_who_may_not_write_makes_neither,
);

/// What an owner does with a whole repo: a token of ModelScope may not.
macro_rules! owners {
    ($($test:ident),* $(,)?) => {
        mod admin {
            use super::*;

            mod hugging_face_models { use super::*; $(#[tokio::test] async fn $test() { contract::admin::$test(Side(HuggingFace, Model, Protocol::Api)).await; })* }
            mod hugging_face_datasets { use super::*; $(#[tokio::test] async fn $test() { contract::admin::$test(Side(HuggingFace, Dataset, Protocol::Api)).await; })* }
        }
    };
}

owners!(
    a_deleted_repo_is_gone,
    one_who_may_not_write_changes_nothing,
    a_lost_answer_to_a_deletion_is_looked_for,
    a_deletion_that_did_not_happen_is_no_success,
    a_moved_repo_answers_to_both_ids,
    a_repo_is_not_moved_onto_another,
    a_repo_is_hidden_and_says_so,
    a_setting_that_is_taken_and_ignored_is_no_success,
    what_others_added_is_counted_and_never_guessed,
    commits_are_counted_by_branch,
    files_are_counted_apart_from_the_listing,
);

/// The same for apps, which each hub has one kind of.
macro_rules! apps {
    ($($test:ident),* $(,)?) => {
        mod spaces {
            use super::*;

            mod hugging_face_spaces { use super::*; $(#[tokio::test] async fn $test() { contract::spaces::$test(Side(HuggingFace, Space, Protocol::Api)).await; })* }
            mod modelscope_studios { use super::*; $(#[tokio::test] async fn $test() { contract::spaces::$test(Side(ModelScope, Space, Protocol::Api)).await; })* }
        }
    };
}

apps!(
    an_app_is_created_with_its_sdk_and_what_may_be_seen_of_it,
    one_that_exists_is_a_conflict_and_files_alone_make_none,
    its_files_go_as_any_repos_do,
    a_stranger_creates_none,
);

/// The toy hub goes through what needs no fault: its server has none.
#[cfg(feature = "toy-hub")]
mod toy {
    use super::*;
    use hf2ms_hub::Hub::Toy;

    macro_rules! toy {
        ($module:ident: $($test:ident),* $(,)?) => {
            mod $module { use super::*; $(#[tokio::test] async fn $test() { contract::$module::$test(Side(Toy, Model, Protocol::Api)).await; })* }
        };
    }

    toy!(source:
        the_account_is_the_tokens,
        a_repo_is_described_at_a_commit,
        what_is_absent_is_not_found,
        every_file_is_listed_with_size_and_digest,
        a_pinned_commit_is_read_though_the_branch_moves_on,
        files_are_read_whole_and_in_ranges,
        a_range_outside_the_file_is_invalid,
    );

    toy!(destination:
        an_absent_repo_is_none_and_one_that_exists_a_conflict,
        a_private_repo_is_made_private,
        what_is_put_and_committed_is_listed,
        a_blob_that_is_stored_is_not_wanted_again,
        a_body_that_fails_leaves_nothing_stored,
        a_body_that_is_not_the_blob_is_never_stored,
        files_are_replaced_and_deleted,
        the_head_is_the_commit_that_was_written,
        a_branch_that_moved_is_a_conflict_and_nothing_is_written,
        one_who_may_not_write_is_told_so,
    );
}
