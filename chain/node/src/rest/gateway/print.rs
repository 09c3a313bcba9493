//! Messages as JSON, as grpc-gateway prints them for the Cosmos SDK (`gogoproto/jsonpb` with the fields' own names and
//! with defaults).
//!
//! Integers of 64 bits are strings, bytes are base64 and null where there are none, an enumeration's member is its
//! name, an absent message is null unless its field says otherwise ([`shape`](super::shape)). An `Any` is its message
//! with `@type` beside the fields. One of an unknown type, or that does not decode, keeps its bytes in `value`: what
//! strangers have put into a transaction must not keep a list from being shown.

use base64::{Engine, engine::general_purpose::STANDARD};
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MapKey, ReflectMessage, Value};
use serde::de::IgnoredAny;
use time::OffsetDateTime;

use super::{
    scalar::SECONDS_MAX,
    shape::{self, Cast, Shape},
};

/// How many `Any` inside each other are spelled out.
const ANY_DEPTH: usize = 16;
/// A moment that was never set, which is year 1 in Go.
const NEVER: &str = "\"0001-01-01T00:00:00Z\"";

/// Why a message has no JSON.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum PrintError {
    /// It would be longer than an answer may be.
    #[error("the answer has more than {0} bytes; ask for fewer rows at a time")]
    Long(usize),
    /// A time that has no name in RFC 3339.
    #[error("{0} is out of range")]
    Time(&'static str),
}

/// The JSON of a message, of at most `max` bytes.
pub(super) fn print(message: &DynamicMessage, max: usize) -> Result<String, PrintError> {
    let mut printer = Printer { out: String::new(), max };
    printer.message(message, None, 0)?;
    Ok(printer.out)
}

struct Printer {
    out: String,
    max: usize,
}

impl Printer {
    fn put(&mut self, text: &str) -> Result<(), PrintError> {
        if self.out.len() + text.len() > self.max {
            return Err(PrintError::Long(self.max));
        }
        self.out.push_str(text);
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), PrintError> {
        // A string always has a JSON form.
        self.put(&serde_json::to_string(text).unwrap_or_default())
    }

    fn base64(&mut self, bytes: &[u8]) -> Result<(), PrintError> {
        if bytes.len() / 3 * 4 > self.max {
            return Err(PrintError::Long(self.max));
        }
        self.put("\"")?;
        self.put(&STANDARD.encode(bytes))?;
        self.put("\"")
    }

    fn message(&mut self, message: &DynamicMessage, url: Option<&str>, depth: usize) -> Result<(), PrintError> {
        match message.descriptor().full_name() {
            "google.protobuf.Any" => return self.any(message, depth),
            "google.protobuf.Timestamp" => return self.put(&timestamp(message)?),
            "google.protobuf.Duration" => return self.put(&duration(message)?),
            _ => {}
        }
        self.put("{")?;
        let mut separator = "";
        if let Some(url) = url {
            self.put("\"@type\":")?;
            self.text(url)?;
            separator = ",";
        }
        for field in message.descriptor().fields() {
            let present = message.has_field(&field);
            // Of alternatives only the one that is there is shown.
            if field.containing_oneof().is_some() && !present {
                continue;
            }
            self.put(separator)?;
            separator = ",";
            self.text(field.name())?;
            self.put(":")?;
            self.field(message, &field, present, depth)?;
        }
        self.put("}")
    }

    fn field(
        &mut self,
        message: &DynamicMessage,
        field: &FieldDescriptor,
        present: bool,
        depth: usize,
    ) -> Result<(), PrintError> {
        let shape = shape::of(field);
        if let Kind::Message(kind) = field.kind()
            && !present
            && !field.is_list()
            && !field.is_map()
        {
            return match kind.full_name() {
                _ if !shape.always => self.put("null"),
                "google.protobuf.Timestamp" => self.put(NEVER),
                _ => self.message(&DynamicMessage::new(kind), None, depth),
            };
        }
        self.value(&message.get_field(field), &field.kind(), shape, depth)
    }

    fn value(&mut self, value: &Value, kind: &Kind, shape: Shape, depth: usize) -> Result<(), PrintError> {
        match value {
            Value::Bool(value) => self.put(if *value { "true" } else { "false" }),
            Value::I32(number) => self.put(&number.to_string()),
            Value::U32(number) => self.put(&number.to_string()),
            Value::I64(number) => self.put(&format!("\"{number}\"")),
            Value::U64(number) => self.put(&format!("\"{number}\"")),
            Value::F32(number) => self.float(f64::from(*number)),
            Value::F64(number) => self.float(*number),
            Value::String(text) if shape.cast == Cast::Int && text.is_empty() => self.text("0"),
            Value::String(text) => self.text(text),
            Value::Bytes(bytes) => self.bytes(bytes, shape.cast),
            Value::EnumNumber(number) => match kind.as_enum().and_then(|names| names.get_value(*number)) {
                Some(member) => self.text(member.name()),
                None => self.put(&number.to_string()),
            },
            Value::Message(message) => self.message(message, None, depth),
            Value::List(values) => {
                self.put("[")?;
                for (index, value) in values.iter().enumerate() {
                    self.put(if index > 0 { "," } else { "" })?;
                    self.value(value, kind, shape, depth)?;
                }
                self.put("]")
            }
            Value::Map(entries) => {
                let kind = kind.as_message().map(|entry| entry.map_entry_value_field().kind());
                let mut sorted: Vec<_> = entries.iter().collect();
                sorted.sort_by_key(|(key, _)| *key);
                self.put("{")?;
                for (index, (key, value)) in sorted.into_iter().enumerate() {
                    self.put(if index > 0 { "," } else { "" })?;
                    self.text(&key_text(key))?;
                    self.put(":")?;
                    self.value(value, kind.as_ref().unwrap_or(&Kind::String), shape, depth)?;
                }
                self.put("}")
            }
        }
    }

