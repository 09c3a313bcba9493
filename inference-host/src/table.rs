//! From the bytes of a table to a model's input tensor, in integers only.
//!
//! [`decode`] reads a line of names and a line of decimals into a [`Table`]: values in billionths, exactly. A table has
//! an identity, [`Table::digest`], which does not depend on how its decimals, its lines or the order of its columns were
//! written, and becomes a tensor by the columns of a manifest's pipeline, [`Table::to_tensor`].
//!
//! Every rule is written down in `TABLE.md` beside this crate's manifest. Files come from strangers: they are bounded
//! before they are looked at, and what is not a decimal of that page is refused by column. Missing values, quotes,
//! exponents and several rows are absent.

use std::collections::BTreeMap;

use aceso_types::{
    Digest, PixelDigest,
    manifest::{COLUMNS_MAX, Column, Pipeline},
    tensor::{ElementType, Tensor, TensorError},
};

use crate::image::{self, ImageError, Stated};

/// Most bytes of a table: 512 columns of 64-byte names and the longest decimals.
pub const BYTES_MAX: usize = 64 << 10;
/// Most digits before the point, and after it.
const DIGITS_MAX: usize = 9;
/// Billionths in one.
const UNIT: i64 = 1_000_000_000;
/// Billionths in a millionth, in which columns have their bounds.
const PER_BOUND: i128 = 1_000;

/// Why bytes are not a table that can be read, or a table is not one for this model.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TableError {
    /// A larger file than [`BYTES_MAX`].
    #[error("a table has at most 65536 bytes, not {0}")]
    TooManyBytes(usize),
    /// Other bytes than ASCII.
    #[error("byte {0} of the table is not ASCII")]
    NotText(usize),
    /// One line, or more than two.
    #[error("a table has a line of names and a line of values, not {0} lines")]
    Lines(usize),
    /// More columns than manifests have.
    #[error("a table has at most 512 columns, not {0}")]
    TooManyColumns(usize),
    /// Not as many values as names.
    #[error("the table has {names} names and {values} values")]
    Width {
        /// How many names.
        names: usize,
        /// How many values.
        values: usize,
    },
    /// What stands for a name cannot be one.
    #[error("column {0} of the table has no name of 1 to 64 of a-z A-Z 0-9 _ . -")]
    Name(usize),
    /// A name twice.
    #[error("column {0:?} stands twice in the table")]
    Twice(String),
    /// What stands for a value is no decimal that can be read.
    #[error("column {name:?} is {value:?}: a value is a decimal of at most 9 digits before and 9 after the point")]
    Value {
        /// The column.
        name: String,
        /// What stands there, cut to 32 characters.
        value: String,
    },
    /// A column that the model needs.
    #[error("the table has no column {0:?}, which the model reads")]
    Missing(String),
    /// A column that the model does not know.
    #[error("the model does not read column {0:?} of the table")]
    Unknown(String),
    /// Another kind of record than the model reads.
    #[error(transparent)]
    Kind(ImageError),
    /// The model reads images.
    #[error("the model reads images, not tables")]
    NoTable,
    /// The input tensor cannot exist.
    #[error(transparent)]
    Tensor(#[from] TensorError),
}

/// A table of one row: names and values in billionths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    cells: BTreeMap<String, i64>,
}

/// Reads a file.
///
/// # Errors
/// Every [`TableError`] but those of [`Table::to_tensor`].
pub fn decode(bytes: &[u8]) -> Result<Table, TableError> {
    if bytes.len() > BYTES_MAX {
        return Err(TableError::TooManyBytes(bytes.len()));
    }
    let text = match bytes.iter().position(|byte| !byte.is_ascii()) {
        Some(at) => return Err(TableError::NotText(at)),
        None => str::from_utf8(bytes).map_err(|e| TableError::NotText(e.valid_up_to()))?,
    };
    let text = text.strip_suffix('\n').unwrap_or(text);
    let lines: Vec<&str> = text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line)).collect();
    let [names, values] = lines.as_slice() else { return Err(TableError::Lines(lines.len())) };
    let (names, values): (Vec<&str>, Vec<&str>) = (names.split(',').collect(), values.split(',').collect());
    if names.len() > COLUMNS_MAX {
        return Err(TableError::TooManyColumns(names.len()));
    }
    if names.len() != values.len() {
        return Err(TableError::Width { names: names.len(), values: values.len() });
    }
    let mut cells = BTreeMap::new();
    for (at, (name, value)) in names.into_iter().zip(values).enumerate() {
        if !Column::is_name(name) {
            return Err(TableError::Name(at));
        }
        let refused = || TableError::Value { name: name.into(), value: value.chars().take(32).collect() };
        let value = billionths(value).ok_or_else(refused)?;
        if cells.insert(name.to_owned(), value).is_some() {
            return Err(TableError::Twice(name.into()));
        }
    }
    Ok(Table { cells })
}

