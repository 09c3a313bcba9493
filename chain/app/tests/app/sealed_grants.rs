//! Sealed records and their grants: what is given, passed on, asked for in an emergency, and what still holds when
//! something ends.

use aceso_types::{
    BlobId, Digest,
    guest::{Answer, PermitRequest},
    journal::{Entry, Event},
    msg::{MsgBreakGlass, MsgRetireSealed, MsgRevokeGrant},
    query::{
        Page, QueryGrant, QueryGrants, QueryJournal, QueryReader, QueryRecord, QueryRecords, QueryReviews, ReviewRow,
    },
    sealed::{DEPTH_MAX, Terms},
};
use aceso_verify::grant::{Ciphertext, ContentPoint, Wrap};
use cosmos_sdk_proto::{
    Any,
    cosmos::tx::v1beta1::{SimulateRequest, SimulateResponse},
    cosmwasm::wasm::v1::MsgExecuteContract,
};
use prost::Message;
use tendermint::abci::types::ExecTxResult;

use crate::{
    contracts::{make, store},
    fixture::{Key, alice, bob, code, ours, sdk, told},
    guests::{self, NOTHING},
    ward::{Kept, LATER, START, Ward, carol, cid, dave, reader, register_reader, terms},
};

fn event(result: &ExecTxResult, kind: &str) -> String {
    told(result).into_iter().find(|line| line.starts_with(&format!("{kind} "))).unwrap()
}

fn first_of(wrap: &[u8]) -> Ciphertext {
    Wrap::from_bytes(wrap).unwrap().of(0).unwrap()
}

fn revoke(sender: &Key, granter: &Key, grant: u64) -> MsgRevokeGrant {
    MsgRevokeGrant { sender: sender.address(), granter: granter.address(), grant }
}

#[test]
fn what_a_patient_seals_her_readers_open_and_pass_on() {
    let (mut ward, kept) = Ward::sealed();
    let given = ward.give(&kept, 1, 1, &[&bob(), &carol()]).made();
    let result = ward.net.ok(&alice(), vec![ours(&given)]);
    println!("a grant to two: {} gas", result.gas_used);
    let told = event(&result, "grant");
    assert!(told.contains(&format!("recipient={} recipient={}", bob().address(), carol().address())), "{told}");
    let row = ward.grant(&alice(), 1);
    assert_eq!((row.grant.as_ref(), row.revoked, row.uses, row.depth), (Some(&given), 0, 0, 0));
    // Each opens it by what stands on the chain and her own secret.
    let wrap = Wrap::from_bytes(&given.wrap).unwrap();
    for (place, key) in [bob(), carol()].iter().enumerate() {
        let opened = wrap.of(place).unwrap().open(&reader(key, 0));
        assert_eq!(opened.commitment().0[..], ward.record(1).commitment);
        let named = ward.net.ask(&QueryGrants { recipient: key.address(), ..QueryGrants::default() });
        assert_eq!(named.rows, std::slice::from_ref(&row));
    }
    let on = ward.pass(&carol(), 1, (&alice(), 1), 1, &[&dave()]).made();
    ward.net.ok(&carol(), vec![ours(&on)]);
    let row = ward.grant(&carol(), 1);
    assert_eq!((row.depth, row.grant.unwrap().source_terms), (1, vec![]));
    assert_eq!(first_of(&on.wrap).open(&reader(&dave(), 0)), kept.content);
    assert_eq!(ward.net.ask(&QueryGrants { record: 1, ..QueryGrants::default() }).rows.len(), 2);
}

#[test]
fn a_study_of_five_hundred_files_is_one_grant() {
    let (mut ward, kept) = (Ward::open(), Kept::new(&alice(), 1));
    ward.net.ok(&bob(), vec![ours(&register_reader(&bob(), 0, LATER))]);
    let cids: Vec<String> = (0..500).map(cid).collect();
    let result = ward.net.ok(&alice(), vec![ours(&kept.register(&cids))]);
    let registered = result.gas_used;
    let told = event(&result, "register_sealed");
    assert!(told.contains("files=500") && told.contains("cid=record:"), "{told}");
    let given = ward.give(&kept, 1, 1, &[&bob()]).made();
    let granted = ward.net.ok(&alice(), vec![ours(&given)]).gas_used;
    println!("500 files: {registered} gas to register, {granted} to grant");
    assert!(registered < 6_000_000 && granted < 400_000, "{registered} {granted}");
    assert_eq!(first_of(&given.wrap).open(&reader(&bob(), 0)), kept.content);
    let by_file = QueryRecord { record: 0, owner: alice().address(), cid: cid(499) };
    assert_eq!(ward.net.ask(&by_file).files.len(), 500);
}

