//! The language in which events are asked for: `key op value [AND …]`.
//!
//! Operators are `=`, `<`, `<=`, `>`, `>=`, `CONTAINS` and `EXISTS`; a value is text in single quotes, a bare number,
//! `DATE yyyy-mm-dd` or `TIME` with RFC 3339. Source: CometBFT 0.38's `libs/pubsub/query/syntax`. As there, a condition
//! holds when one value of its key satisfies it. A subscription compares a number with the number that an attribute
//! begins with; a search, as CometBFT's `state/txindex/kv`, only with attributes that are numbers.

use std::collections::BTreeMap;

use time::{Date, OffsetDateTime, format_description::well_known::Rfc3339, macros::format_description};

/// Longest query that is looked at, CometBFT's limit.
const QUERY_MAX: usize = 512;

/// Why a text is not a query.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum QueryError {
    /// Longer than [`QUERY_MAX`].
    #[error("maximum query length exceeded: {0} characters, at most 512")]
    TooLong(usize),
    /// No condition at all.
    #[error("the query is empty")]
    Empty,
    /// Something else was expected at this place.
    #[error("at offset {at}: expected {expected}, found {found:?}")]
    Syntax {
        /// Byte offset.
        at: usize,
        /// What may stand there.
        expected: &'static str,
        /// What does.
        found: String,
    },
}

/// How a condition compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    /// `=`
    Equal,
    /// `<`
    Less,
    /// `<=`
    LessEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterEqual,
    /// `CONTAINS`
    Contains,
    /// `EXISTS`
    Exists,
}

#[derive(Clone, Debug, PartialEq)]
enum Operand {
    None,
    Text(String),
    Number(Number),
    Time(OffsetDateTime),
    Day(Date),
}

/// A decimal number, compared exactly: integer part, then the digits behind the point.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Number {
    whole: i128,
    fraction: String,
}

/// One condition.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Condition {
    key: String,
    operator: Operator,
    operand: Operand,
}

/// Conditions that must all hold.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Query {
    text: String,
    conditions: Vec<Condition>,
}

impl Query {
    /// Reads a query.
    pub(crate) fn parse(text: &str) -> Result<Self, QueryError> {
        if text.len() > QUERY_MAX {
            return Err(QueryError::TooLong(text.len()));
        }
        let mut scanner = Scanner { text, at: 0 };
        if scanner.rest().is_empty() {
            return Err(QueryError::Empty);
        }
        let mut conditions = vec![scanner.condition()?];
        while !scanner.rest().is_empty() {
            if !scanner.word("AND") {
                return Err(scanner.expected("AND or the end"));
            }
            conditions.push(scanner.condition()?);
        }
        Ok(Self { text: text.trim().into(), conditions })
    }

    /// The query as it was written.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The conditions, in the order in which they were written.
    pub(crate) fn conditions(&self) -> &[Condition] {
        &self.conditions
    }

    /// Whether an event with these values satisfies every condition.
    pub(crate) fn matches(&self, events: &BTreeMap<String, Vec<String>>) -> bool {
        self.conditions.iter().all(|condition| {
            let values = events.get(&condition.key).map(Vec::as_slice).unwrap_or_default();
            values.iter().any(|value| condition.matches(value))
        })
    }

    /// Whether a height satisfies every condition on `key`.
    pub(crate) fn height_matches(&self, key: &str, height: u64) -> bool {
        let text = height.to_string();
        self.conditions.iter().filter(|condition| condition.key == key).all(|condition| condition.matches(&text))
    }

    /// The lowest and the highest height that can satisfy the conditions on `key`.
    pub(crate) fn height_bounds(&self, key: &str) -> (u64, u64) {
        let (mut first, mut last) = (0, u64::MAX);
        for condition in self.conditions.iter().filter(|condition| condition.key == key) {
            let Operand::Number(number) = &condition.operand else { continue };
            let Ok(height) = u64::try_from(number.whole) else { continue };
            match condition.operator {
                Operator::Equal => (first, last) = (first.max(height), last.min(height)),
                Operator::Less | Operator::LessEqual => last = last.min(height),
                Operator::Greater | Operator::GreaterEqual => first = first.max(height),
                Operator::Contains | Operator::Exists => {}
            }
        }
        (first, last)
    }
}

impl Condition {
    /// `type.key` of the attribute.
    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    /// How it compares.
    pub(crate) fn operator(&self) -> Operator {
        self.operator
    }

