//! The tables of the engine's results, with the names of its JSON fields.

use super::kind::Kind;
use super::{Column, Table, column};

pub const STEPS: Table =
    Table { name: "steps", about: "One thing that happened to one image.", columns: steps };
pub const IMAGES: Table = Table {
    name: "images",
    about: "One image: a digest in a repository, and what became of it.",
    columns: images,
};
pub const TAGS: Table =
    Table { name: "tags", about: "One stretch of time in which one tag was on one image.", columns: tags };
pub const FINDINGS: Table =
    Table { name: "findings", about: "One image that was lost, or is about to be.", columns: findings };
pub const FORECAST: Table = Table {
    name: "forecast",
    about: "One living image, and what the lifecycle policy in force has in store for it.",
    columns: forecast,
};
pub const WHATIF: Table = Table {
    name: "whatif",
    about: "One image under another lifecycle policy, beside what the logs say.",
    columns: whatif,
};
pub const POLICIES: Table = Table {
    name: "policies",
    about: "One rule of a lifecycle policy that is in force when the logs end, and what it took.",
    columns: policies,
};
pub const REFERENCES: Table = Table {
    name: "references",
    about: "One mention of an image by a task definition, a service or a function.",
    columns: references,
};
/// Written by `verify` only: queries do not check signatures.
pub const OBJECTS: Table =
    Table { name: "objects", about: "One object, and how it stands.", columns: objects };
pub const COVERAGE: Table =
    Table { name: "coverage", about: "What was read: a single row.", columns: coverage };

const TIME: Kind = Kind::Timestamp { zoned: true };

fn text(name: &'static str) -> Column {
    column(name, Kind::Varchar)
}

fn number(name: &'static str) -> Column {
    column(name, Kind::Bigint)
}

fn time(name: &'static str) -> Column {
    column(name, TIME)
}

fn texts(name: &'static str) -> Column {
    column(name, Kind::array(Kind::Varchar))
}

/// The image: first columns of most tables.
fn image() -> Vec<Column> {
    vec![text("registry_id"), text("region"), text("repository"), text("digest")]
}

/// The record that a row rests on.
fn event() -> Vec<Column> {
    vec![
        text("event_id"),
        text("event_name"),
        time("event_time"),
        text("actor"),
        text("source_ip"),
        text("user_agent"),
        text("object"),
        number("record"),
    ]
}

fn steps() -> Vec<Column> {
    let mut columns = image();
    columns.extend([time("time"), text("kind"), text("tag"), text("other_digest"), text("order_certainty")]);
    columns.extend(event());
    columns
}

fn images() -> Vec<Column> {
    let mut columns = image();
    columns.extend([
        text("state"),
        texts("tags"),
        time("pushed_at"),
        time("untagged_at"),
        text("untagged_by"),
        time("gone_at"),
        column("open_start", Kind::Boolean),
        number("lives"),
        texts("parents"),
        texts("children"),
        text("media_type"),
        number("pulls"),
        number("steps"),
        time("first_step_time"),
        time("last_step_time"),
    ]);
    columns
}

fn tags() -> Vec<Column> {
    vec![
        text("registry_id"),
        text("region"),
        text("repository"),
        text("tag"),
        text("digest"),
        // NULL if the logs do not show what gave it.
        time("since_time"),
        text("since_event_id"),
        text("since_actor"),
        // NULL while the image has the tag.
        time("until_time"),
        text("ended"),
        text("until_event_id"),
        text("until_actor"),
        text("moved_to"),
        number("pulls"),
        // In the time between this span and the next, when no image had the tag.
        number("asked_in_vain"),
        text("order_certainty"),
    ]
}

fn findings() -> Vec<Column> {
    let mut columns = vec![
        text("id"),
        text("kind"),
        text("severity"),
        text("registry_id"),
        text("region"),
        text("repository"),
    ];
    columns.extend([
        text("tag"),
        text("lost_digest"),
        text("kept_digest"),
        time("pushed_at"),
        time("untagged_at"),
        time("gone_at"),
        time("first_push_time"),
        text("first_push_actor"),
        text("first_push_event_id"),
        time("second_push_time"),
        text("second_push_actor"),
        text("second_push_event_id"),
        number("gap_seconds"),
        text("order_certainty"),
        time("deletion_time"),
        text("deletion_actor"),
        text("deletion_event_id"),
        number("rule_priority"),
        number("exposure_seconds"),
        number("pulls_before"),
        number("pulls_while_untagged"),
        number("pulls_after_gone"),
        number("scanner_pulls"),
        time("last_pull_time"),
        text("last_pull_actor"),
        text("last_pull_event_id"),
        texts("principals"),
        texts("references_seen"),
        text("summary"),
        texts("advice"),
        // The second push; or the event that took the image, tag or access; or the first failure.
        time("event_time"),
        text("event_name"),
        text("event_actor"),
        text("event_id"),
    ]);
    columns
}

