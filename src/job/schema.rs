//! The JSON schema of the job file, made from the structs that read it.

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::file::JobFile;

/// The JSON schema of the job file, for editors.
pub fn schema() -> String {
    format!("{:#}\n", value())
}

pub(super) fn value() -> Value {
    let settings =
        SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let mut schema = settings.into_generator().into_root_schema_for::<JobFile>().to_value();
    settle(&mut schema);
    schema["$defs"]["variable"] =
        json!({ "type": "string", "pattern": r"\$\{", "description": "A variable." });
    schema
}

/// Takes out null, which TOML has not, and lets a variable stand for every value that is not any text.
fn settle(schema: &mut Value) {
    if let Value::String(description) = &mut schema["description"] {
        *description = description.replace('\n', " ");
    }
    let children = schema["properties"].as_object_mut().into_iter().flat_map(Map::values_mut);
    for property in children {
        without_null(property);
        if let Value::String(description) = &mut property["description"] {
            *description = description.replace('\n', " ");
        }
        let kind = property["type"].clone();
        if kind == "object" || kind == "array" {
            // What a table holds has defaults of its own.
            property.as_object_mut().map(|table| table.remove("default"));
            settle(if kind == "object" { property } else { &mut property["items"] });
        } else if let Value::Object(fields) = property
            && !takes_any_text(fields)
        {
            let kept = ["description", "default"].map(|key| fields.remove_entry(key));
            let variable = json!({ "$ref": "#/$defs/variable" });
            let plain = Value::Object(std::mem::take(fields));
            fields.extend(kept.into_iter().flatten());
            fields.insert("anyOf".to_owned(), json!([plain, variable]));
        }
    }
}

fn takes_any_text(property: &Map<String, Value>) -> bool {
    let is_text = |of: &Map<String, Value>| {
        of.get("type").is_some_and(|kind| kind == "string" || kind == "boolean")
            && !["pattern", "maxLength", "enum"].iter().any(|key| of.contains_key(*key))
    };
    let some_of = property.get("anyOf").and_then(Value::as_array).into_iter().flatten();
    is_text(property) || some_of.filter_map(Value::as_object).any(is_text)
}

fn without_null(property: &mut Value) {
    if let Value::Array(kinds) = &mut property["type"] {
        kinds.retain(|kind| kind != "null");
        if let [kind] = &kinds[..] {
            property["type"] = kind.clone();
        }
    }
    let Value::Object(fields) = property else { return };
    fields.retain(|_, value| !value.is_null());
    if let Some(Value::Array(choices)) = fields.get_mut("anyOf") {
        choices.retain(|choice| choice["type"] != "null");
        if choices.len() == 1
            && let Some(Value::Object(only)) = choices.pop()
        {
            fields.remove("anyOf");
            fields.extend(only);
        }
    }
}
