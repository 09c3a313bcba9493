//! Numbers, bytes and times as text: in paths, in queries and in JSON.

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE},
};
use bytes::Bytes;
use prost_reflect::{DynamicMessage, EnumDescriptor, Kind, MessageDescriptor, Value};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// Why a text is no value of a field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ScalarError {
    /// No number of that type.
    #[error("{text:?} is no {kind}")]
    Number {
        /// The text, shortened.
        text: String,
        /// The protobuf type.
        kind: String,
    },
    /// Neither alphabet of base64.
    #[error("{0:?} is not base64")]
    Base64(String),
    /// No member of the enumeration.
    #[error("{text:?} is not a valid {name}")]
    Enum {
        /// The text, shortened.
        text: String,
        /// The enumeration.
        name: String,
    },
    /// No point in time.
    #[error("bad Timestamp: {0:?} is not RFC 3339")]
    Timestamp(String),
    /// No span of time.
    #[error("bad Duration: {0:?} is not a number of seconds such as \"1.5s\"")]
    Duration(String),
    /// A message, which has no such form.
    #[error("{0} has no form as one word")]
    Message(String),
}

/// What is shown of a client's text.
pub(super) fn short(text: &str) -> String {
    text.chars().take(80).collect()
}

/// A value from one word, as grpc-gateway reads paths and queries (`runtime/convert.go`).
pub(super) fn parse(kind: &Kind, text: &str) -> Result<Value, ScalarError> {
    match kind {
        Kind::String => Ok(Value::String(text.to_owned())),
        Kind::Bytes => bytes(text).map(Value::Bytes),
        Kind::Bool => match text {
            "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(Value::Bool(true)),
            "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(Value::Bool(false)),
            _ => Err(ScalarError::Number { text: short(text), kind: "bool".into() }),
        },
        Kind::Enum(names) => member(names, text),
        Kind::Message(message) => match message.full_name() {
            "google.protobuf.Timestamp" => timestamp(message, text),
            "google.protobuf.Duration" => duration(message, text),
            name => Err(ScalarError::Message(name.to_owned())),
        },
        number => self::number(number, text),
    }
}

/// A number that fits the field's type.
pub(super) fn number(kind: &Kind, text: &str) -> Result<Value, ScalarError> {
    let value = match kind {
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => text.parse().map(Value::I32).ok(),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => text.parse().map(Value::I64).ok(),
        Kind::Uint32 | Kind::Fixed32 => text.parse().map(Value::U32).ok(),
        Kind::Uint64 | Kind::Fixed64 => text.parse().map(Value::U64).ok(),
        Kind::Float => text.parse().map(Value::F32).ok(),
        Kind::Double => text.parse().map(Value::F64).ok(),
        _ => None,
    };
    value.ok_or_else(|| ScalarError::Number { text: short(text), kind: format!("{kind:?}").to_lowercase() })
}

/// Bytes in base64, in the one alphabet or the other.
pub(super) fn bytes(text: &str) -> Result<Bytes, ScalarError> {
    let decoded = STANDARD.decode(text).or_else(|_| URL_SAFE.decode(text));
    decoded.map(Bytes::from).map_err(|_| ScalarError::Base64(short(text)))
}

/// A member of an enumeration, by its name or its number.
pub(super) fn member(names: &EnumDescriptor, text: &str) -> Result<Value, ScalarError> {
    let member = names.get_value_by_name(text);
    let member = member.or_else(|| text.parse().ok().and_then(|number| names.get_value(number)));
    let refused = || ScalarError::Enum { text: short(text), name: names.full_name().to_owned() };
    member.map(|member| Value::EnumNumber(member.number())).ok_or_else(refused)
}

/// A point in time in RFC 3339.
pub(super) fn timestamp(message: &MessageDescriptor, text: &str) -> Result<Value, ScalarError> {
    let time = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| ScalarError::Timestamp(short(text)))?;
    let nanos = i32::try_from(time.nanosecond()).unwrap_or_default();
    Ok(pair(message, time.unix_timestamp(), nanos))
}