fn flag(name: &'static str) -> Column {
    column(name, Kind::Boolean)
}

fn forecast() -> Vec<Column> {
    let mut columns = image();
    columns.extend([
        texts("tags"),
        text("state"),
        time("pushed_at"),
        time("untagged_at"),
        flag("open_start"),
        flag("displaced"),
        time("displaced_by_time"),
        text("displaced_by_event_id"),
        text("displaced_by_actor"),
        text("displaced_tag"),
        text("outlook"),
        number("rule_priority"),
        text("action"),
        time("eligible_at"),
        time("expected_by"),
        flag("no_grace"),
        number("survives_pushes"),
        texts("held_by"),
        flag("needed"),
        text("severity"),
        texts("needed_by"),
        number("pulls_before"),
        number("pulls_while_untagged"),
        time("last_pull_time"),
        text("last_pull_event_id"),
        text("last_pull_actor"),
        texts("principals"),
        texts("references_seen"),
        time("policy_event_time"),
        text("policy_event_id"),
        text("policy_event_actor"),
        text("summary"),
    ]);
    columns
}

fn whatif() -> Vec<Column> {
    let mut columns = image();
    columns.extend([
        texts("tags"),
        time("pushed_at"),
        time("untagged_at"),
        flag("displaced"),
        text("outcome"),
        time("would_go_at"),
        text("run"),
        time("run_event_time"),
        text("run_event_id"),
        text("run_event_actor"),
        number("rule_priority"),
        text("action"),
        time("went_at"),
        time("logged_event_time"),
        text("logged_event_id"),
        text("logged_event_actor"),
        number("logged_rule_priority"),
        number("pulls_before"),
        number("pulls_while_untagged"),
        number("pulls_after_gone"),
        number("scanner_pulls"),
        time("last_pull_time"),
        text("last_pull_event_id"),
        text("last_pull_actor"),
        flag("pulled_after"),
        flag("needed"),
        text("severity"),
        texts("pinned_by"),
        texts("principals"),
        texts("references_seen"),
        text("explanation"),
        text("summary"),
    ]);
    columns
}

fn policies() -> Vec<Column> {
    vec![
        text("registry_id"),
        text("region"),
        text("repository"),
        // The event since which the policy is known: PutLifecyclePolicy, or the first run that states it.
        time("since"),
        text("event_id"),
        text("event_name"),
        number("rule_priority"),
        text("description"),
        text("action"),
        text("tag_status"),
        texts("tag_prefixes"),
        texts("tag_patterns"),
        text("count_type"),
        number("count_number"),
        text("count_unit"),
        number("images"),
        time("first_time"),
        time("last_time"),
        text("rule"),
    ]
}

fn references() -> Vec<Column> {
    let mut columns = image();
    columns.extend([time("time"), text("kind"), text("tag")]);
    columns.extend(event());
    columns
}

fn objects() -> Vec<Column> {
    ["kind", "object", "verdict", "severity", "reason", "vouched_by", "expected_sha256", "actual_sha256"]
        .map(text)
        .into()
}

fn coverage() -> Vec<Column> {
    vec![
        number("objects_listed"),
        number("objects_read"),
        number("objects_skipped"),
        number("objects_left_out"),
        number("objects_failed"),
        number("bytes_compressed"),
        number("bytes_decompressed"),
        number("records"),
        number("records_relevant"),
        number("records_duplicate"),
        number("records_failed"),
        number("records_skipped"),
        number("lines_skipped"),
        number("records_repaired"),
        number("repaired_json_text"),
        number("repaired_null_word"),
        number("repaired_time"),
        number("repaired_time_without_zone"),
        number("repaired_key"),
        number("repaired_value"),
        number("repaired_list"),
        number("repaired_character"),
        number("repaired_event_id"),
        number("events_sharing_an_id"),
        time("first_event_time"),
        time("last_event_time"),
        column("partial", Kind::Boolean),
        texts("warnings"),
    ]
}