    /// The text that an attribute must be equal to, if that is the condition.
    pub(crate) fn exact_text(&self) -> Option<&str> {
        match (self.operator, &self.operand) {
            (Operator::Equal, Operand::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// Whether one indexed value satisfies it: `100uaceso` is no number there.
    pub(crate) fn matches_indexed(&self, value: &str) -> bool {
        let is_number = || Number::scan(value).is_some_and(|(_, length)| length == value.len());
        self.matches(value) && (!matches!(self.operand, Operand::Number(_)) || is_number())
    }

    /// Whether one value of an event satisfies it.
    pub(crate) fn matches(&self, value: &str) -> bool {
        match (&self.operand, self.operator) {
            (_, Operator::Exists) => true,
            (Operand::Text(text), Operator::Contains) => value.contains(text.as_str()),
            (Operand::Text(text), Operator::Equal) => value == text,
            (Operand::Number(number), operator) => {
                Number::leading(value).is_some_and(|have| operator.compares(&have, number))
            }
            (Operand::Time(time), operator) => {
                OffsetDateTime::parse(value, &Rfc3339).is_ok_and(|have| operator.compares(&have, time))
            }
            (Operand::Day(day), operator) => date(value).is_some_and(|have| operator.compares(&have, day)),
            (Operand::None | Operand::Text(_), _) => false,
        }
    }
}

impl Operator {
    fn compares<T: Ord>(self, have: &T, want: &T) -> bool {
        match self {
            Self::Equal => have == want,
            Self::Less => have < want,
            Self::LessEqual => have <= want,
            Self::Greater => have > want,
            Self::GreaterEqual => have >= want,
            Self::Contains | Self::Exists => false,
        }
    }
}

impl Number {
    /// The number that a text begins with, as coins do: `100uaceso` is 100.
    fn leading(text: &str) -> Option<Self> {
        Self::scan(text).map(|(number, _)| number)
    }

    /// A number and how many bytes it takes. Negative numbers have no fraction, as none is ever emitted.
    fn scan(text: &str) -> Option<(Self, usize)> {
        let digits = |from: &str| from.bytes().take_while(u8::is_ascii_digit).count();
        let sign = usize::from(text.starts_with('-'));
        let whole = sign + digits(text.get(sign..)?);
        if whole == sign {
            return None;
        }
        let number = text.get(..whole)?.parse().ok()?;
        let behind = text.get(whole..)?.strip_prefix('.').map_or(0, digits);
        if behind == 0 || sign == 1 {
            return Some((Self { whole: number, fraction: String::new() }, whole));
        }
        let fraction = text.get(whole + 1..whole + 1 + behind)?.trim_end_matches('0').to_owned();
        Some((Self { whole: number, fraction }, whole + 1 + behind))
    }
}

fn date(text: &str) -> Option<Date> {
    Date::parse(text.get(..10)?, format_description!("[year]-[month]-[day]")).ok()
}

/// A cursor over the text; spaces between tokens do not count.
struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    fn rest(&mut self) -> &'a str {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let trimmed = rest.trim_start();
        self.at += rest.len() - trimmed.len();
        trimmed
    }

    fn condition(&mut self) -> Result<Condition, QueryError> {
        let rest = self.rest();
        let length = rest.find(|c: char| c.is_whitespace() || "=<>'()\"\\".contains(c)).unwrap_or(rest.len());
        if length == 0 {
            return Err(self.expected("an attribute such as tx.height"));
        }
        let key = rest.get(..length).unwrap_or_default().to_owned();
        self.at += length;
        let operator = self.operator()?;
        let operand = match operator {
            Operator::Exists => Operand::None,
            Operator::Contains => Operand::Text(self.quoted()?),
            _ => self.operand()?,
        };
        if matches!(operand, Operand::Text(_)) && !matches!(operator, Operator::Equal | Operator::Contains) {
            return Err(self.expected("a number, DATE or TIME before this text"));
        }
        Ok(Condition { key, operator, operand })
    }

    fn operator(&mut self) -> Result<Operator, QueryError> {
        let rest = self.rest();
        let symbols = [
            ("<=", Operator::LessEqual),
            (">=", Operator::GreaterEqual),
            ("=", Operator::Equal),
            ("<", Operator::Less),
            (">", Operator::Greater),
        ];
        for (symbol, operator) in symbols {
            if rest.starts_with(symbol) {
                self.at += symbol.len();
                return Ok(operator);
            }
        }
        if self.word("CONTAINS") {
            Ok(Operator::Contains)
        } else if self.word("EXISTS") {
            Ok(Operator::Exists)
        } else {
            Err(self.expected("one of =, <, <=, >, >=, CONTAINS, EXISTS"))
        }
    }

    fn operand(&mut self) -> Result<Operand, QueryError> {
        let rest = self.rest();
        if rest.starts_with('\'') {
            return Ok(Operand::Text(self.quoted()?));
        }
        if self.word("TIME") {
            let token = self.token();
            return match OffsetDateTime::parse(token, &Rfc3339) {
                Ok(time) => Ok(Operand::Time(time)),
                Err(_) => Err(self.expected("a time such as 2026-01-02T03:04:05Z before this place")),
            };
        }
        if self.word("DATE") {
            let token = self.token();
            return match date(token) {
                Some(day) if token.len() == 10 => Ok(Operand::Day(day)),
                _ => Err(self.expected("a date such as 2026-01-02 before this place")),
            };
        }
        match Number::scan(rest) {
            Some((number, length)) => {
                self.at += length;
                Ok(Operand::Number(number))
            }
            None => Err(self.expected("text in single quotes, a number, DATE or TIME")),
        }
    }

    fn quoted(&mut self) -> Result<String, QueryError> {
        let rest = self.rest();
        let inner = rest.strip_prefix('\'').and_then(|rest| rest.split_once('\'')).map(|(inner, _)| inner);
        match inner {
            Some(inner) => {
                self.at += inner.len() + 2;
                Ok(inner.into())
            }
            None => Err(self.expected("text in single quotes")),
        }
    }

    fn token(&mut self) -> &'a str {
        let rest = self.rest();
        let token = rest.split(char::is_whitespace).next().unwrap_or_default();
        self.at += token.len();
        token
    }

