//! The bodies of answers: audiences as nodes of the graph, with the fields that were asked for.

use serde_json::{Map, Value, json};

use super::refusal::GraphError;
use crate::store::MetaAudience;

/// Smallest number that is told of the members of an audience.
const COUNT_MIN: u64 = 1000;

/// Members below which an audience cannot be used.
const USABLE_MIN: u64 = 100;

/// All fields of a custom audience.
const FIELDS: [&str; 43] = [
    "account_id",
    "approximate_count_lower_bound",
    "approximate_count_upper_bound",
    "audience_labels",
    "customer_file_source",
    "data_source",
    "data_source_types",
    "datafile_custom_audience_uploading_status",
    "delete_time",
    "delivery_status",
    "description",
    "excluded_custom_audiences",
    "external_event_source",
    "household_audience",
    "id",
    "included_custom_audiences",
    "is_eligible_for_sac_campaigns",
    "is_household",
    "is_snapshot",
    "is_value_based",
    "lookalike_audience_ids",
    "lookalike_spec",
    "name",
    "operation_status",
    "opt_out_link",
    "owner_business",
    "page_deletion_marked_delete_time",
    "permission_for_actions",
    "pixel_id",
    "regulated_audience_spec",
    "retention_days",
    "rev_share_policy_id",
    "rule",
    "rule_aggregation",
    "rule_v2",
    "seed_audience",
    "sharing_status",
    "subtype",
    "tags",
    "time_content_updated",
    "time_created",
    "time_updated",
    "usage_restriction",
];

/// Refuses a field that audiences do not have.
pub(super) fn check_fields(fields: &[String]) -> Result<(), GraphError> {
    match fields.iter().position(|field| !FIELDS.contains(&field.as_str())) {
        None => Ok(()),
        Some(index) => Err(GraphError::parameter(format!(
            "Tried accessing nonexisting field (the {}. of fields) on node type (CustomAudience)",
            index + 1
        ))),
    }
}

/// The node with these fields; its id is always among them. One without a value is left out.
pub(super) fn node(audience: &MetaAudience, fields: &[String]) -> Value {
    let mut node = Map::new();
    for field in fields {
        match value(audience, field) {
            Value::Null => {}
            value => {
                node.insert(field.clone(), value);
            }
        }
    }
    node.insert("id".to_owned(), value(audience, "id"));
    node.into()
}

fn value(meta: &MetaAudience, field: &str) -> Value {
    let audience = &meta.audience;
    match field {
        "id" => json!(audience.id.to_string()),
        "account_id" => json!(audience.ad_account.to_string()),
        "name" => json!(audience.name),
        "description" => json!(audience.description),
        "opt_out_link" => json!(audience.opt_out_link),
        "subtype" => json!("CUSTOM"),
        "customer_file_source" => json!(meta.customer_file_source),
        "approximate_count_lower_bound" => bounds(meta).map_or(json!(-1), |bounds| json!(bounds.0)),
        "approximate_count_upper_bound" => bounds(meta).map_or(json!(-1), |bounds| json!(bounds.1)),
        "data_source" => {
            json!({ "type": "FILE_IMPORTED", "sub_type": "HASHES_OR_USER_IDS", "creation_params": "[]" })
        }
        "delivery_status" => match audience.member_count {
            0..USABLE_MIN => {
                json!({ "code": 300, "description": "This audience is too small to be used." })
            }
            _ => json!({ "code": 200, "description": "This audience is ready for use." }),
        },
        "operation_status" => operation_status(meta),
        "is_value_based" => json!(false),
        "permission_for_actions" => json!({ "can_edit": true, "can_see_insight": true }),
        "retention_days" => json!(0),
        "time_created" => json!(meta.time_created),
        "time_updated" | "time_content_updated" => json!(audience.time_updated),
        _ => Value::Null,
    }
}

fn operation_status(meta: &MetaAudience) -> Value {
    if meta.is_flagged {
        json!({ "code": 471, "description": "Flagged: resolve the restrictions in Audience Manager." })
    } else if meta.is_busy {
        json!({ "code": 300, "description": "Audience membership is being updated." })
    } else if meta.audience.user_type.is_none() {
        json!({ "code": 410, "description": "No file has been uploaded." })
    } else {
        json!({ "code": 200, "description": "Normal" })
    }
}

/// What is told of the number of members: bounds of two digits, and nothing while it is changing.
fn bounds(meta: &MetaAudience) -> Option<(u64, u64)> {
    let count = meta.audience.member_count;
    if count == 0 || meta.is_busy {
        return None;
    }
    if count < COUNT_MIN {
        return Some((COUNT_MIN, COUNT_MIN));
    }
    let unit = 10_u64.pow(count.ilog10() - 1);
    let lower = count / unit * unit;
    Some((lower, lower + 2 * unit))
}