    fn float(&mut self, number: f64) -> Result<(), PrintError> {
        if number.is_finite() {
            return self.put(&number.to_string());
        }
        self.text(match number.is_nan() {
            true => "NaN",
            false if number > 0.0 => "Infinity",
            false => "-Infinity",
        })
    }

    fn bytes(&mut self, bytes: &[u8], cast: Cast) -> Result<(), PrintError> {
        match cast {
            Cast::Hex => self.text(&hex::encode_upper(bytes)),
            _ if bytes.is_empty() => self.put("null"),
            // As it was written: a number in it may be longer than any type here.
            Cast::Json => match std::str::from_utf8(bytes) {
                Ok(text) if serde_json::from_str::<IgnoredAny>(text).is_ok() => self.put(text.trim()),
                _ => self.base64(bytes),
            },
            _ => self.base64(bytes),
        }
    }

    fn any(&mut self, any: &DynamicMessage, depth: usize) -> Result<(), PrintError> {
        let (url, value) = (any.get_field_by_number(1), any.get_field_by_number(2));
        let url = url.as_deref().and_then(Value::as_str).unwrap_or_default();
        let value = value.as_deref().and_then(Value::as_bytes).cloned().unwrap_or_default();
        let began = self.out.len();
        match self.spelled_out(url, value.clone(), depth) {
            Some(Ok(())) => return Ok(()),
            Some(Err(error @ PrintError::Long(_))) => return Err(error),
            None | Some(Err(PrintError::Time(_))) => self.out.truncate(began),
        }
        self.put("{\"@type\":")?;
        self.text(url)?;
        self.put(",\"value\":")?;
        self.base64(&value)?;
        self.put("}")
    }

    /// The message within an `Any`; nothing if it cannot be told.
    fn spelled_out(&mut self, url: &str, value: bytes::Bytes, depth: usize) -> Option<Result<(), PrintError>> {
        let name = url.rsplit('/').next().filter(|_| depth < ANY_DEPTH)?;
        let kind = aceso_proto::pool().get_message_by_name(name)?;
        let special = is_special(name);
        let message = DynamicMessage::decode(kind, value).ok()?;
        Some(if special {
            let mut print = || {
                self.put("{\"@type\":")?;
                self.text(url)?;
                self.put(",\"value\":")?;
                self.message(&message, None, depth + 1)?;
                self.put("}")
            };
            print()
        } else {
            self.message(&message, Some(url), depth + 1)
        })
    }
}

/// Whether a message is one word in JSON, so that `@type` cannot stand beside its fields.
pub(super) fn is_special(name: &str) -> bool {
    matches!(name, "google.protobuf.Any" | "google.protobuf.Timestamp" | "google.protobuf.Duration")
}

fn key_text(key: &MapKey) -> String {
    match key {
        MapKey::Bool(key) => key.to_string(),
        MapKey::I32(key) => key.to_string(),
        MapKey::I64(key) => key.to_string(),
        MapKey::U32(key) => key.to_string(),
        MapKey::U64(key) => key.to_string(),
        MapKey::String(key) => key.clone(),
    }
}

/// Seconds and nanoseconds.
fn pair(message: &DynamicMessage) -> (i64, i32) {
    let (seconds, nanos) = (message.get_field_by_number(1), message.get_field_by_number(2));
    (seconds.and_then(|value| value.as_i64()).unwrap_or_default(), nanos.and_then(|value| value.as_i32()).unwrap_or(0))
}

/// `.5` with 3, 6 or 9 digits, nothing for 0.
fn fraction(nanos: u32) -> String {
    match nanos {
        0 => String::new(),
        n if n.is_multiple_of(1_000_000) => format!(".{:03}", n / 1_000_000),
        n if n.is_multiple_of(1_000) => format!(".{:06}", n / 1_000),
        n => format!(".{n:09}"),
    }
}

fn timestamp(message: &DynamicMessage) -> Result<String, PrintError> {
    let (seconds, nanos) = pair(message);
    let out_of_range = PrintError::Time("a Timestamp");
    let time = OffsetDateTime::from_unix_timestamp(seconds).map_err(|_| out_of_range.clone())?;
    let nanos = u32::try_from(nanos).ok().filter(|&nanos| nanos < 1_000_000_000).ok_or(out_of_range.clone())?;
    if !(1..=9999).contains(&time.year()) {
        return Err(out_of_range);
    }
    let (year, month, day) = (time.year(), u8::from(time.month()), time.day());
    let (hour, minute, second) = time.to_hms();
    Ok(format!("\"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{}Z\"", fraction(nanos)))
}

fn duration(message: &DynamicMessage) -> Result<String, PrintError> {
    let (seconds, nanos) = pair(message);
    let fits = seconds.unsigned_abs() <= SECONDS_MAX.unsigned_abs()
        && nanos.unsigned_abs() < 1_000_000_000
        && !(seconds > 0 && nanos < 0 || seconds < 0 && nanos > 0);
    if !fits {
        return Err(PrintError::Time("a Duration"));
    }
    let sign = if seconds < 0 || nanos < 0 { "-" } else { "" };
    Ok(format!("\"{sign}{}{}s\"", seconds.unsigned_abs(), fraction(nanos.unsigned_abs())))
}
