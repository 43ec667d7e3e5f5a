//! Holds every line of `--json` against the JSON Schema of the code, by those keywords that the schema has. A field that the schema
//! does not name is an error, too.

use std::sync::LazyLock;

use serde_json::{Map, Value};

static SCHEMA: LazyLock<Value> = LazyLock::new(hf2ms::verbs::events::schema);

/// The keywords that [`fault`] knows. A schema with another one is not checked, and so it is an error.
const KEYWORDS: [&str; 16] = [
    "$ref",
    "additionalProperties",
    "anyOf",
    "const",
    "default",
    "description",
    "enum",
    "format",
    "items",
    "maximum",
    "minimum",
    "oneOf",
    "properties",
    "required",
    "title",
    "type",
];

/// The names of all events of a schema, in its order.
pub fn names(schema: &Value) -> Vec<String> {
    let events = schema["oneOf"].as_array().unwrap().iter();
    let name = |event: &Value| {
        let name = event["$ref"].as_str().unwrap().rsplit('/').next();
        name.unwrap().to_owned()
    };
    events.map(name).collect()
}

/// Checks all lines of an output that begins with a `start` event.
pub fn check(stdout: &str) {
    let is_json = |line: &str| line.contains(r#""event":"start""#) && line.contains(r#""schema":"#);
    if stdout.lines().next().is_some_and(is_json) {
        // The last line may be torn where the test has ended the program.
        let events = stdout
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok());
        events.for_each(|event: Value| {
            let fault = fault_of_event(&event);
            assert!(fault.is_none(), "{}\nin {event}", fault.unwrap_or_default());
        });
    }
}

/// What is wrong with an event.
pub fn fault_of_event(event: &Value) -> Option<String> {
    let name = event["event"].as_str().unwrap_or_default();
    match names(&SCHEMA).iter().any(|known| known == name) {
        true => fault(event, &SCHEMA["$defs"][name], name),
        false => Some(format!("there is no event {name:?}")),
    }
}

/// What is wrong with a value by a schema, and at which path.
fn fault(value: &Value, schema: &Value, at: &str) -> Option<String> {
    let Value::Object(schema) = schema else {
        return None;
    };
    let unknown = schema.keys().find(|key| !KEYWORDS.contains(&key.as_str()));
    if let Some(unknown) = unknown {
        return Some(format!(
            "{at}: the schema has {unknown}, which is not checked"
        ));
    }
    if let Some(name) = schema.get("$ref").and_then(Value::as_str) {
        let name = name.rsplit('/').next().unwrap_or_default();
        return fault(value, &SCHEMA["$defs"][name], at);
    }
    let options = schema.get("oneOf").or(schema.get("anyOf"));
    if let Some(options) = options.and_then(Value::as_array) {
        let faults: Option<Vec<String>> = options.iter().map(|one| fault(value, one, at)).collect();
        return faults.map(|faults| faults.join(", or "));
    }
    let is = |word: &str, holds: fn(&Value, &Value) -> bool| {
        schema.get(word).is_none_or(|wanted| holds(wanted, value))
    };
    let holds = is("const", |wanted, value| wanted == value)
        && is("enum", |all, value| {
            all.as_array().is_some_and(|all| all.contains(value))
        })
        && is("type", has_type)
        && is("minimum", |least, value| {
            value
                .as_f64()
                .is_none_or(|value| Some(value) >= least.as_f64())
        })
        && is("maximum", |most, value| {
            value
                .as_f64()
                .is_none_or(|value| Some(value) <= most.as_f64())
        });
    if !holds {
        return Some(format!(
            "{at}: {value} is not {}",
            Value::from(schema.clone())
        ));
    }
    fault_of_parts(value, schema, at)
}

fn has_type(wanted: &Value, value: &Value) -> bool {
    let is = |name: &Value| match name.as_str().unwrap_or_default() {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    };
    wanted
        .as_array()
        .map_or_else(|| is(wanted), |any| any.iter().any(is))
}

/// What is wrong with the fields of an object or the items of a list.
fn fault_of_parts(value: &Value, schema: &Map<String, Value>, at: &str) -> Option<String> {
    if let (Value::Array(items), Some(of_items)) = (value, schema.get("items")) {
        return items.iter().find_map(|item| fault(item, of_items, at));
    }
    let Value::Object(fields) = value else {
        return None;
    };
    let required = schema.get("required").and_then(Value::as_array);
    let missing = required
        .into_iter()
        .flatten()
        .find(|name| !fields.contains_key(name.as_str().unwrap_or_default()));
    if let Some(missing) = missing {
        return Some(format!("{at} lacks {missing}"));
    }
    let properties = schema.get("properties").and_then(Value::as_object);
    let others = schema.get("additionalProperties");
    fields.iter().find_map(|(name, field)| {
        let at = format!("{at}.{name}");
        match (properties.and_then(|all| all.get(name)), others, properties) {
            (Some(of_field), ..) => fault(field, of_field, &at),
            (None, Some(of_others), _) => fault(field, of_others, &at),
            (None, None, Some(_)) => Some(format!("{at} is not in the schema")),
            (None, None, None) => None,
        }
    })
}
