//! Messages and rows of sealed records on the wire, in `vectors/sealed.txt`: one a line, its name and its bytes. Other
//! implementations read the same file.
//!
//! By rule, field number n holds the number n, the text `tn`, the byte n or `true`; a list has one entry and a message
//! inside is filled alike. A difference here is another wire (`cargo xtask golden`).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use aceso_types::{
    msg::{
        Acceptance, JobOutcome, MsgBreakGlass, MsgDispute, MsgGrant, MsgRegisterReader, MsgRegisterSealed,
        MsgRequestRead, MsgRetireSealed, MsgRevokeGrant, PassedOn, Recipient, SealedFile, SignedOrigin,
    },
    query::{Disputed, GrantRow, JobRow, MemberRow, ReaderRow, RecordRow, ResultRow, ReviewRow},
};
use prost::Message;

fn t(tag: u8) -> String {
    format!("t{tag}")
}

fn file() -> SealedFile {
    SealedFile { cid: t(1), size: 2, modality: t(3), body_part: t(4), effort: 5 }
}

fn origin() -> SignedOrigin {
    SignedOrigin {
        institution: t(1),
        pixels: vec![2],
        study: vec![3],
        subject: vec![4],
        public_key: vec![5],
        signature: vec![6],
    }
}

fn grant() -> MsgGrant {
    MsgGrant {
        granter: t(1),
        grant: 2,
        record: 3,
        from: Some(PassedOn { granter: t(1), grant: 2, place: 3 }),
        recipients: vec![Recipient { account: t(1), epoch: 2 }],
        committee: true,
        nonce: vec![7],
        expires: 8,
        terms: vec![9],
        wrap: vec![10],
        source_terms: vec![11],
    }
}

fn acceptance() -> Acceptance {
    Acceptance { members_min: 1, power_min_bps: 2, required: vec![t(3)], excluded: vec![t(4)] }
}

fn messages() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        (
            "MsgRegisterReader",
            MsgRegisterReader { account: t(1), epoch: 2, key: vec![3], expires: 4, possession: vec![5] }
                .encode_to_vec(),
        ),
        (
            "MsgRegisterSealed",
            MsgRegisterSealed {
                owner: t(1),
                files: vec![file()],
                guard: t(3),
                registration: vec![4],
                commitment: vec![5],
                origin: Some(origin()),
            }
            .encode_to_vec(),
        ),
        ("MsgRetireSealed", MsgRetireSealed { owner: t(1), record: 2 }.encode_to_vec()),
        ("MsgGrant", grant().encode_to_vec()),
        ("MsgRevokeGrant", MsgRevokeGrant { sender: t(1), granter: t(2), grant: 3 }.encode_to_vec()),
        (
            "MsgBreakGlass",
            MsgBreakGlass { actor: t(1), epoch: 2, granter: t(3), grant: 4, terms: vec![5], reason: t(6) }
                .encode_to_vec(),
        ),
        (
            "MsgRequestRead",
            MsgRequestRead {
                requester: t(1),
                actor: t(2),
                model: vec![3],
                owner: t(4),
                image: t(5),
                granter: t(6),
                grant: 7,
                terms: vec![8],
                purpose: t(9),
                disclose: 10,
                findings: vec![t(11)],
                accept: Some(acceptance()),
                deadline: 13,
                callback_gas: 14,
                reason: t(15),
                identify: true,
                frame: 17,
            }
            .encode_to_vec(),
        ),
        (
            "MsgDispute",
            MsgDispute {
                sender: t(1),
                job: 2,
                point: vec![3],
                from: Some(PassedOn { granter: t(1), grant: 2, place: 3 }),
                proof: vec![5],
            }
            .encode_to_vec(),
        ),
    ]
}

fn rows() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("ReaderRow", ReaderRow { account: t(1), epoch: 2, key: vec![3], expires: 4 }.encode_to_vec()),
        (
            "RecordRow",
            RecordRow {
                record: 1,
                owner: t(2),
                files: vec![file()],
                guard: t(4),
                registration: vec![5],
                commitment: vec![6],
                origin: Some(origin()),
                height: 8,
                retired: 9,
                reviews: 10,
            }
            .encode_to_vec(),
        ),
        ("GrantRow", GrantRow { grant: Some(grant()), height: 2, revoked: 3, uses: 4, depth: 5 }.encode_to_vec()),
        (
            "ReviewRow",
            ReviewRow {
                review: 1,
                record: 2,
                actor: t(3),
                epoch: 4,
                granter: t(5),
                grant: 6,
                reason: t(7),
                height: 8,
                job: 9,
                passed_on_by: t(10),
            }
            .encode_to_vec(),
        ),
        (
            "JobRow",
            JobRow {
                job: 1,
                status: 2,
                statement: vec![3],
                consent: vec![4],
                record: 5,
                granter: t(6),
                grant: 7,
                root: 8,
                members: vec![MemberRow { number: 1, operator: t(2), bls_key: vec![3], power: 4, epoch: 5, place: 6 }],
                total: 10,
                deadline: 11,
                callback_gas: 12,
                price: t(13),
                reward: t(14),
                accept: Some(acceptance()),
                read: 16,
                closed: 17,
                outcome: Some(JobOutcome { job: 1, outcome: vec![2], signers: vec![3], signature: vec![4] }),
                disputed: Some(Disputed { sender: t(1), height: 2, wrong: true, outcome: vec![4], marked: 5 }),
                keep: t(20),
                result_bytes: 21,
            }
            .encode_to_vec(),
        ),
        (
            "ResultRow",
            ResultRow { job: 1, record: 2, cid: t(3), size: 4, expires: 5, operators: vec![t(6)] }.encode_to_vec(),
        ),
    ]
}

#[test]
fn the_wire_of_sealed_records_does_not_change() {
    let lines = messages().into_iter().chain(rows()).map(|(name, bytes)| format!("{name} {}\n", hex::encode(bytes)));
    expect_test::expect_file!["vectors/sealed.txt"].assert_eq(&lines.collect::<String>());
}
