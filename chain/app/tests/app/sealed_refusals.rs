//! What is refused of readers' keys, sealed records and grants, each with its code and its words; and proofs that are
//! used again for something else.

use aceso_types::{
    Digest, PixelDigest,
    guest::Origin,
    msg::{MsgGrant, MsgRegisterReader, MsgRegisterSealed, PassedOn, Recipient, SealedFile, SignedOrigin},
    sealed::{FILES_MAX, MEMBERS_MAX, reader_context},
};
use aceso_verify::grant::SecretKey;
use cosmos_sdk_proto::cosmwasm::wasm::v1::MsgExecuteContract;

use crate::{
    contracts::{make, store},
    fixture::{CHAIN, Key, alice, bob, code, ours, sdk},
    guests::{self, NOTHING},
    ward::{Giving, Kept, LATER, START, Ward, carol, cid, dave, entropy, reader, register_reader, terms},
};

/// The identity, a point of order 3, one outside the subgroup, one beyond the field, one off the curve.
fn hostile() -> [Vec<u8>; 5] {
    let at = |first: u8, last: u8| [&[first][..], &[0; 46], &[last]].concat();
    [at(0xc0, 0), at(0x80, 0), at(0x80, 4), vec![0xff; 48], at(0x80, 1)]
}

#[test]
fn keys_that_no_reader_has() {
    let mut ward = Ward::open();
    let good = register_reader(&bob(), 0, LATER);
    let change = |change: &dyn Fn(&mut MsgRegisterReader)| {
        let mut msg = good.clone();
        change(&mut msg);
        msg
    };
    let proof = ("aceso", 907);
    let holds = "the proof of the key's possession does not hold";
    for (msg, refusal, words) in [
        (change(&|msg| msg.key.truncate(47)), ("aceso", 901), "key: 47 bytes, and it has 48"),
        (change(&|msg| msg.possession.push(0)), ("aceso", 901), "proof of possession: 65 bytes"),
        (change(&|msg| msg.epoch = 1), ("aceso", 901), "epoch 1 of"),
        (change(&|msg| msg.expires = START), ("aceso", 901), "a key that ends at 1800000000, and it is"),
        (change(&|msg| msg.expires += 1), proof, holds),
        (change(&|msg| msg.key = reader(&carol(), 0).public().to_bytes().into()), proof, holds),
        (change(&|msg| msg.possession[63] ^= 1), proof, holds),
        (change(&|msg| msg.possession[..32].fill(0xff)), proof, "no scalar below the group's order"),
        // Another account's proof, for the same key.
        (change(&|msg| msg.possession = register_reader(&carol(), 0, LATER).possession), proof, holds),
    ] {
        ward.refused(&bob(), &msg, refusal, words);
    }
    for key in hostile() {
        ward.refused(&bob(), &change(&|msg| msg.key = key.clone()), proof, "is no point of G1 in its subgroup");
    }
    // A proof made for another chain.
    let elsewhere = reader_context("another-chain", &bob().address(), 0, LATER);
    let possession = reader(&bob(), 0).possession(&elsewhere.0, &entropy(1)).to_bytes();
    ward.refused(&bob(), &change(&|msg| msg.possession = possession.to_vec()), proof, holds);
    // Somebody else's key and proof, in his name; and one of his own for another epoch.
    let stolen = MsgRegisterReader { account: carol().address(), ..good.clone() };
    ward.refused(&carol(), &stolen, proof, holds);
    ward.net.ok(&bob(), vec![ours(&good)]);
    ward.refused(&bob(), &good, ("aceso", 901), "and 1 is next");
    ward.refused(&bob(), &MsgRegisterReader { epoch: 1, ..good }, proof, holds);
    ward.net.ok(&bob(), vec![ours(&register_reader(&bob(), 1, LATER))]);
}