/// `-`? digits (`.` digits)?, both of at most [`DIGITS_MAX`] digits: at most 10^18 − 1, which fits.
fn billionths(text: &str) -> Option<i64> {
    let (negative, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| {
        let fits = (1..=DIGITS_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        if fits { text.parse::<i64>().ok() } else { None }
    };
    let places = u32::try_from(DIGITS_MAX.checked_sub(part.len())?).ok()?;
    let value =
        digits(whole)?.checked_mul(UNIT)?.checked_add(digits(part)?.checked_mul(10_i64.checked_pow(places)?)?)?;
    Some(if negative { -value } else { value })
}

impl Table {
    /// The value of a column in billionths.
    pub fn value(&self, name: &str) -> Option<i64> {
        self.cells.get(name).copied()
    }

    /// The table's identity: equal for equal values under equal names, however they are written.
    pub fn digest(&self) -> PixelDigest {
        let values: Vec<[u8; 8]> = self.cells.values().map(|value| value.to_be_bytes()).collect();
        let parts = self.cells.keys().zip(&values).flat_map(|(name, value)| [name.as_bytes(), &value[..]]);
        PixelDigest(Digest::sha3("aceso/table/v1", &parts.collect::<Vec<_>>()))
    }

    /// The input tensor, `u8 [1, 1, 1, columns]`, in the order of the pipeline's columns.
    ///
    /// # Errors
    /// Modality or body part unstated or not accepted; a column too many or too few; a pipeline of images.
    pub fn to_tensor(&self, pipeline: &Pipeline, stated: &Stated) -> Result<Tensor, TableError> {
        let columns = pipeline.table.as_ref().ok_or(TableError::NoTable)?;
        image::suits(None, None, pipeline, stated).map_err(TableError::Kind)?;
        let byte = |column: &Column| {
            let value = self.value(&column.name).ok_or_else(|| TableError::Missing(column.name.clone()))?;
            Ok(scaled(value, column))
        };
        let data = columns.iter().map(byte).collect::<Result<Vec<u8>, TableError>>()?;
        if let Some(unknown) = self.cells.keys().find(|name| columns.iter().all(|column| column.name != **name)) {
            return Err(TableError::Unknown(unknown.clone()));
        }
        let length = u32::try_from(data.len()).unwrap_or(u32::MAX);
        Ok(Tensor::new(ElementType::U8, vec![1, 1, 1, length], data)?)
    }
}

/// `half_up(255 · (v − low) / (high − low))`, clamped. The largest intermediate is below 2^72.
fn scaled(value: i64, column: &Column) -> u8 {
    let (low, high) = (i128::from(column.low) * PER_BOUND, i128::from(column.high) * PER_BOUND);
    // A manifest whose bounds are not in order is not admitted.
    let span = (high - low).max(1);
    let byte = (2 * 255 * (i128::from(value) - low) + span).div_euclid(2 * span);
    u8::try_from(byte.clamp(0, 255)).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use proptest::prelude::*;

    use super::*;

    fn pipeline() -> Pipeline {
        let manifest: aceso_types::Manifest =
            serde_json::from_slice(include_bytes!("../../models/wdbc/manifest.json")).unwrap();
        let column = |name: &str, low, high| Column { name: name.into(), low, high };
        let table = vec![column("b", -1_000_000, 1_000_000), column("a", 0, 2_550_000)];
        Pipeline { table: Some(table), width: 2, ..manifest.pipeline }
    }

    fn stated() -> Stated {
        Stated { modality: "TABLE".into(), body_part: "BREAST".into() }
    }

    fn bytes(text: &str) -> Vec<u8> {
        decode(text.as_bytes()).unwrap().to_tensor(&pipeline(), &stated()).unwrap().data().to_vec()
    }

    #[test]
    fn values_are_exact_and_rounded_once() {
        assert_eq!(bytes("a,b\n0,0"), [128, 0]);
        assert_eq!(bytes("a,b\n0.015,-1"), [0, 2]);
        assert_eq!(bytes("a,b\n0.014999999,1"), [255, 1]);
        assert_eq!(bytes("b,a\n-999999999.999999999,999999999.999999999\r\n"), [0, 255]);
        let table = decode(b"a,b\n0.0008948,-7").unwrap();
        assert_eq!((table.value("a"), table.value("b"), table.value("c")), (Some(894_800), Some(-7_000_000_000), None));
    }

    #[test]
    fn identity_is_of_values_not_of_writing() {
        let digest = |text: &str| decode(text.as_bytes()).unwrap().digest().to_string();
        let one = digest("a,b\n1.5,-2");
        expect!["3e6e9b87db8ca8a9f6c08b0dd6b2ef9ce1dbb5b24f90c11a6b8c1da7d0d5d1b7"].assert_eq(&one);
        for same in ["b,a\n-2,1.5", "a,b\r\n1.5,-2\r\n", "a,b\n01.50,-2.000000000\n", "a,b\n1.5,-0002"] {
            assert_eq!(digest(same), one, "{same}");
        }
        for other in ["a,b\n1.5,2", "a,c\n1.5,-2", "a,b\n1.500000001,-2", "b,a\n1.5,-2", "a\n1.5"] {
            assert_ne!(digest(other), one, "{other}");
        }
        assert_eq!(digest("a\n-0"), digest("a\n0.0"));
    }

    #[test]
    fn what_is_no_table_is_refused_by_its_place() {
        let sentences = [
            "",
            "a,b",
            "a,b\n1,2\n3,4",
            "a,b\n1,2\n\n",
            "a,b\n1",
            "a,\n1,2",
            "a,b c\n1,2",
            "a,a\n1,1",
            "a\n",
            "a\n1e3",
            "a\n+1",
            "a\n.5",
            "a\n5.",
            "a\n1.2.3",
            "a\n-",
            "a\n--1",
            "a\n 1",
            "a\n1234567890",
            "a\n0.1234567890",
            "a\nNaN",
            "a\n\"1\"",
            "ä\n1",
        ]
        .map(|text| decode(text.as_bytes()).unwrap_err().to_string() + "\n");
        expect![[""]].assert_eq(&sentences.concat());
        assert_eq!(decode(&vec![b'a'; BYTES_MAX + 1]), Err(TableError::TooManyBytes(BYTES_MAX + 1)));
        let wide = vec!["a"; COLUMNS_MAX + 1].join(",");
        assert_eq!(decode(format!("{wide}\n1").as_bytes()), Err(TableError::TooManyColumns(COLUMNS_MAX + 1)));
    }

    #[test]
    fn another_record_than_the_models_is_refused() {
        let refused = |text: &str, pipeline: &Pipeline, stated: &Stated| {
            decode(text.as_bytes()).unwrap().to_tensor(pipeline, stated).unwrap_err().to_string() + "\n"
        };
        let other = Stated { modality: "DX".into(), ..stated() };
        let images = Pipeline { table: None, ..pipeline() };
        expect![[""]].assert_eq(
            &[
                refused("a\n1", &pipeline(), &stated()),
                refused("a,b,c\n1,2,3", &pipeline(), &stated()),
                refused("a,b\n1,2", &pipeline(), &other),
                refused("a,b\n1,2", &pipeline(), &Stated::default()),
                refused("a,b\n1,2", &images, &stated()),
            ]
            .concat(),
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn bytes_that_come_from_anywhere_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            if let Ok(table) = decode(&bytes) {
                let _ = table.to_tensor(&pipeline(), &stated());
            }
        }

        #[test]
        fn text_like_tables_does_no_harm(text in "[ab,.0-9\\-\n\r]{0,40}") {
            if let Ok(table) = decode(text.as_bytes()) {
                let again = table.cells.iter().map(|(name, value)| (name.clone(), decimal(*value)));
                let (names, values): (Vec<_>, Vec<_>) = again.unzip();
                let again = decode(format!("{}\n{}", names.join(","), values.join(",")).as_bytes());
                prop_assert_eq!(again.as_ref(), Ok(&table));
                prop_assert_eq!(again.map(|again| again.digest()), Ok(table.digest()));
            }
        }

        #[test]
        fn scaling_never_falls_and_meets_its_ends(
            low in -1_000_000_000_000_000_i64..1_000_000_000_000_000, span in 1_u64..1_000_000_000_000_000,
            a in -999_999_999_999_999_999_i64..=999_999_999_999_999_999, b in -999_999_999_999_999_999_i64..=999_999_999_999_999_999,
        ) {
            let column = Column { name: "a".into(), low, high: low + i64::try_from(span).unwrap() };
            let (a, b) = (a.min(b), a.max(b));
            prop_assert!(scaled(a, &column) <= scaled(b, &column));
            let exact = |bound: i64| i64::try_from(i128::from(bound) * PER_BOUND);
            if let (Ok(low), Ok(high)) = (exact(column.low), exact(column.high)) {
                prop_assert_eq!((scaled(low, &column), scaled(high, &column)), (0, 255));
            }
        }
    }

    fn decimal(billionths: i64) -> String {
        let sign = if billionths < 0 { "-" } else { "" };
        let value = billionths.unsigned_abs();
        format!("{sign}{}.{:09}", value / UNIT.unsigned_abs(), value % UNIT.unsigned_abs())
    }
}
