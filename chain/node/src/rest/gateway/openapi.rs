//! The gateway's routes as an OpenAPI 3 document, made of the same descriptors and of their comments.

use std::{collections::BTreeSet, sync::LazyLock};

use axum::{
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use prost_reflect::{DescriptorPool, FieldDescriptor, FileDescriptor, Kind, MessageDescriptor};
use serde_json::{Map, Value, json};

use super::{
    print::is_special,
    route::{self, Route, Verb},
    shape::{self, Cast},
};

/// How deep parameters of a query lead into messages.
const NESTING: usize = 3;

static DOCUMENT: LazyLock<String> = LazyLock::new(|| document(aceso_proto::pool()).to_string());

/// `GET /openapi.json`
pub(crate) async fn serve() -> Response {
    ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], DOCUMENT.as_str()).into_response()
}

/// The document.
pub(super) fn document(pool: &DescriptorPool) -> Value {
    let (mut paths, mut wanted) = (Map::new(), BTreeSet::from(["google.protobuf.Any".to_owned()]));
    for route in route::routes(pool).0 {
        let verb = match route.verb {
            Verb::Get => "get",
            Verb::Post => "post",
        };
        let place = paths.entry(route.template.replace("=**", "")).or_insert_with(|| json!({}));
        if let Some(place) = place.as_object_mut() {
            place.insert(verb.to_owned(), operation(&route, &mut wanted));
        }
    }
    json!({
        "openapi": "3.0.3",
        "info": {
            "title": "Aceso",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "The REST gateway of an Aceso node. A question may name a height in the header x-cosmos-block-height.",
        },
        "paths": paths,
        "components": {"schemas": schemas(pool, wanted)},
    })
}

fn operation(route: &Route, wanted: &mut BTreeSet<String>) -> Value {
    let (input, output) = (route.method.input(), route.method.output());
    let mut parameters = Vec::new();
    for name in &route.variables {
        if let Some(field) = input.get_field_by_name(name) {
            parameters
                .push(json!({"name": name, "in": "path", "required": true, "schema": field_schema(&field, wanted),
                                   "description": comment_of(&field)}));
        }
    }
    let mut operation = json!({
        "operationId": format!("{}.{}", route.method.parent_service().full_name(), route.method.name()),
        "tags": [route.method.parent_service().full_name()],
        "summary": comment(&route.method.parent_file(), route.method.path()),
        "responses": {
            "200": {"description": "The answer.", "content": content(&output, wanted)},
            "default": {"description": "Why there is none.", "content": {"application/json": {"schema": {
                "type": "object",
                "properties": {"code": {"type": "integer"}, "message": {"type": "string"},
                               "details": {"type": "array", "items": {"type": "object"}}},
            }}}},
        },
    });
    match route.verb {
        Verb::Get => query_parameters(&input, "", &route.variables, NESTING, &mut parameters, wanted),
        Verb::Post => operation["requestBody"] = json!({"required": true, "content": content(&input, wanted)}),
    }
    operation["parameters"] = parameters.into();
    operation
}

fn content(message: &MessageDescriptor, wanted: &mut BTreeSet<String>) -> Value {
    json!({"application/json": {"schema": reference(message, wanted)}})
}

/// Fields that a query may name, those of nested messages with a dot.
fn query_parameters(
    message: &MessageDescriptor,
    prefix: &str,
    bound: &[String],
    depth: usize,
    parameters: &mut Vec<Value>,
    wanted: &mut BTreeSet<String>,
) {
    for field in message.fields() {
        let name = format!("{prefix}{}", field.name());
        match field.kind() {
            _ if bound.contains(&name) => {}
            Kind::Message(inner) if !is_special(inner.full_name()) => {
                if depth > 0 && !field.is_list() {
                    query_parameters(&inner, &format!("{name}."), bound, depth - 1, parameters, wanted);
                }
            }
            _ => parameters.push(json!({"name": name, "in": "query", "schema": field_schema(&field, wanted),
                                        "description": comment_of(&field)})),
        }
    }
}

/// The schemas that are named, and those that these name.
fn schemas(pool: &DescriptorPool, mut wanted: BTreeSet<String>) -> Map<String, Value> {
    let mut schemas = Map::new();
    while let Some(name) = wanted.pop_first() {
        let Some(message) = pool.get_message_by_name(&name).filter(|_| !schemas.contains_key(&name)) else { continue };
        let mut more = BTreeSet::new();
        let schema = if name == "google.protobuf.Any" {
            json!({"type": "object", "properties": {"@type": {"type": "string"}}, "additionalProperties": true})
        } else {
            let fields = message.fields().map(|field| {
                let mut schema = field_schema(&field, &mut more);
                let about = comment_of(&field);
                // Nothing may stand beside a reference.
                if !about.is_empty() && schema.get("$ref").is_none() {
                    schema["description"] = about.into();
                }
                (field.name().to_owned(), schema)
            });
            let properties: Map<String, Value> = fields.collect();
            json!({"type": "object", "properties": properties,
                   "description": comment(&message.parent_file(), message.path())})
        };
        schemas.insert(name, schema);
        wanted.extend(more);
    }
    schemas
}

fn reference(message: &MessageDescriptor, wanted: &mut BTreeSet<String>) -> Value {
    wanted.insert(message.full_name().to_owned());
    json!({"$ref": format!("#/components/schemas/{}", message.full_name())})
}

fn field_schema(field: &FieldDescriptor, wanted: &mut BTreeSet<String>) -> Value {
    let one = match (field.kind(), shape::of(field).cast) {
        (Kind::Message(message), _) => match message.full_name() {
            "google.protobuf.Timestamp" => json!({"type": "string", "format": "date-time"}),
            "google.protobuf.Duration" => json!({"type": "string"}),
            _ => reference(&message, wanted),
        },
        (Kind::Enum(names), _) => {
            json!({"type": "string", "enum": names.values().map(|member| member.name().to_owned()).collect::<Vec<_>>()})
        }
        (Kind::Bytes, Cast::Json) => json!({}),
        (Kind::Bytes, Cast::Hex) => json!({"type": "string"}),
        (Kind::Bytes, _) => json!({"type": "string", "format": "byte", "nullable": true}),
        (Kind::String, _) => json!({"type": "string"}),
        (Kind::Bool, _) => json!({"type": "boolean"}),
        (Kind::Float | Kind::Double, _) => json!({"type": "number"}),
        (Kind::Int32 | Kind::Sint32 | Kind::Sfixed32, _) => json!({"type": "integer", "format": "int32"}),
        (Kind::Uint32 | Kind::Fixed32, _) => json!({"type": "integer", "format": "int64"}),
        (Kind::Int64 | Kind::Sint64 | Kind::Sfixed64, _) => json!({"type": "string", "format": "int64"}),
        (Kind::Uint64 | Kind::Fixed64, _) => json!({"type": "string", "format": "uint64"}),
    };
    if field.is_list() { json!({"type": "array", "items": one}) } else { one }
}

fn comment_of(field: &FieldDescriptor) -> String {
    comment(&field.parent_file(), field.path())
}

/// What stands above a declaration.
fn comment(file: &FileDescriptor, path: &[i32]) -> String {
    let info = file.file_descriptor_proto().source_code_info.as_ref();
    let location = info.and_then(|info| info.location.iter().find(|location| location.path == path));
    let lines = location.and_then(|location| location.leading_comments.as_deref()).unwrap_or_default().lines();
    lines.map(str::trim).collect::<Vec<_>>().join(" ").trim().to_owned()
}
