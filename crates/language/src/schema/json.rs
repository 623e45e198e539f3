//! The JSON Schema of a lab file (draft 2020-12), for editors that complete and check as one types.

use serde_json::{Map, Value, json};

use crate::schema::key::{Kind, Section};

/// The schema of the file whose top is `root`.
pub fn json(root: &Section) -> Value {
    let mut schema = section(root);
    let Value::Object(map) = &mut schema else { unreachable!("a section is an object") };
    map.insert("$schema".into(), json!("https://json-schema.org/draft/2020-12/schema"));
    map.insert("title".into(), json!("Septet lab file"));
    let number = r"^\s*[+-]?[0-9]*\.?[0-9]*([eE][+-]?[0-9]+)?\s*";
    let quantity = |units: &str| format!("{number}({units})\\s*$");
    map.insert(
        "$defs".into(),
        json!({
            "time": { "type": "string", "pattern": quantity("[nNuUµmM]?[sS]([eE][cC][sS]?)?|[mM][iI][nN]|[hH]") },
            "size": { "anyOf": [
                { "type": "integer", "minimum": 0 },
                { "type": "string", "pattern": quantity("|[kKmMgG]?[iI]?[bB]?|[bB][yY][tT][eE][sS]?") },
            ] },
            "date": { "type": "string", "format": "date-time" },
        }),
    );
    schema
}

fn section(section: &Section) -> Value {
    let mut properties = Map::new();
    for key in section.keys() {
        let mut value = kind(&key.kind());
        if let Value::Object(map) = &mut value {
            map.insert("description".into(), json!(key.doc()));
            if !key.example().is_empty() {
                map.insert("examples".into(), json!([key.example()]));
            }
        }
        properties.insert(key.name().into(), value);
    }
    let mut schema = json!({ "type": "object", "description": section.doc, "properties": properties });
    let Value::Object(map) = &mut schema else { unreachable!("written as an object") };
    if let Some(key) = section.numbered {
        map.insert("patternProperties".into(), json!({ format!("^{}[0-9]+$", key.name()): kind(&key.kind()) }));
    }
    map.insert("additionalProperties".into(), json!(false));
    if !section.required.is_empty() {
        map.insert("required".into(), json!(section.required));
    }
    schema
}

fn kind(of: &Kind) -> Value {
    match of {
        Kind::Text => json!({ "type": "string" }),
        Kind::Choice(words) => json!({ "enum": words }),
        Kind::Time => json!({ "$ref": "#/$defs/time" }),
        Kind::Size => json!({ "$ref": "#/$defs/size" }),
        Kind::Count(min, max) => json!({ "type": "integer", "minimum": min, "maximum": max }),
        Kind::Switch => json!({ "type": "boolean" }),
        Kind::Date => json!({ "$ref": "#/$defs/date" }),
        Kind::Phrase { example, .. } => json!({ "type": ["string", "number"], "examples": [example] }),
        Kind::Texts { example, .. } => json!({
            "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }],
            "examples": [[example]],
        }),
        Kind::Table(of) => section(of),
        Kind::Named(_, of) => json!({ "type": "object", "additionalProperties": kind(of) }),
        Kind::Values => json!({ "type": "array" }),
        Kind::Either(a, b) => json!({ "anyOf": [kind(a), kind(b)] }),
    }
}