/// A span of time: `12s`, `-0.000000001s`.
pub(super) fn duration(message: &MessageDescriptor, text: &str) -> Result<Value, ScalarError> {
    let parts = || {
        let number = text.strip_suffix('s')?;
        let (sign, number) = number.strip_prefix('-').map_or((1, number), |rest| (-1, rest));
        let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole) || !digits(part) || part.len() > 9 {
            return None;
        }
        let seconds: i64 = whole.parse().ok().filter(|&seconds| seconds <= SECONDS_MAX)?;
        let nanos: i32 = format!("{part:0<9}").parse().ok()?;
        Some((sign * seconds, i32::try_from(sign).ok()? * nanos))
    };
    let (seconds, nanos) = parts().ok_or_else(|| ScalarError::Duration(short(text)))?;
    Ok(pair(message, seconds, nanos))
}

/// The longest span, in seconds: ten thousand years (`google/protobuf/duration.proto`).
pub(super) const SECONDS_MAX: i64 = 315_576_000_000;

/// Timestamps and durations have the same two fields.
fn pair(message: &MessageDescriptor, seconds: i64, nanos: i32) -> Value {
    let mut pair = DynamicMessage::new(message.clone());
    pair.set_field_by_number(1, Value::I64(seconds));
    pair.set_field_by_number(2, Value::I32(nanos));
    Value::Message(pair)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(name: &str) -> Kind {
        Kind::Message(aceso_proto::pool().get_message_by_name(name).unwrap())
    }

    #[test]
    fn words_become_values() {
        assert_eq!(parse(&Kind::Uint64, "18446744073709551615"), Ok(Value::U64(u64::MAX)));
        assert_eq!(parse(&Kind::Int64, "-1"), Ok(Value::I64(-1)));
        assert_eq!(parse(&Kind::Bool, "TRUE"), Ok(Value::Bool(true)));
        for text in ["-_8=", "+/8="] {
            assert_eq!(parse(&Kind::Bytes, text), Ok(Value::Bytes(vec![0xfb, 0xff].into())));
        }
        let modes = Kind::Enum(aceso_proto::pool().get_enum_by_name("cosmos.tx.v1beta1.OrderBy").unwrap());
        for text in ["ORDER_BY_DESC", "2"] {
            assert_eq!(parse(&modes, text), Ok(Value::EnumNumber(2)));
        }
        let time = parse(&message("google.protobuf.Timestamp"), "1970-01-01T00:00:01.5Z").unwrap();
        let time = time.as_message().unwrap();
        assert_eq!(time.get_field_by_number(2).unwrap().as_i32(), Some(500_000_000));
        let span = parse(&message("google.protobuf.Duration"), "-1.25s").unwrap();
        let span = span.as_message().unwrap();
        assert_eq!(span.get_field_by_number(2).unwrap().as_i32(), Some(-250_000_000));
    }

    #[test]
    fn what_is_no_value_is_named() {
        let refused = |kind: &Kind, text: &str| parse(kind, text).unwrap_err().to_string();
        assert_eq!(refused(&Kind::Uint64, "-1"), "\"-1\" is no uint64");
        assert_eq!(refused(&Kind::Bool, "yes"), "\"yes\" is no bool");
        assert_eq!(refused(&Kind::Bytes, "_+=="), "\"_+==\" is not base64");
        let modes = Kind::Enum(aceso_proto::pool().get_enum_by_name("cosmos.tx.v1beta1.OrderBy").unwrap());
        assert_eq!(refused(&modes, "3"), "\"3\" is not a valid cosmos.tx.v1beta1.OrderBy");
        assert!(refused(&message("google.protobuf.Timestamp"), "today").starts_with("bad Timestamp"));
        for text in ["1", "s", "1.s", "1e3s", "--1s", "1.0000000001s", "315576000001s"] {
            assert!(refused(&message("google.protobuf.Duration"), text).starts_with("bad Duration"), "{text}");
        }
        let coin = message("cosmos.base.v1beta1.Coin");
        assert_eq!(refused(&coin, "1u"), "cosmos.base.v1beta1.Coin has no form as one word");
    }
}