#[test]
fn records_that_are_not_taken() {
    let mut ward = Ward::open();
    let kept = Kept::new(&alice(), 1);
    let good = kept.register(&[cid(1)]);
    let change = |change: &dyn Fn(&mut MsgRegisterSealed)| {
        let mut msg = good.clone();
        change(&mut msg);
        msg
    };
    let file = |change: &dyn Fn(&mut SealedFile)| {
        let mut msg = good.clone();
        change(&mut msg.files[0]);
        msg
    };
    let holds = "the proof of the registration does not hold";
    let most = FILES_MAX + 1;
    for (msg, refusal, words) in [
        (change(&|msg| msg.files.clear()), ("aceso", 903), "files: 0, and 1 to 1024 are allowed"),
        (change(&|msg| msg.files = vec![msg.files[0].clone(); most]), ("aceso", 903), "files: 1025"),
        (change(&|msg| msg.files.push(msg.files[0].clone())), ("aceso", 903), "is named twice"),
        (change(&|msg| msg.registration.truncate(239)), ("aceso", 903), "registration: 239 bytes"),
        (change(&|msg| msg.commitment.truncate(31)), ("aceso", 903), "commitment: 31 bytes"),
        (change(&|msg| msg.guard = bob().address()), ("aceso", 403), "is no contract"),
        (change(&|msg| msg.guard = "nobody".into()), ("sdk", 7), "guard"),
        (change(&|msg| msg.commitment[0] ^= 1), ("aceso", 907), holds),
        (change(&|msg| msg.registration[239] ^= 1), ("aceso", 907), holds),
        (change(&|msg| msg.files[0].cid = cid(2)), ("aceso", 907), holds),
        (change(&|msg| msg.files.push(SealedFile { cid: cid(2), ..msg.files[0].clone() })), ("aceso", 907), holds),
        (file(&|file| file.cid = "bafy".into()), ("aceso", 101), "bafy"),
        (file(&|file| file.size = 0), ("aceso", 903), "0 bytes, and 1 to"),
        (file(&|file| file.size = u64::MAX), ("aceso", 903), "bytes, and 1 to"),
        (file(&|file| file.modality = "dx".into()), ("aceso", 903), "modality \"dx\""),
        (file(&|file| file.body_part = "X".repeat(17)), ("aceso", 903), "body part"),
    ] {
        ward.refused(&alice(), &msg, refusal, words);
    }
    for place in 0..3 {
        for point in hostile() {
            let msg = change(&|msg| msg.registration[place * 48..][..48].copy_from_slice(&point));
            ward.refused(&alice(), &msg, ("aceso", 907), "is no point of G1 in its subgroup");
        }
    }
    ward.net.ok(&alice(), vec![ours(&good)]);
    ward.refused(&alice(), &good, ("aceso", 904), "is in record 1 of");
    let both = kept.register(&[cid(3), cid(1)]);
    ward.refused(&alice(), &both, ("aceso", 904), "sealed file already registered");
}

#[test]
fn an_institution_vouches_for_a_record_of_one_file() {
    let mut ward = Ward::open();
    let statement = Origin {
        institution: bob().address(),
        pixels: PixelDigest(Digest([1; 32])),
        study: Digest([2; 32]),
        subject: Digest([3; 32]),
    };
    let signed = SignedOrigin {
        institution: bob().address(),
        pixels: vec![1; 32],
        study: vec![2; 32],
        subject: vec![3; 32],
        public_key: bob().public(),
        signature: bob().sign(&statement.sign_bytes(CHAIN).0),
    };
    let kept = Kept::new(&alice(), 1);
    let with = |cids: &[String], signed: SignedOrigin| {
        let mut msg = kept.register(cids);
        msg.origin = Some(signed);
        msg
    };
    let several = with(&[cid(1), cid(2)], signed.clone());
    ward.refused(&alice(), &several, ("aceso", 903), "an origin is of one file, and 2 are named");
    let forged = SignedOrigin { study: vec![4; 32], ..signed.clone() };
    ward.refused(&alice(), &with(&[cid(1)], forged), ("aceso", 405), "has not signed it");
    ward.net.ok(&alice(), vec![ours(&with(&[cid(1)], signed.clone()))]);
    assert_eq!(ward.record(1).origin, Some(signed));
}