#[test]
fn a_record_ends_and_its_files_are_sealed_anew() {
    let (mut ward, kept) = Ward::sealed();
    let given = ward.give(&kept, 1, 1, &[&bob()]).made();
    ward.net.ok(&alice(), vec![ours(&given)]);
    let retire = MsgRetireSealed { owner: alice().address(), record: 1 };
    let strange = MsgRetireSealed { owner: bob().address(), record: 1 };
    ward.refused(&bob(), &strange, ("sdk", 4), &format!("record 1 is {}'s", alice().address()));
    ward.refused(&alice(), &MsgRetireSealed { record: 2, ..retire.clone() }, ("aceso", 905), "record 2");
    ward.net.ok(&alice(), vec![ours(&retire)]);
    let ended = ward.net.height;
    assert_eq!(ward.record(1).retired, ended);
    ward.refused(&alice(), &retire, ("aceso", 906), &format!("record 1, at height {ended}"));
    // Neither its owner nor a reader hands its key out any more.
    let again = ward.give(&kept, 1, 2, &[&carol()]).made();
    ward.refused(&alice(), &again, ("aceso", 906), "record 1");
    let on = ward.pass(&bob(), 1, (&alice(), 1), 0, &[&carol()]).made();
    ward.refused(&bob(), &on, ("aceso", 906), "record 1");
    // The same files under another key are another record.
    let anew = Kept::new(&alice(), 2);
    ward.net.ok(&alice(), vec![ours(&anew.register(&[cid(1)]))]);
    let by_file = QueryRecord { record: 0, owner: alice().address(), cid: cid(1) };
    assert_eq!(ward.net.ask(&by_file).record, 2);
    let stale = ward.give(&kept, 2, 2, &[&carol()]).made();
    ward.refused(&alice(), &stale, ("aceso", 907), "the proof of the wrap does not hold");
    let given = ward.give(&anew, 2, 2, &[&carol()]).made();
    ward.net.ok(&alice(), vec![ours(&given)]);
}

#[test]
fn who_gave_a_grant_or_owns_the_record_takes_it_back_with_all_that_came_of_it() {
    let (mut ward, kept) = Ward::sealed();
    let msg = ward.give(&kept, 1, 1, &[&bob()]).made();
    ward.net.ok(&alice(), vec![ours(&msg)]);
    let msg = ward.pass(&bob(), 1, (&alice(), 1), 0, &[&carol()]).made();
    ward.net.ok(&bob(), vec![ours(&msg)]);
    let strange = revoke(&carol(), &bob(), 1);
    ward.refused(&carol(), &strange, ("sdk", 4), "to take back");
    ward.refused(&alice(), &revoke(&alice(), &alice(), 7), ("aceso", 909), &format!("{}/7", alice().address()));
    // The owner takes back what was not given by her.
    let msg = ward.pass(&bob(), 2, (&alice(), 1), 0, &[&dave()]).made();
    ward.net.ok(&bob(), vec![ours(&msg)]);
    ward.net.ok(&alice(), vec![ours(&revoke(&alice(), &bob(), 2))]);
    let words = format!("{}/2 was taken back at height {}", bob().address(), ward.net.height);
    let msg = ward.pass(&dave(), 1, (&bob(), 2), 0, &[&carol()]).made();
    ward.refused(&dave(), &msg, ("aceso", 910), &words);
    ward.refused(&bob(), &revoke(&bob(), &bob(), 2), ("aceso", 910), &words);
    // The first one of a row takes all with it.
    let result = ward.net.ok(&alice(), vec![ours(&revoke(&alice(), &alice(), 1))]);
    assert!(event(&result, "revoke_grant").contains("record=1"));
    let words = format!("{}/1 was taken back at height {}", alice().address(), ward.net.height);
    let msg = ward.pass(&carol(), 1, (&bob(), 1), 0, &[&dave()]).made();
    ward.refused(&carol(), &msg, ("aceso", 910), &words);
    assert_eq!(ward.grant(&bob(), 1).revoked, 0);
}

