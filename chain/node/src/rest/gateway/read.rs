//! JSON bodies as messages, read in one pass as grpc-gateway reads them: a field by either of its names, numbers in
//! quotes or without, an `Any` by its `@type`, null for nothing. A field that the message does not have is an error.
//!
//! A message to a contract is kept as it was written, byte for byte, so the text is walked here and not put into a tree
//! first.

use bytes::Bytes;
use prost::Message;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, Value};
use serde::de::IgnoredAny;

use super::{
    print::is_special,
    scalar::{self, ScalarError, short},
    shape::{self, Cast},
};

/// How deep objects and lists may lie in each other.
const DEPTH_MAX: usize = 64;
/// Most messages and rows of lists in one body.
const PARTS_MAX: usize = 50_000;

/// Why a body is no message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ReadError {
    /// No JSON.
    #[error("invalid JSON at byte {at}: {what} was expected")]
    Syntax {
        /// Where.
        at: usize,
        /// What should stand there.
        what: &'static str,
    },
    /// Objects in objects without end.
    #[error("the JSON is nested more than {DEPTH_MAX} deep")]
    Deep,
    /// So many parts that they would fill the memory.
    #[error("the JSON has more than {PARTS_MAX} parts")]
    Many,
    /// Not a field of the message.
    #[error("unknown field {field:?} in {message}")]
    Unknown {
        /// The name.
        field: String,
        /// The message.
        message: String,
    },
    /// An `Any` that does not say what it is.
    #[error("Any JSON doesn't have '@type'")]
    Untyped,
    /// An `Any` of a type that this chain does not know.
    #[error("unable to resolve type URL {0:?}")]
    Type(String),
    /// No value of the field.
    #[error("{field}: {error}")]
    Value {
        /// The field.
        field: String,
        /// What is wrong with it.
        error: ScalarError,
    },
}

/// The message that a body stands for.
pub(super) fn read(kind: MessageDescriptor, text: &str) -> Result<DynamicMessage, ReadError> {
    let mut reader = Reader { text, at: 0, parts: 0 };
    let message = reader.message(kind, 0)?;
    reader.space();
    if reader.at < text.len() {
        return Err(reader.expected("the end"));
    }
    Ok(message)
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    parts: usize,
}

impl<'a> Reader<'a> {
    fn expected(&self, what: &'static str) -> ReadError {
        ReadError::Syntax { at: self.at, what }
    }

    fn space(&mut self) {
        while self.text.as_bytes().get(self.at).is_some_and(|byte| b" \t\r\n".contains(byte)) {
            self.at += 1;
        }
    }

    fn peek(&mut self) -> Option<u8> {
        self.space();
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, byte: u8, what: &'static str) -> Result<(), ReadError> {
        if self.peek() != Some(byte) {
            return Err(self.expected(what));
        }
        self.at += 1;
        Ok(())
    }

    fn takes(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    fn part(&mut self) -> Result<(), ReadError> {
        self.parts += 1;
        if self.parts > PARTS_MAX { Err(ReadError::Many) } else { Ok(()) }
    }

    /// What was read since `from`.
    fn since(&self, from: usize) -> &'a str {
        self.text.get(from..self.at).unwrap_or_default()
    }

    fn string(&mut self) -> Result<String, ReadError> {
        self.space();
        let from = self.at;
        self.skip_string()?;
        serde_json::from_str(self.since(from)).map_err(|_| ReadError::Syntax { at: from, what: "a string" })
    }

    fn skip_string(&mut self) -> Result<(), ReadError> {
        self.take(b'"', "a string")?;
        loop {
            match self.text.as_bytes().get(self.at) {
                Some(b'"') => break,
                Some(b'\\') => self.at = (self.at + 2).min(self.text.len()),
                Some(_) => self.at += 1,
                None => return Err(self.expected("the end of a string")),
            }
        }
        self.at += 1;
        Ok(())
    }