#[test]
fn grants_that_are_not_given() {
    let (mut ward, kept) = Ward::sealed();
    ward.net.ok(&dave(), vec![ours(&register_reader(&dave(), 1, START + 500))]);
    let give = |ward: &Ward, change: &dyn Fn(&mut Giving)| {
        let mut giving = ward.give(&kept, 1, 1, &[&bob(), &carol()]);
        change(&mut giving);
        giving.made()
    };
    let good = give(&ward, &|_| {});
    let change = |change: &dyn Fn(&mut MsgGrant)| {
        let mut msg = good.clone();
        change(&mut msg);
        msg
    };
    let refused = ("aceso", 908);
    let many = MEMBERS_MAX + 1;
    let from = PassedOn { granter: bob().address(), grant: 1, place: 0 };
    for (msg, refusal, words) in [
        (change(&|msg| msg.recipients.clear()), refused, "recipients: 0, and 1 to 128 are allowed"),
        (change(&|msg| msg.recipients = vec![msg.recipients[0].clone(); many]), refused, "recipients: 129"),
        (change(&|msg| msg.recipients[0].account = "bob".into()), ("sdk", 7), "recipient"),
        (change(&|msg| msg.recipients[1] = msg.recipients[0].clone()), refused, "is named twice"),
        (change(&|msg| msg.nonce.truncate(15)), refused, "nonce: 15 bytes, and it has 16"),
        (change(&|msg| msg.terms.truncate(31)), refused, "digest of the terms: 31 bytes"),
        (change(&|msg| msg.wrap.truncate(239)), refused, "wrap: 239 bytes, and it has 240"),
        (change(&|msg| msg.source_terms = vec![1]), refused, "bytes of source terms without a source: 1"),
        (change(&|msg| msg.source_terms = vec![1; 9_000]), refused, "bytes of source terms: 9000"),
        (change(&|msg| msg.grant = 2), refused, "and 1 is next"),
        (change(&|msg| msg.expires = START), refused, "a grant that ends at 1800000000"),
        (change(&|msg| msg.record = 9), ("aceso", 905), "record 9"),
        (change(&|msg| msg.recipients[0].epoch = 4), ("aceso", 902), "has no key of epoch 4"),
        (change(&|msg| msg.expires = LATER + 1), ("aceso", 901), "ends at 1801000000, before 1801000001"),
        (change(&|msg| msg.committee = true), refused, "operates no validator that attests"),
        (change(&|msg| msg.from = Some(from.clone())), ("aceso", 909), "/1"),
    ] {
        ward.refused(&alice(), &msg, refusal, words);
    }
    // A key whose time is nearly over is good for a grant that ends before it.
    let expired = give(&ward, &|giving| {
        giving.msg.recipients[1] = Recipient { account: dave().address(), epoch: 1 };
        giving.keys[1] = reader(&dave(), 1).public();
    });
    ward.refused(&alice(), &expired, ("aceso", 901), "ends at 1800000500, before 1800010000");
    // Who has no part in it.
    let strange = give(&ward, &|giving| giving.msg.granter = bob().address());
    ward.refused(&bob(), &strange, ("sdk", 4), &format!("record 1 is {}'s", alice().address()));
    ward.net.ok(&alice(), vec![ours(&good)]);
    let pass = |ward: &Ward, change: &dyn Fn(&mut Giving)| {
        let mut giving = ward.pass(&bob(), 1, (&alice(), 1), 0, &[&dave()]);
        change(&mut giving);
        giving.made()
    };
    let other = terms();
    for (msg, refusal, words) in [
        (pass(&ward, &|giving| giving.msg.from.as_mut().unwrap().place = 1), refused, "is not at place 1 of it"),
        (pass(&ward, &|giving| giving.msg.from.as_mut().unwrap().place = u32::MAX), refused, "is not at place"),
        (pass(&ward, &|giving| giving.msg.source_terms = vec![7]), ("aceso", 911), "does not decode"),
        (pass(&ward, &|giving| giving.msg.source_terms = vec![]), ("aceso", 913), "has not asked"),
        (
            pass(&ward, &|giving| {
                let salted = aceso_types::sealed::Terms { salt: Digest([9; 32]), ..other.clone() };
                giving.msg.source_terms = salted.encode();
            }),
            ("aceso", 911),
            "other terms than it was given with",
        ),
        (
            pass(&ward, &|giving| giving.secret = SecretKey::from_bytes(&[1; 32]).unwrap()),
            ("aceso", 907),
            "the proof of the wrap does not hold",
        ),
    ] {
        ward.refused(&bob(), &msg, refusal, words);
    }
    ward.net.ok(&alice(), vec![ours(&Kept::new(&alice(), 2).register(&[cid(2)]))]);
    let crossed = pass(&ward, &|giving| giving.msg.record = 2);
    ward.refused(&bob(), &crossed, refused, "it is of record 1, not 2");
}