    /// Takes a word, if it is the next and ends there.
    fn word(&mut self, word: &str) -> bool {
        let ends = self
            .rest()
            .strip_prefix(word)
            .is_some_and(|behind| behind.is_empty() || behind.starts_with(|c: char| c.is_whitespace() || c == '\''));
        if ends {
            self.at += word.len();
        }
        ends
    }

    fn expected(&mut self, expected: &'static str) -> QueryError {
        let found = self.rest().chars().take(24).collect();
        QueryError::Syntax { at: self.at, expected, found }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(query: &str, key: &str, value: &str) -> bool {
        let events = BTreeMap::from([(key.to_owned(), vec!["other".to_owned(), value.to_owned()])]);
        Query::parse(query).unwrap().matches(&events)
    }

    #[test]
    fn what_clients_send() {
        assert!(holds("tm.event='NewBlock'", "tm.event", "NewBlock"));
        assert!(holds("tm.event = 'Tx'", "tm.event", "Tx"));
        assert!(!holds("tm.event = 'Tx'", "tm.event", "NewBlock"));
        assert!(holds("tx.height=5", "tx.height", "5"));
        assert!(holds("tx.height >= 5", "tx.height", "5"));
        assert!(!holds("tx.height < 5", "tx.height", "5"));
        assert!(holds("transfer.amount > 99", "transfer.amount", "100uaceso"));
        assert!(holds("wasm.price < 1.5", "wasm.price", "1.25"));
        assert!(holds("wasm.action CONTAINS 'fer'", "wasm.action", "transfer"));
        assert!(holds("wasm.action EXISTS", "wasm.action", ""));
        assert!(!holds("wasm.nothing EXISTS", "wasm.action", ""));
        assert!(holds("a.t > TIME 2020-01-01T00:00:00Z", "a.t", "2020-01-01T00:00:01Z"));
        assert!(holds("a.d = DATE 2020-01-01", "a.d", "2020-01-01"));
        assert!(!holds("tm.event='Tx' AND tx.hash='AB'", "tm.event", "Tx"));
    }

    #[test]
    fn a_search_takes_whole_numbers_only() {
        let query = Query::parse("transfer.amount > 99").unwrap();
        let matches = |value: &str| query.conditions()[0].matches_indexed(value);
        assert!(matches("100") && matches("100.5") && matches("99.5"));
        assert!(!matches("100uaceso") && !matches("99") && !matches("100.") && !matches(""));
        assert!(Query::parse("a.b = '100uaceso'").unwrap().conditions()[0].matches_indexed("100uaceso"));
    }

    #[test]
    fn bounds_of_heights() {
        let query = Query::parse("tx.height > 3 AND tx.height <= 9 AND a.b='c'").unwrap();
        assert_eq!(query.height_bounds("tx.height"), (3, 9));
        assert_eq!((3..=10).filter(|h| query.height_matches("tx.height", *h)).collect::<Vec<_>>(), [4, 5, 6, 7, 8, 9]);
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "tm.event",
            "tm.event=",
            "=5",
            "a.b='x",
            "a.b='x' OR c.d=1",
            "a.b='x' AND",
            "a.b < 'x'",
            "a.b CONTAINS 5",
            "a.b = TIME yesterday",
            "a.b = DATE 2020-13-01",
            "a.b = x",
            "a.b='x'c.d='y'",
            "(a.b='x')",
        ] {
            assert!(matches!(Query::parse(text), Err(QueryError::Syntax { .. })), "{text}");
        }
        assert_eq!(Query::parse("  "), Err(QueryError::Empty));
        assert!(matches!(Query::parse(&"a".repeat(513)), Err(QueryError::TooLong(513))));
    }
}