    /// A number, `true`, `false` or `null`.
    fn word(&mut self) -> Result<&'a str, ReadError> {
        self.space();
        let from = self.at;
        let within = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
        while self.text.as_bytes().get(self.at).is_some_and(within) {
            self.at += 1;
        }
        if self.at == from { Err(self.expected("a value")) } else { Ok(self.since(from)) }
    }

    /// Goes behind a value of any kind; its text.
    fn skip(&mut self, depth: usize) -> Result<&'a str, ReadError> {
        if depth > DEPTH_MAX {
            return Err(ReadError::Deep);
        }
        self.space();
        let from = self.at;
        match self.peek() {
            Some(b'"') => self.skip_string()?,
            Some(b'{') => self.members(|reader, _| reader.skip(depth + 1).map(|_| ()))?,
            Some(b'[') => self.elements(|reader| reader.skip(depth + 1).map(|_| ()))?,
            _ => _ = self.word()?,
        }
        Ok(self.since(from))
    }

    fn members(&mut self, mut each: impl FnMut(&mut Self, String) -> Result<(), ReadError>) -> Result<(), ReadError> {
        self.take(b'{', "an object")?;
        if self.takes(b'}') {
            return Ok(());
        }
        loop {
            let name = self.string()?;
            self.take(b':', "a colon")?;
            each(self, name)?;
            if !self.takes(b',') {
                return self.take(b'}', "the end of an object");
            }
        }
    }

    fn elements(&mut self, mut each: impl FnMut(&mut Self) -> Result<(), ReadError>) -> Result<(), ReadError> {
        self.take(b'[', "a list")?;
        if self.takes(b']') {
            return Ok(());
        }
        loop {
            each(self)?;
            if !self.takes(b',') {
                return self.take(b']', "the end of a list");
            }
        }
    }

    fn null(&mut self) -> bool {
        self.space();
        let null = self.text.get(self.at..).is_some_and(|rest| rest.starts_with("null"));
        self.at += if null { 4 } else { 0 };
        null
    }

    fn message(&mut self, kind: MessageDescriptor, depth: usize) -> Result<DynamicMessage, ReadError> {
        if depth > DEPTH_MAX {
            return Err(ReadError::Deep);
        }
        self.part()?;
        match kind.full_name() {
            "google.protobuf.Any" => return self.any(kind, depth),
            name if is_special(name) => {
                let text = self.string()?;
                let value = scalar::parse(&Kind::Message(kind.clone()), &text);
                let value = value.map_err(|error| ReadError::Value { field: kind.full_name().to_owned(), error })?;
                return match value {
                    Value::Message(message) => Ok(message),
                    _ => Err(self.expected("a time")),
                };
            }
            _ => {}
        }
        self.fields(kind, depth, false)
    }

    fn fields(&mut self, kind: MessageDescriptor, depth: usize, typed: bool) -> Result<DynamicMessage, ReadError> {
        let mut message = DynamicMessage::new(kind.clone());
        self.members(|reader, name| {
            if typed && name == "@type" {
                return reader.skip(depth).map(|_| ());
            }
            let field = kind.get_field_by_name(&name).or_else(|| kind.get_field_by_json_name(&name));
            let Some(field) = field else {
                return Err(ReadError::Unknown { field: short(&name), message: kind.full_name().to_owned() });
            };
            if reader.null() {
                return Ok(());
            }
            let value = if field.is_list() {
                let mut values = Vec::new();
                reader.elements(|reader| {
                    reader.part()?;
                    // Bytes of no length are printed so.
                    let value = if reader.null() {
                        Value::default_value(&field.kind())
                    } else {
                        reader.value(&field, depth + 1)?
                    };
                    values.push(value);
                    Ok(())
                })?;
                Value::List(values)
            } else {
                reader.value(&field, depth)?
            };
            let (field_name, kind) = (field.full_name().to_owned(), field.kind());
            let refused = |_| ReadError::Value { field: field_name, error: ScalarError::Message(format!("{kind:?}")) };
            message.try_set_field(&field, value).map_err(refused)
        })?;
        Ok(message)
    }

    fn value(&mut self, field: &FieldDescriptor, depth: usize) -> Result<Value, ReadError> {
        let wrong = |error| ReadError::Value { field: field.full_name().to_owned(), error };
        match (field.kind(), shape::of(field).cast) {
            (Kind::Message(kind), _) => self.message(kind, depth + 1).map(Value::Message),
            (Kind::String, _) => self.string().map(Value::String),
            (Kind::Bytes, Cast::Json) => {
                let at = self.at;
                let text = self.skip(depth + 1)?;
                let json = serde_json::from_str::<IgnoredAny>(text);
                json.map_err(|_| ReadError::Syntax { at, what: "JSON" })?;
                Ok(Value::Bytes(Bytes::copy_from_slice(text.as_bytes())))
            }
            (Kind::Bytes, Cast::Hex) => {
                let text = self.string()?;
                let number = || ScalarError::Number { text: short(&text), kind: "hexadecimal digits".into() };
                hex::decode(&text).map(|bytes| Value::Bytes(bytes.into())).map_err(|_| wrong(number()))
            }
            (Kind::Bytes, _) => scalar::bytes(&self.string()?).map(Value::Bytes).map_err(wrong),
            (Kind::Bool, _) => match self.word()? {
                "true" => Ok(Value::Bool(true)),
                "false" => Ok(Value::Bool(false)),
                text => Err(wrong(ScalarError::Number { text: short(text), kind: "bool".into() })),
            },
            (Kind::Enum(names), _) => {
                let text = self.quoted_or_not()?;
                match text.parse() {
                    // An enumeration may grow; its numbers are taken as they are.
                    Ok(number) => Ok(Value::EnumNumber(number)),
                    Err(_) => scalar::member(&names, &text).map_err(wrong),
                }
            }
            (kind, _) => scalar::number(&kind, &self.quoted_or_not()?).map_err(wrong),
        }
    }

    fn quoted_or_not(&mut self) -> Result<String, ReadError> {
        if self.peek() == Some(b'"') { self.string() } else { self.word().map(str::to_owned) }
    }

    fn any(&mut self, kind: MessageDescriptor, depth: usize) -> Result<DynamicMessage, ReadError> {
        self.space();
        let (from, mut url) = (self.at, None);
        self.members(|reader, name| {
            if name == "@type" {
                url = Some(reader.string()?);
                return Ok(());
            }
            reader.skip(depth + 1).map(|_| ())
        })?;
        let url = url.ok_or(ReadError::Untyped)?;
        let inner = url.rsplit('/').next().and_then(|name| aceso_proto::pool().get_message_by_name(name));
        let inner = inner.ok_or_else(|| ReadError::Type(short(&url)))?;
        self.at = from;
        let value = if is_special(inner.full_name()) {
            let mut value = None;
            self.members(|reader, name| match name.as_str() {
                "value" => {
                    value = Some(reader.message(inner.clone(), depth + 1)?);
                    Ok(())
                }
                _ => reader.skip(depth + 1).map(|_| ()),
            })?;
            value.ok_or(ReadError::Untyped)?
        } else {
            self.fields(inner, depth + 1, true)?
        };
        let mut any = DynamicMessage::new(kind);
        any.set_field_by_number(1, Value::String(url));
        any.set_field_by_number(2, Value::Bytes(value.encode_to_vec().into()));
        Ok(any)
    }
}