#[test]
fn a_proof_is_about_one_grant_to_its_readers_of_one_record_on_one_chain() {
    let (mut ward, kept) = Ward::sealed();
    ward.net.ok(&bob(), vec![ours(&register_reader(&bob(), 1, LATER))]);
    ward.net.ok(&alice(), vec![ours(&Kept::new(&alice(), 2).register(&[cid(2)]))]);
    // The same keys for another file: all that differs is what the record is called.
    ward.net.ok(&alice(), vec![ours(&kept.register(&[cid(3)]))]);
    let good = ward.give(&kept, 1, 1, &[&bob(), &carol()]).made();
    let holds = ("aceso", 907);
    let change = |change: &dyn Fn(&mut MsgGrant)| {
        let mut msg = good.clone();
        change(&mut msg);
        msg
    };
    let mut made = vec![
        change(&|msg| msg.nonce[0] ^= 1),
        change(&|msg| msg.terms[0] ^= 1),
        change(&|msg| msg.record = 2),
        change(&|msg| msg.record = 3),
        change(&|msg| msg.recipients[0].account = dave().address()),
        change(&|msg| msg.recipients[0].epoch = 1),
        change(&|msg| msg.recipients.swap(0, 1)),
    ];
    let lies: [&dyn Fn(&mut Giving); 8] = [
        &|giving| giving.chain = "another-chain",
        &|giving| giving.cid = cid(9),
        &|giving| giving.owner = bob().address(),
        &|giving| giving.source.push(0),
        // A third key of the same length; a key that he had before.
        &|giving| giving.keys[1] = reader(&dave(), 0).public(),
        &|giving| giving.keys[0] = reader(&bob(), 1).public(),
        &|giving| giving.named = Some(giving.msg.recipients.iter().rev().cloned().collect()),
        &|giving| giving.secret = SecretKey::from_bytes(&[1; 32]).unwrap(),
    ];
    for lie in lies {
        let mut giving = ward.give(&kept, 1, 1, &[&bob(), &carol()]);
        lie(&mut giving);
        made.push(giving.made());
    }
    for msg in made {
        ward.refused(&alice(), &msg, holds, "the proof of the wrap does not hold");
    }
    for place in 0..3 {
        for point in hostile() {
            let msg = change(&|msg| msg.wrap[place * 48..][..48].copy_from_slice(&point));
            ward.refused(&alice(), &msg, holds, "is no point of G1 in its subgroup");
        }
        let msg = change(&|msg| msg.wrap[144 + place * 32..][..32].fill(0xff));
        ward.refused(&alice(), &msg, holds, "is no scalar below the group's order");
    }
    ward.net.ok(&alice(), vec![ours(&good)]);
    ward.refused(&alice(), &good, ("aceso", 908), "and 2 is next");
    ward.refused(&alice(), &MsgGrant { grant: 2, ..good }, holds, "the proof of the wrap does not hold");
}

#[test]
fn a_committee_is_made_of_operators_of_validators() {
    let (mut ward, kept) = Ward::sealed();
    let committee = |ward: &Ward, to: &[&Key]| {
        let mut giving = ward.give(&kept, 1, 1, to);
        giving.msg.committee = true;
        giving.made()
    };
    let msg = committee(&ward, &[&bob(), &dave()]);
    ward.refused(&alice(), &msg, ("aceso", 908), &format!("{} operates no validator that attests", dave().address()));
    let msg = committee(&ward, &[&bob()]);
    ward.net.ok(&alice(), vec![ours(&msg)]);
    assert!(ward.grant(&alice(), 1).grant.unwrap().committee);
}

#[test]
fn messages_come_in_the_signers_own_name() {
    let (mut ward, kept) = Ward::sealed();
    let msg = ward.give(&kept, 1, 1, &[&bob()]).made();
    let result = ward.net.run(&carol(), vec![ours(&msg)]);
    assert!(result.code.is_err(), "{}", result.log);
    assert_eq!(ward.net.ask(&aceso_types::query::QueryGrants { record: 1, ..Default::default() }).rows, vec![]);
}

/// A contract may own a sealed record; an emergency is a person's to declare.
#[test]
fn what_contracts_send_of_it() {
    let (mut ward, _) = Ward::sealed();
    let code_id = store(&mut ward.net, guests::echo());
    let contract = make(&mut ward.net, code_id, NOTHING);
    let say = |type_url: &str, value: Vec<u8>| {
        use base64::{Engine, engine::general_purpose::STANDARD};
        let any = serde_json::json!({ "any": { "type_url": type_url, "value": STANDARD.encode(value) } });
        let message = serde_json::json!([{ "id": 0, "msg": any, "gas_limit": null, "reply_on": "never" }]);
        let answer = serde_json::json!({
            "ok": { "messages": message, "attributes": [], "events": [], "data": null },
        });
        let msg = answer.to_string().into_bytes();
        sdk(&MsgExecuteContract { sender: alice().address(), contract: contract.clone(), msg, funds: vec![] })
    };
    let break_glass = aceso_types::msg::MsgBreakGlass { actor: contract.clone(), ..Default::default() };
    let any = ours(&break_glass);
    let result = ward.net.run(&alice(), vec![say(&any.type_url, any.value)]);
    assert_eq!(code(&result), ("sdk", 6), "{}", result.log);
    // In its own name alone, and by the same rules.
    let retire = |owner: String| ours(&aceso_types::msg::MsgRetireSealed { owner, record: 1 });
    let any = retire(alice().address());
    let result = ward.net.run(&alice(), vec![say(&any.type_url, any.value)]);
    assert!(result.log.contains("contract doesn't have permission"), "{}", result.log);
    let any = retire(contract.clone());
    let result = ward.net.run(&alice(), vec![say(&any.type_url, any.value)]);
    assert!(result.log.contains("record 1 is"), "{}", result.log);
}