#[test]
fn a_key_is_passed_on_as_often_as_the_terms_and_the_bound_allow() {
    let (mut ward, kept) = Ward::sealed();
    ward.net.ok(&alice(), vec![ours(&register_reader(&alice(), 0, LATER))]);
    let msg = ward.give(&kept, 1, 1, &[&bob()]).made();
    ward.net.ok(&alice(), vec![ours(&msg)]);
    let (mut from, mut numbers) = ((bob(), alice(), 1), [1_u64, 0, 0]);
    for depth in 1..=DEPTH_MAX + 1 {
        let holders = [bob(), carol(), dave()];
        let place = usize::try_from(depth).unwrap() % 3;
        let (holder, granter, grant) = from;
        let number = 1 + numbers[(place + 2) % 3] - u64::from(place == 1);
        let msg = ward.pass(&holder, number, (&granter, grant), 0, &[&holders[place]]).made();
        if depth > DEPTH_MAX {
            ward.refused(&holder, &msg, ("aceso", 908), "it was passed on 8 times already");
            return;
        }
        numbers[(place + 2) % 3] += 1;
        let result = ward.net.ok(&holder, vec![ours(&msg)]);
        println!("passed on {depth} times: {} gas", result.gas_used);
        assert_eq!(ward.grant(&holder, number).depth, depth);
        assert_eq!(first_of(&msg.wrap).open(&reader(&holders[place], 0)), kept.content);
        from = (holders[place].clone(), holder, number);
    }
}

#[test]
fn a_grant_ends_with_the_one_it_was_passed_on_from() {
    let (mut ward, kept) = Ward::sealed();
    let soon = START + ward.net.height + 3;
    let mut giving = ward.give(&kept, 1, 1, &[&bob()]);
    (giving.msg.expires, giving.msg.terms) = (soon, terms().digest(soon).0.into());
    ward.net.ok(&alice(), vec![ours(&giving.made())]);
    let mut giving = ward.pass(&bob(), 1, (&alice(), 1), 0, &[&carol()]);
    giving.msg.expires = soon + 1;
    ward.refused(&bob(), &giving.made(), ("aceso", 908), &format!("it ends at {soon}, before {}", soon + 1));
    let msg = ward.pass(&bob(), 1, (&alice(), 1), 0, &[&carol()]).made();
    let late = ward.net.run(&bob(), vec![ours(&msg)]);
    assert_eq!(code(&late), ("aceso", 908), "{}", late.log);
    assert!(late.log.contains(&format!("a grant that ends at {soon}, and it is {soon}")), "{}", late.log);
    let mut giving = ward.pass(&bob(), 1, (&alice(), 1), 0, &[&carol()]);
    giving.msg.expires = soon + 100;
    let words = format!("{}/1 ended at {soon}, and it is {}", alice().address(), soon + 1);
    ward.refused(&bob(), &giving.made(), ("aceso", 910), &words);
}

/// Terms of an emergency.
fn emergency(anybody: bool) -> Terms {
    Terms { emergency: true, anybody, rewrap: false, actors: vec![carol().address()], ..terms() }
}

fn glass(actor: &Key, terms: &Terms) -> MsgBreakGlass {
    MsgBreakGlass {
        actor: actor.address(),
        epoch: 0,
        granter: alice().address(),
        grant: 1,
        terms: terms.encode(),
        reason: "unconscious, in the emergency room".into(),
    }
}

/// A ward in which alice has named bob for emergencies.
fn prepared(terms: &Terms) -> (Ward, Kept) {
    let (mut ward, kept) = Ward::sealed();
    let mut giving = ward.give(&kept, 1, 1, &[&bob()]);
    giving.msg.terms = terms.digest(giving.msg.expires).0.into();
    giving.msg.committee = true;
    ward.net.ok(&alice(), vec![ours(&giving.made())]);
    (ward, kept)
}

fn reviews(ward: &Ward) -> Vec<ReviewRow> {
    ward.net.ask(&QueryReviews { record: 1, page: None }).rows
}

