//! Each refusal with its sentence, at its edge.

use aceso_contract::testing::Script;
use aceso_interface::{
    Frame, Model,
    insurance::{Cover, Party, Refusal, Refused, Terms},
};
use aceso_types::{BlobId, Digest, ModelId, PixelDigest};
use cosmwasm_std::{Uint128, coins, testing::message_info, to_json_binary};
use expect_test::{Expect, expect};

use super::stage::{FEE, NOW, PRICE, Stage, account, origin, refused, share};
use crate::{
    contract::REPLY_PERMITTED,
    msg::{DueResponse, ExecuteMsg, QueryMsg, RefusedReadsResponse},
    state::Request,
};

fn policy_refused(change: impl FnOnce(&mut Terms), sentence: Expect) {
    refused(Stage::new().policy(change), sentence);
}

#[test]
fn a_policy_that_makes_no_sense_is_refused() {
    policy_refused(|terms| terms.member = "nobody".into(), expect![[r#""nobody" is not an address of this chain"#]]);
    policy_refused(|terms| terms.not_after = NOW, expect!["the period from 1000000 to 1000000 is empty"]);
    policy_refused(
        |terms| (terms.not_before, terms.not_after) = (0, NOW),
        expect!["the period ended at 1000000, and it is 1000000"],
    );
    policy_refused(|terms| terms.covers.clear(), expect!["a policy names at least one of its models"]);
    policy_refused(
        |terms| terms.covers = vec![terms.covers[0].clone(); 65],
        expect!["a policy names at most 64 models, not 65"],
    );
    policy_refused(
        |terms| terms.covers.push(terms.covers[0].clone()),
        expect!["model 4fe331b31507cc5a0f6927c48317383744e2ed807f37e0b757a2987b67cbfda8 is covered twice"],
    );
    policy_refused(
        |terms| terms.covers[0].price = Uint128::zero(),
        expect!["the price for model 4fe331b31507cc5a0f6927c48317383744e2ed807f37e0b757a2987b67cbfda8 is zero"],
    );
    policy_refused(
        |terms| terms.covers[0].model = ModelId(Digest([9; 32])).into(),
        expect!["model 0909090909090909090909090909090909090909090909090909090909090909 is not registered"],
    );
    policy_refused(
        |terms| terms.origin = vec!["nobody".into()],
        expect![[r#""nobody" is not an address of this chain"#]],
    );
    policy_refused(
        |terms| terms.origin = vec![account("a").into(); 65],
        expect!["a policy names at most 64 institutions, not 65"],
    );
}

#[test]
fn a_split_that_is_no_whole_is_refused() {
    policy_refused(
        |terms| terms.split.clear(),
        expect!["the shares of the split are 0 ten-thousandths together, not 10000"],
    );
    policy_refused(
        |terms| terms.split[0].bps -= 1,
        expect!["the shares of the split are 9999 ten-thousandths together, not 10000"],
    );
    policy_refused(
        |terms| terms.split[0].bps += 1,
        expect!["the shares of the split are 10001 ten-thousandths together, not 10000"],
    );
    policy_refused(
        |terms| terms.split[0].bps = u32::MAX,
        expect!["the shares of the split are 4294974795 ten-thousandths together, not 10000"],
    );
    policy_refused(|terms| terms.split.push(share(Party::Treasury {}, 0)), expect!["a share of the split is zero"]);
    policy_refused(
        |terms| terms.split = vec![share(Party::Treasury {}, 625); 17],
        expect!["a policy names at most 16 shares, not 17"],
    );
    policy_refused(
        |terms| terms.origin.clear(),
        expect!["an institution has a share, and the policy asks for no origin"],
    );
    policy_refused(
        |terms| terms.split[0].to = Party::Account { address: "nobody".into() },
        expect![[r#""nobody" is not an address of this chain"#]],
    );
}

#[test]
fn a_model_priced_in_another_coin_is_refused() {
    let mut stage = Stage::new();
    let mut manifest = Script::manifest("other", 1);
    manifest.price.denom = "uother".into();
    let model: Model = stage.host.model(&manifest, b"onnx", "author").unwrap().into();
    refused(
        stage.policy(|terms| terms.covers = vec![Cover { model, price: Uint128::one() }]),
        expect![
            "model 882ee45f2ec6ea5a3e3d6d817bb7605d80475b3f45eeffeb109702845a7287ca is priced in uother, and this contract pays in uaceso"
        ],
    );
}

#[test]
fn only_the_insurer_makes_policies_and_withdraws() {
    let mut stage = Stage::insured();
    let info = message_info(&account("patient"), &[]);
    let terms = stage.terms();
    refused(
        stage.send(info.clone(), ExecuteMsg::CreatePolicy { terms }),
        expect!["cosmwasm1y22l775tmzel9zzvvjppgm3aa5zp0aeqwtq8n7lzy0snaqaq8z8q875hfe is not the insurer"],
    );
    stage.at(NOW + 100);
    refused(
        stage.send(info, ExecuteMsg::Withdraw { policy: 1 }),
        expect!["cosmwasm1y22l775tmzel9zzvvjppgm3aa5zp0aeqwtq8n7lzy0snaqaq8z8q875hfe is not the insurer"],
    );
}

#[test]
fn escrow_is_funded_with_the_one_coin() {
    let mut stage = Stage::insured();
    let mut fund = |funds: &[cosmwasm_std::Coin], policy| {
        stage.send(message_info(&account("anybody"), funds), ExecuteMsg::Fund { policy })
    };
    refused(fund(&[], 1), expect!["an escrow is funded with uaceso and with nothing else"]);
    refused(fund(&coins(1, "uother"), 1), expect!["an escrow is funded with uaceso and with nothing else"]);
    refused(
        fund(&[coins(1, "uaceso"), coins(1, "uother")].concat(), 1),
        expect!["an escrow is funded with uaceso and with nothing else"],
    );
    refused(fund(&coins(1, "uaceso"), 2), expect!["policy 2 does not exist"]);
    fund(&coins(1, "uaceso"), 1).unwrap();
    assert_eq!(stage.escrow(1), 10 * PRICE + 1);
}

#[test]
fn escrow_is_the_members_until_the_period_is_over() {
    let mut stage = Stage::insured();
    let withdraw =
        |stage: &mut Stage, policy| stage.send(message_info(&account("insurer"), &[]), ExecuteMsg::Withdraw { policy });
    stage.at(NOW + 99);
    refused(withdraw(&mut stage, 1), expect!["policy 1 is in force until 1000100, and it is 1000099"]);
    stage.at(NOW + 100);
    withdraw(&mut stage, 1).unwrap();
    assert_eq!((stage.escrow(1), stage.holds("insurer"), stage.holds("insurance")), (0, 10_000, 0));
    refused(withdraw(&mut stage, 1), expect!["the escrow of policy 1 is empty"]);
    refused(withdraw(&mut stage, 2), expect!["policy 2 does not exist"]);
}

#[test]
fn a_policy_is_in_force_from_its_first_second_to_before_its_end() {
    let mut stage = Stage::insured();
    let image = stage.image;
    let policy = stage.policy(|terms| terms.not_before = NOW + 10).unwrap();
    stage.fund(policy, PRICE).unwrap();
    stage.at(NOW + 9);
    refused(stage.request(policy, image), expect!["policy 2 is not in force before 1000010, and it is 1000009"]);
    stage.at(NOW + 100);
    refused(stage.request(policy, image), expect!["policy 2 ended at 1000100, and it is 1000100"]);
    stage.at(NOW + 10);
    stage.request(policy, image).unwrap();
    refused(stage.request(7, image), expect!["policy 7 does not exist"]);
}

#[test]
fn a_claim_is_for_the_members_guarded_image() {
    let mut stage = Stage::insured();
    let word = |file: &str| Some(origin("hospital", Script::pixels(file.as_bytes()), file));
    let others = stage.register_as("other", account("consent").as_str(), "others", word("others"));
    let public = stage.register_as("patient", "", "public", word("public"));
    refused(
        stage.request(1, others),
        expect![
            "image bafkreiab3oi5aybszrsbmlaw7drvojnq4yzl52655czmermzphie7mpcbq is not registered by the member of policy 1"
        ],
    );
    refused(
        stage.request(1, public),
        expect![
            "image bafkreihpuhzxlv3bst5fdi2vnkl6mqpgc2c7sfgui2lz3jikkunegm7724 has no guard who could consent to its read"
        ],
    );
    refused(
        stage.request(1, BlobId::of_raw(b"unknown").into()),
        expect!["image bafkreifshjviiooa3xsvcwet47eqyhrsgo4gc3tdirypedoeskf46nqjxq is not registered"],
    );
}

#[test]
fn a_claim_is_for_a_covered_model() {
    let mut stage = Stage::insured();
    let other = stage.host.model(&Script::manifest("other", 0), b"onnx", "author").unwrap().into();
    let image = stage.image;
    refused(
        stage.request_as("physician", 1, image, other, "TREAT"),
        expect!["policy 1 does not cover model ffe6162c48ad6c4bea5e445878fe5669aec67fa5b936c7c7ed4c0537e25848dd"],
    );
}

#[test]
fn a_policy_that_asks_for_an_origin_gets_one() {
    let mut stage = Stage::insured();
    let none = stage.register("none", None);
    let stranger = stage.register("stranger", Some(origin("stranger", Script::pixels(b"stranger"), "1")));
    let elsewhere = stage.register("elsewhere", Some(origin("hospital", Script::pixels(b"other"), "1")));
    [none, stranger, elsewhere].into_iter().for_each(|image| stage.grant_image(image, 1));
    refused(
        stage.request(1, none),
        expect![
            "policy 1 asks for an accepted institution's word, and image bafkreiaubpw37hb7nvlktbdnfotqrb4yna7u3igcjarrgnxgublhtzh57y has none"
        ],
    );
    refused(
        stage.request(1, stranger),
        expect![
            "policy 1 asks for an accepted institution's word, and image bafkreiekzjhtm52pqkthyud4xhewm6kifywmoz7s2ocqejuvk6swnmes7m has none"
        ],
    );
    assert!(stage.host.journal().is_empty());
    refused(stage.request(1, elsewhere), expect!["the institution's word does not hold for what read 1 saw"]);
    // The read was made: the policy bears its fee, nothing is paid.
    let left = 10 * PRICE - u128::from(FEE);
    assert_eq!((stage.holds("author"), stage.holds("hospital"), stage.escrow(1)), (i128::from(FEE), 0, left));
    assert_eq!((stage.holds("insurance"), stage.lost("patient")), (i128::try_from(left).unwrap(), 0));
    assert_eq!(stage.host.uses(account("consent").as_str(), "4"), 1);
}

#[test]
fn nothing_is_paid_twice() {
    let mut stage = Stage::insured();
    let image = stage.image;
    let word = |pixels: PixelDigest, study| Some(origin("hospital", pixels, study));
    let wrapped = stage.register("chest|dicom", word(Script::pixels(b"chest"), "another study"));
    let lateral = stage.register("lateral", word(Script::pixels(b"lateral"), "1.2.3"));
    [wrapped, lateral].into_iter().for_each(|image| stage.grant_image(image, 1));
    stage.request(1, image).unwrap();
    let used = stage.host.journal().len();
    refused(
        stage.request(1, image),
        expect!["image bafkreib6yerxz47wf3sqhuawv5nddpdypxm72ixz2ad5z5zppjxovp2doy is already paid, by read 1"],
    );
    assert_eq!(stage.host.journal().len(), used);
    refused(
        stage.request(1, wrapped),
        expect!["pixels a8ab6fd6936802f3694878dd16fd6d4f64ea5ef58ad84e40a9dcf58929c280d4 are already paid, by read 1"],
    );
    refused(
        stage.request(1, lateral),
        expect!["study 39bd3a835e78d9a33eab066210cc6b1c08029b5aebacfbb1ca6f036fc0b4829a is already paid, by read 1"],
    );
    // Nothing is paid, and the policy bears what the chain took for the two reads.
    let left = 9 * PRICE - 2 * u128::from(FEE);
    assert_eq!((stage.escrow(1), stage.holds("patient"), stage.lost("patient")), (left, 400, 0));
    assert_eq!(stage.holds("insurance"), i128::try_from(left).unwrap());
    let page = |start_after| QueryMsg::RefusedReads { policy: 1, start_after, limit: None };
    let told = stage.query::<RefusedReadsResponse>(page(None)).refused;
    let study = origin("hospital", Script::pixels(b""), "1.2.3").study.into();
    let reasons = [Refusal::PixelsPaid { read: 1 }, Refusal::StudyPaid { study, read: 1 }];
    assert_eq!(told.iter().map(|one| (one.read, one.image)).collect::<Vec<_>>(), [(2, wrapped), (3, lateral)]);
    assert_eq!(told.iter().map(|one| one.reason.clone()).collect::<Vec<_>>(), reasons);
    assert_eq!(stage.query::<Refused>(QueryMsg::RefusedRead { policy: 1, read: 3 }), told[1]);
    assert_eq!(stage.query::<RefusedReadsResponse>(page(Some(2))).refused, told[1..]);
    // The file whose pixels were paid is known from now on, and is not read again.
    let used = stage.host.journal().len();
    let again = stage.request(1, wrapped).unwrap_err();
    assert!(again.ends_with("is already paid, by read 1"), "{again}");
    assert_eq!(stage.host.journal().len(), used);
}

/// Whoever fails a transaction after its read has not lowered what stands behind another's policy: the chain keeps the
/// fee, and the member's own policy bears it before anything else is asked of it.
#[test]
fn a_read_that_its_transaction_undoes_is_borne_by_the_members_policy() {
    let mut stage = Stage::insured();
    let (fee, image) = (u128::from(FEE), stage.image);
    stage.fails = true;
    for times in 1..=3 {
        refused(stage.request(1, image), expect!["a later message failed"]);
        // Each is borne within the next, and undone with it.
        assert_eq!((stage.escrow(1), stage.lost("patient")), (10 * PRICE, times * fee));
    }
    stage.fails = false;
    stage.request(1, image).unwrap();
    assert_eq!((stage.escrow(1), stage.lost("patient")), (9 * PRICE - 3 * fee, 0));
    assert_eq!(stage.holds("insurance"), i128::try_from(stage.escrow(1)).unwrap());
}

#[test]
fn no_policy_lends_to_another_members_reads() {
    let mut stage = Stage::new();
    stage.grant(100);
    let image = stage.image;
    let mine = stage.policy(|_| ()).unwrap();
    let others = stage.policy(|terms| terms.member = account("other").into()).unwrap();
    stage.fund(mine, PRICE + 150).unwrap();
    stage.fund(others, 10 * PRICE).unwrap();
    stage.fails = true;
    for _ in 0..2 {
        stage.request(mine, image).unwrap_err();
    }
    let used = stage.host.journal().len();
    refused(stage.request(mine, image), expect!["the escrow of policy 1 holds 950, and a read costs 1000"]);
    assert_eq!(stage.host.journal().len(), used, "nothing was asked of the chain");
    // What is gone is gone from her policy only, and the insurer gets what is there.
    stage.fails = false;
    stage.at(NOW + 100);
    stage.send(message_info(&account("insurer"), &[]), ExecuteMsg::Withdraw { policy: mine }).unwrap();
    assert_eq!((stage.holds("insurer"), stage.lost("patient")), (950, 0));
    assert_eq!((stage.escrow(others), stage.holds("insurance")), (10 * PRICE, 10_000));
}

#[test]
fn a_policy_that_cannot_bear_what_was_lost_asks_for_nothing() {
    let mut stage = Stage::insured();
    let (image, fee) = (stage.image, u128::from(FEE));
    let poor = stage.policy(|_| ()).unwrap();
    stage.fund(poor, fee).unwrap();
    stage.fails = true;
    for _ in 0..2 {
        stage.request(1, image).unwrap_err();
    }
    stage.fails = false;
    refused(
        stage.request(poor, image),
        expect!["the escrow of policy 2 holds 100, and reads of its member's images that failed have cost 200"],
    );
    // Where the poor one is emptied first, it bears what it holds and the other one the rest.
    stage.at(NOW + 100);
    let withdraw =
        |stage: &mut Stage, policy| stage.send(message_info(&account("insurer"), &[]), ExecuteMsg::Withdraw { policy });
    refused(withdraw(&mut stage, poor), expect!["the escrow of policy 2 is empty"]);
    withdraw(&mut stage, 1).unwrap();
    assert_eq!(stage.holds("insurer"), i128::try_from(10 * PRICE - 2 * fee).unwrap());
    assert_eq!((stage.holds("insurance"), stage.escrow(poor), stage.lost("patient")), (100, 100, 0));
}

#[test]
fn a_share_that_cannot_be_sent_is_owed() {
    let mut stage = Stage::insured();
    let image = stage.image;
    stage.refuses = Some(account("treasury").into());
    stage.request(1, image).unwrap();
    let due = |stage: &Stage| stage.query::<DueResponse>(QueryMsg::Due { account: account("treasury").into() });
    assert_eq!((due(&stage).amount.u128(), stage.holds("treasury"), stage.holds("patient")), (50, 0, 400));
    stage.refuses = None;
    let settle = ExecuteMsg::Settle { start_after: None, limit: None };
    stage.send(message_info(&account("anybody"), &[]), settle).unwrap();
    assert_eq!((due(&stage).amount.u128(), stage.holds("treasury")), (0, 50));
}

#[test]
fn another_model_is_another_claim() {
    let mut stage = Stage::insured();
    let image = stage.image;
    let other: Model = stage.host.model(&Script::manifest("other", 0), b"onnx", "author").unwrap().into();
    let policy = stage.policy(|terms| terms.covers[0].model = other).unwrap();
    stage.fund(policy, PRICE).unwrap();
    stage.request(1, image).unwrap();
    stage.request_as("physician", policy, image, other, "TREAT").unwrap();
}

#[test]
fn an_escrow_pays_to_its_last_coin_and_not_beyond() {
    let mut stage = Stage::new();
    let image = stage.image;
    stage.grant(9);
    let policy = stage.policy(|_| ()).unwrap();
    stage.fund(policy, PRICE - 1).unwrap();
    refused(stage.request(policy, image), expect!["the escrow of policy 1 holds 999, and a read costs 1000"]);
    assert!(stage.host.journal().is_empty());
    stage.fund(policy, 1).unwrap();
    stage.request(policy, image).unwrap();
    assert_eq!((stage.escrow(policy), stage.holds("insurance")), (0, 0));
}

#[test]
fn a_reply_that_was_not_asked_for_is_refused() {
    let mut stage = Stage::insured();
    let env = stage.env("insurance");
    refused(stage.reply(env.clone(), 4, Default::default()), expect!["reply 4 is not expected"]);
    let request = |stage: &Stage, fee: u64| {
        let (image, model, purpose) = (stage.image, stage.model, "TREAT".into());
        let (actor, price) = (account("physician").into(), Uint128::new(PRICE));
        to_json_binary(&Request {
            policy: 1,
            image,
            frame: Frame::default(),
            model,
            purpose,
            actor,
            price,
            fee: fee.into(),
        })
        .unwrap()
    };
    let payload = request(&stage, FEE);
    refused(
        stage.reply(env, REPLY_PERMITTED, payload),
        expect![
            "no permit for cosmwasm1vn5fx74ud4cu7tf0pls9u5krxengsdzr4e8g4aujf3c3nr92r7wsmnllvt to read image bafkreib6yerxz47wf3sqhuawv5nddpdypxm72ixz2ad5z5zppjxovp2doy with model 4fe331b31507cc5a0f6927c48317383744e2ed807f37e0b757a2987b67cbfda8 for TREAT"
        ],
    );
}

#[test]
fn a_fee_that_is_not_the_models_price_is_refused() {
    let mut stage = Stage::insured();
    let public =
        stage.register_as("patient", "", "chest|public", Some(origin("hospital", Script::pixels(b"chest"), "1")));
    let (image, model, purpose) = (public, stage.model, "TREAT".into());
    let (actor, price) = (account("physician").into(), Uint128::new(PRICE));
    let fee = Uint128::from(FEE + 1);
    let payload =
        to_json_binary(&Request { policy: 1, image, frame: Frame::default(), model, purpose, actor, price, fee })
            .unwrap();
    stage.host.set_coins(account("insurance").as_str(), 1_000);
    refused(
        stage.reply(stage.env("insurance"), REPLY_PERMITTED, payload),
        expect!["the read cost 100, and the model's price is 101"],
    );
}
