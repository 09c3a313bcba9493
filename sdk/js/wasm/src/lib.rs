//! What a browser needs of the chain's own code: receipts verified and recomputed, images shown, dag-cbor read, records
//! sealed and keys handed on.
//!
//! The exports of [`abi`] hand byte strings to the functions of the other modules and their [`Answer`] back:
//! [`receipts`] verifies, recomputes and makes receipt files, [`compact`] checks what committees have signed,
//! [`models`] computes what models make of records, [`images`] decodes pictures, [`records`] turns dag-cbor into JSON and back and says what has to be signed.
//! [`grants`] makes, checks and opens grants, [`guardians`] deals secrets, [`terms`] says in digests what messages
//! about sealed records mean, [`stores`] keeps a patient's keys, [`seals`] seals and opens records piece by piece.
//! Secrets come and go as bytes, never in JSON, and their regions are wiped when they are given back.
//!
//! Absent on purpose: no imports, so the module can reach nothing but its own memory; no generated glue, so a caller in
//! any language needs only the rules at the top of [`abi`]. Start there.

mod abi;
mod answer;
mod compact;
mod grants;
mod guardians;
mod images;
mod models;
mod receipts;
mod records;
mod seals;
mod stores;
mod terms;

use answer::{Answer, Refusal};