#[test]
fn a_broken_glass_is_public_and_gives_one_key_to_one_reader() {
    let terms = emergency(false);
    let (mut ward, kept) = prepared(&terms);
    let passed = |ward: &Ward, number| {
        let mut giving = ward.pass(&bob(), number, (&alice(), 1), 0, &[&carol()]);
        giving.msg.source_terms = vec![];
        giving.made()
    };
    let msg = passed(&ward, 1);
    ward.refused(&bob(), &msg, ("aceso", 913), "has not asked for the key of epoch 0");
    let result = ward.net.ok(&carol(), vec![ours(&glass(&carol(), &terms))]);
    let told = event(&result, "break_glass");
    assert!(told.contains("review=1") && told.contains("reason=unconscious"), "{told}");
    let [item] = &reviews(&ward)[..] else { panic!("one item") };
    assert_eq!((item.actor.clone(), item.height, item.passed_on_by.as_str()), (carol().address(), ward.net.height, ""));
    assert_eq!(ward.record(1).reviews, 1);
    ward.net.ok(&bob(), vec![ours(&msg)]);
    assert_eq!(first_of(&msg.wrap).open(&reader(&carol(), 0)), kept.content);
    assert_eq!(reviews(&ward)[0].passed_on_by, bob().address());
    // Once asked, once given.
    let msg = passed(&ward, 2);
    ward.refused(&bob(), &msg, ("aceso", 913), "no glass was broken for it");
    ward.net.ok(&carol(), vec![ours(&glass(&carol(), &terms))]);
    let stranger = ward.pass(&bob(), 2, (&alice(), 1), 0, &[&dave()]);
    let mut stranger = stranger;
    stranger.msg.source_terms = vec![];
    ward.refused(&bob(), &stranger.made(), ("aceso", 913), &dave().address());
    let mut by_terms = ward.pass(&bob(), 2, (&alice(), 1), 0, &[&dave()]);
    by_terms.msg.source_terms = terms.encode();
    ward.refused(&bob(), &by_terms.made(), ("aceso", 912), "is not to be passed on");
    ward.net.ok(&bob(), vec![ours(&msg)]);
    assert_eq!(reviews(&ward).iter().map(|item| item.review).collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn a_glass_that_is_not_for_breaking() {
    let terms = emergency(false);
    let (mut ward, _) = prepared(&terms);
    let own = glass(&carol(), &terms);
    ward.refused(&dave(), &glass(&dave(), &terms), ("aceso", 912), &format!("{} is not named", dave().address()));
    let other = Terms { salt: Digest([6; 32]), ..terms.clone() };
    ward.refused(&carol(), &glass(&carol(), &other), ("aceso", 911), "other terms than it was given with");
    let garbage = MsgBreakGlass { terms: vec![1, 2, 3], ..own.clone() };
    ward.refused(&carol(), &garbage, ("aceso", 911), "does not decode");
    let epoch = MsgBreakGlass { epoch: 1, ..own.clone() };
    ward.refused(&carol(), &epoch, ("aceso", 902), "has no key of epoch 1");
    let unknown = MsgBreakGlass { grant: 2, ..own.clone() };
    ward.refused(&carol(), &unknown, ("aceso", 909), "/2");
    let lengths = [(String::new(), "bytes of reason: 0"), (" \n".into(), "blank"), ("x".repeat(1_025), "1025")];
    for (reason, words) in lengths {
        ward.refused(&carol(), &MsgBreakGlass { reason, ..own.clone() }, ("aceso", 908), words);
    }
    ward.net.ok(&alice(), vec![ours(&revoke(&alice(), &alice(), 1))]);
    ward.refused(&carol(), &own, ("aceso", 910), "was taken back");
    assert_eq!((reviews(&ward), ward.record(1).reviews), (vec![], 0));
    // One that anybody may break, from a second on; and one that is not for emergencies.
    let later = Terms { not_before: LATER, ..emergency(true) };
    let (mut ward, _) = prepared(&later);
    ward.refused(&dave(), &glass(&dave(), &later), ("aceso", 912), "it begins at");
    let (mut ward, _) = prepared(&emergency(true));
    ward.net.ok(&dave(), vec![ours(&glass(&dave(), &emergency(true)))]);
    let (mut ward, _) = prepared(&self::terms());
    ward.refused(&bob(), &glass(&bob(), &self::terms()), ("aceso", 912), "it is not for emergencies");
}

#[test]
fn another_owner_takes_nothing_by_coming_first() {
    let mut ward = Ward::open();
    let (hers, his) = (Kept::new(&alice(), 1), Kept::new(&bob(), 2));
    // Bob has seen her message before it is in a block.
    let mut stolen = hers.register(&[cid(1)]);
    stolen.owner = bob().address();
    ward.refused(&bob(), &stolen, ("aceso", 907), "the proof of the registration does not hold");
    ward.net.ok(&bob(), vec![ours(&his.register(&[cid(1)]))]);
    ward.net.ok(&alice(), vec![ours(&hers.register(&[cid(1)]))]);
    for (owner, record) in [(bob(), 1), (alice(), 2)] {
        let by_file = QueryRecord { record: 0, owner: owner.address(), cid: cid(1) };
        assert_eq!(ward.net.ask(&by_file).record, record);
    }
}

#[test]
fn a_former_reader_who_knows_the_key_registers_her_own_record_and_no_other() {
    let (mut ward, kept) = Ward::sealed();
    let msg = ward.give(&kept, 1, 1, &[&bob()]).made();
    ward.net.ok(&alice(), vec![ours(&msg)]);
    ward.net.ok(&alice(), vec![ours(&revoke(&alice(), &alice(), 1))]);
    let known: ContentPoint = first_of(&msg.wrap).open(&reader(&bob(), 0));
    let before = ward.record(1);
    // In his own name he may: members then see that the sealed header names alice.
    let copy = Kept { content: known, ..Kept::new(&bob(), 3) };
    ward.net.ok(&bob(), vec![ours(&copy.register(&[cid(1)]))]);
    assert_eq!((ward.record(1), ward.record(2).owner), (before, bob().address()));
    // In hers he does not, whoever signs; and his key passes nothing of her record on.
    let mut hers = copy.register(&[cid(2)]);
    hers.owner = alice().address();
    ward.refused(&alice(), &hers, ("aceso", 907), "registration");
    let on = ward.pass(&bob(), 1, (&alice(), 1), 0, &[&carol()]).made();
    ward.refused(&bob(), &on, ("aceso", 910), "was taken back");
}

#[test]
fn a_simulated_grant_leaves_nothing_and_costs_what_it_costs() {
    let (mut ward, kept) = Ward::sealed();
    let msg = ours(&ward.give(&kept, 1, 1, &[&bob()]).made());
    let tx_bytes = ward.net.draft(&[&alice()], vec![msg.clone()]).sign();
    let request = SimulateRequest { tx_bytes, ..SimulateRequest::default() };
    let answer: SimulateResponse = ward.net.query("/cosmos.tx.v1beta1.Service/Simulate", &request);
    let simulated = answer.gas_info.unwrap().gas_used;
    let question = QueryGrants { record: 1, ..QueryGrants::default() };
    assert_eq!(ward.net.ask(&question).rows, vec![]);
    let used = u64::try_from(ward.net.ok(&alice(), vec![msg]).gas_used).unwrap();
    println!("a grant to one: {used} gas");
    assert!(simulated.abs_diff(used) < used / 20, "{simulated} {used}");
    assert_eq!(ward.net.ask(&question).rows.len(), 1);
}

#[test]
fn what_is_asked_of_sealed_records_comes_in_pages() {
    let (mut ward, _) = Ward::sealed();
    for number in 2..5_u8 {
        ward.net.ok(&alice(), vec![ours(&Kept::new(&alice(), number).register(&[cid(number.into())]))]);
    }
    ward.net.ok(&bob(), vec![ours(&Kept::new(&bob(), 9).register(&[cid(9)]))]);
    let list = |owner: &str, page: Page| {
        let rows = ward.net.ask(&QueryRecords { owner: owner.into(), page: Some(page) });
        (rows.rows.iter().map(|row| row.record).collect::<Vec<_>>(), rows.next)
    };
    let owner = alice().address();
    let (first, after) = list(&owner, Page { limit: 3, ..Page::default() });
    assert_eq!(first, [1, 2, 3]);
    assert_eq!(list(&owner, Page { after, ..Page::default() }), (vec![4], vec![]));
    assert_eq!(list("", Page { reverse: true, ..Page::default() }), (vec![5, 4, 3, 2, 1], vec![]));
    let latest = QueryReader { account: bob().address(), epoch: 7, latest: true };
    assert_eq!(ward.net.ask(&latest).epoch, 0);
    let refused = |path: &str, data: Vec<u8>| {
        let answer = ward.net.raw_query(path, data);
        assert!(answer.code.is_err());
        answer.log
    };
    let path = |name: &str| format!("/aceso.reads.v1.Query/{name}");
    let none = QueryReader { account: alice().address(), epoch: 0, latest: true }.encode_to_vec();
    assert!(refused(&path("Reader"), none).contains("has not registered a key"));
    let none = QueryReader { account: bob().address(), epoch: 1, latest: false }.encode_to_vec();
    assert!(refused(&path("Reader"), none).contains("a key of epoch 1"));
    let none = QueryRecord { record: 77, ..QueryRecord::default() }.encode_to_vec();
    assert!(refused(&path("Record"), none).contains("there is no sealed record 77"));
    let none = QueryRecord { record: 0, owner: alice().address(), cid: "x".into() }.encode_to_vec();
    assert!(refused(&path("Record"), none).contains("x"));
    let none = QueryGrant { granter: alice().address(), grant: 1 }.encode_to_vec();
    assert!(refused(&path("Grant"), none).contains("has not given a grant 1"));
}

/// Registers pages of studies that are too large for one answer.
#[test]
fn a_page_of_large_records_ends_early() {
    let mut ward = Ward::open();
    for number in 0..23_u8 {
        let first = 1_000 * u32::from(number);
        let cids: Vec<String> = (first..first + 1_000).map(cid).collect();
        let mut tx = ward.net.draft(&[&alice()], vec![ours(&Kept::new(&alice(), number + 1).register(&cids))]);
        tx.gas = 40_000_000;
        tx.fee = crate::fixture::coins(1_000_000);
        let done = ward.net.deliver(tx.sign());
        assert!(done.code.is_ok(), "{}", done.log);
    }
    let rows = ward.net.ask(&QueryRecords { owner: alice().address(), page: None });
    assert!(rows.rows.len() < 23 && rows.rows.len() > 10, "{}", rows.rows.len());
    let page = Page { after: rows.next, ..Page::default() };
    let rest = ward.net.ask(&QueryRecords { owner: alice().address(), page: Some(page) });
    assert_eq!((rows.rows.len() + rest.rows.len(), rest.next), (23, vec![]));
    assert_eq!(rest.rows[0].record, rows.rows.last().unwrap().record + 1);
}

#[test]
fn a_guard_answers_for_the_sealed_file_of_its_owner() {
    let (mut ward, _) = Ward::sealed();
    let code_id = store(&mut ward.net, guests::guard(NOTHING));
    let [guard, other] = [(), ()].map(|()| make(&mut ward.net, code_id, NOTHING));
    let mut sealed = Kept::new(&alice(), 2).register(&[cid(2)]);
    sealed.guard.clone_from(&guard);
    ward.net.ok(&alice(), vec![ours(&sealed)]);
    let image: BlobId = cid(2).parse().unwrap();
    let says = |contract: &str, owner: String| -> Any {
        let request = PermitRequest {
            caller: bob().address(),
            actor: alice().address(),
            image,
            owner,
            model: Default::default(),
            purpose: "TREAT".into(),
            grant: "g1".into(),
            answer: Answer::Permit { max_uses: 1 },
        };
        let (sender, msg) = (alice().address(), serde_json::to_vec(&request).unwrap());
        sdk(&MsgExecuteContract { sender, contract: contract.into(), msg, funds: vec![] })
    };
    ward.net.ok(&alice(), vec![says(&guard, alice().address())]);
    let rows = ward.net.ask(&QueryJournal { image: image.to_string(), page: None });
    let [entry] = &rows.entries[..] else { panic!("one entry") };
    assert!(matches!(Entry::decode(entry).unwrap().event, Event::Permitted { .. }));
    for (contract, owner, refusal) in [
        (&other, alice().address(), ("aceso", 202)),
        (&guard, bob().address(), ("aceso", 402)),
        (&guard, String::new(), ("aceso", 402)),
        (&guard, "nobody".into(), ("sdk", 7)),
    ] {
        let result = ward.net.run(&alice(), vec![says(contract, owner)]);
        assert_eq!(code(&result), refusal, "{}", result.log);
    }
    ward.net.ok(&alice(), vec![ours(&MsgRetireSealed { owner: alice().address(), record: 2 })]);
    let result = ward.net.run(&alice(), vec![says(&guard, alice().address())]);
    assert_eq!(code(&result), ("aceso", 402), "{}", result.log);
}
