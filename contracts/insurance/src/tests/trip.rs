//! From a request to a paid claim.

use std::{fs, path::Path};

use aceso_contract::testing::{Host, Inference, Script};
use aceso_interface::{
    Frame,
    insurance::{Claim, Finding, Party, Payment, Score},
};
use aceso_types::{Manifest, journal::Event};
use cosmwasm_std::{Uint128, testing::message_info};
use expect_test::{expect, expect_file};

use super::stage::{FEE, NOW, PRICE, Stage, account, refused};
use crate::{
    contract::migrate,
    msg::{ClaimsResponse, Config, ExecuteMsg, InstantiateMsg, MigrateMsg, PoliciesResponse, QueryMsg},
};

#[test]
fn a_read_is_paid_by_the_split_and_written_down() {
    let mut stage = Stage::insured();
    let image = stage.image;
    let claim = stage.request(1, image).unwrap();
    let payment =
        |party, name: &str, amount: u128| Payment { party, to: account(name).into(), amount: Uint128::new(amount) };
    let expected = Claim {
        policy: 1,
        read: 1,
        image,
        frame: Frame::default(),
        pixels: Script::pixels(b"chest").into(),
        study: Some(aceso_types::guest::Origin::study_of("1.2.3").into()),
        institution: Some(account("hospital").into()),
        model: stage.model,
        actor: account("physician").into(),
        purpose: "TREAT".into(),
        findings: vec![Finding { id: "finding".into(), present: true }],
        scores: vec![Score { label: "finding".into(), value: i32::from(b'c'), probability: (99 + 128) * 3906 }],
        fee: Uint128::from(FEE),
        paid: vec![
            payment(Party::Institution {}, "hospital", 250),
            payment(Party::Author {}, "author", 200),
            payment(Party::Subject {}, "patient", 400),
            payment(Party::Treasury {}, "treasury", 50),
        ],
        height: 12_345,
        time: NOW,
    };
    assert_eq!(claim, expected);
    assert_eq!(stage.query::<Claim>(QueryMsg::Claim { policy: 1, read: 1 }), expected);
    let ledger = ["hospital", "author", "patient", "treasury", "insurance"].map(|name| stage.holds(name));
    assert_eq!(ledger, [250, 300, 400, 50, 9_000]);
    assert_eq!(stage.escrow(1), 9 * PRICE);
    let uses = stage.host.uses(account("consent").as_str(), "1");
    let journal = stage.host.journal().into_iter().map(|entry| entry.event).collect::<Vec<_>>();
    assert_eq!(uses, 1);
    assert!(matches!(journal.as_slice(), [Event::Permitted { .. }, Event::Read { r#use: 1, fee: FEE, .. }]));
}

#[test]
fn another_image_is_another_claim() {
    let mut stage = Stage::insured();
    let policy = without_origin(&mut stage);
    let other = stage.register("knee|png", None);
    stage.grant_image(other, 1);
    let image = stage.image;
    stage.request(1, image).unwrap();
    assert_eq!(stage.request(policy, other).unwrap().study, None);
    let claims = |policy| stage.query::<ClaimsResponse>(QueryMsg::Claims { policy, start_after: None, limit: None });
    assert_eq!((claims(1).claims.len(), claims(policy).claims.len()), (1, 1));
}

/// A second policy that asks for no origin.
fn without_origin(stage: &mut Stage) -> u64 {
    let policy = stage
        .policy(|terms| {
            terms.origin.clear();
            terms.split.remove(0);
            terms.split[0].bps += 2_500;
        })
        .unwrap();
    stage.fund(policy, PRICE).unwrap();
    policy
}

/// The model that the project ships, as validators run it, on a picture that is a grey ramp.
#[test]
fn a_real_model_reads_a_real_picture() {
    let folder = Path::new("../../models/pneumonia");
    let manifest: Manifest = serde_json::from_slice(&fs::read(folder.join("manifest.json")).unwrap()).unwrap();
    let host = Host::new(Inference::default());
    let onnx = fs::read(folder.join("model.onnx")).unwrap();
    let model = host.model(&manifest, &onnx, account("author").as_str()).unwrap();
    let mut stage = Stage::on(host, model.into());
    stage.image = stage.register_bytes("patient", account("consent").as_str(), &ramp(png::Compression::High), None);
    stage.grant(1);
    let policy = without_origin(&mut stage);
    stage.fund(policy, manifest.price.amount.into()).unwrap();

    let image = stage.image;
    let claim = stage.request(policy, image).unwrap();
    let (score, label) = (&claim.scores[0], &manifest.output.labels[0]);
    assert_eq!(score.label, label.name);
    assert!(label.probability.contains(&score.probability));
    let finding = &manifest.output.findings[0];
    assert_eq!(claim.findings, [Finding { id: finding.id.clone(), present: score.value >= finding.at_least }]);
    assert_eq!(claim.fee, Uint128::from(manifest.price.amount));
    // The same picture in another wrapping.
    let wrapped = ramp(png::Compression::NoCompression);
    let wrapped = stage.register_bytes("patient", account("consent").as_str(), &wrapped, None);
    stage.grant_image(wrapped, 1);
    stage.fund(policy, PRICE).unwrap();
    refused(
        stage.request(policy, wrapped),
        expect!["pixels cfcb5c7ec88562508c2688d5258d340f085528e17c6aad042708643a9b449aea are already paid, by read 1"],
    );
}

/// A grey ramp of 40 by 32 pixels as PNG, well or badly compressed.
fn ramp(compression: png::Compression) -> Vec<u8> {
    let (width, height) = (40_u32, 32_u32);
    let pixels = (0..width * height).map(|at| u8::try_from((at * 7) % 256).unwrap()).collect::<Vec<_>>();
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width, height);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_compression(compression);
    encoder.write_header().unwrap().write_image_data(&pixels).unwrap();
    file
}

#[test]
fn a_claim_is_paid_again_only_in_a_later_period() {
    let mut stage = Stage::insured();
    let image = stage.image;
    stage.request(1, image).unwrap();
    let overlapping = stage.policy(|terms| (terms.not_before, terms.not_after) = (NOW + 99, NOW + 200)).unwrap();
    let later = stage.policy(|terms| (terms.not_before, terms.not_after) = (NOW + 100, NOW + 200)).unwrap();
    stage.fund(overlapping, PRICE).unwrap();
    stage.fund(later, PRICE).unwrap();
    stage.at(NOW + 100);
    refused(
        stage.request(overlapping, image),
        expect!["image bafkreib6yerxz47wf3sqhuawv5nddpdypxm72ixz2ad5z5zppjxovp2doy is already paid, by read 1"],
    );
    assert_eq!(stage.request(later, image).unwrap().read, 2);
    refused(
        stage.request(overlapping, image),
        expect!["image bafkreib6yerxz47wf3sqhuawv5nddpdypxm72ixz2ad5z5zppjxovp2doy is already paid, by read 2"],
    );
}

#[test]
fn a_refusal_by_the_guard_undoes_everything_but_the_journal() {
    let mut stage = Stage::insured();
    let image = stage.image;
    let ledger = stage.ledger.clone();
    refused(
        stage.request_as("nurse", 1, image, stage.model, "TREAT"),
        expect!["no grant lets cosmwasm10q09z94pu99rf6k62q2e6ky7dyxgrmzv2p33zh4p7y9ej3qatw2qfkkkht read this image"],
    );
    refused(
        stage.request_as("physician", 1, image, stage.model, "HRESCH"),
        expect![[r#"grant 1 is not for purpose "HRESCH""#]],
    );
    assert_eq!((stage.escrow(1), &stage.ledger), (10 * PRICE, &ledger));
    let journal = stage.host.journal().into_iter().map(|entry| entry.event).collect::<Vec<_>>();
    assert!(matches!(journal.as_slice(), [Event::Refused { .. }, Event::Refused { .. }]));
    let claims = stage.query::<ClaimsResponse>(QueryMsg::Claims { policy: 1, start_after: None, limit: None });
    assert!(claims.claims.is_empty());
}

#[test]
fn queries_page() {
    let mut stage = Stage::insured();
    for _ in 0..40 {
        stage.policy(|_| ()).unwrap();
    }
    stage.policy(|terms| terms.member = account("other").into()).unwrap();
    let numbers = |member: Option<&str>, start_after, limit| {
        let member = member.map(|name| account(name).into());
        let page: PoliciesResponse = stage.query(QueryMsg::Policies { member, start_after, limit });
        page.policies.into_iter().map(|policy| policy.id).collect::<Vec<_>>()
    };
    assert_eq!(numbers(None, None, None), (1..=30).collect::<Vec<_>>());
    assert_eq!(numbers(None, Some(40), Some(100)), [41, 42]);
    assert_eq!(numbers(Some("patient"), Some(40), None), [41]);
    assert_eq!(numbers(Some("other"), None, None), [42]);
    let config: Config = stage.query(QueryMsg::Config {});
    assert_eq!(config.insurer, account("insurer").as_str());
}

#[test]
fn only_its_own_code_migrates() {
    let mut stage = Stage::new();
    let env = stage.env("insurance");
    migrate(stage.insurance.as_mut(), env.clone(), MigrateMsg {}).unwrap();
    cw2::set_contract_version(stage.insurance.as_mut().storage, "other", "1").unwrap();
    let result = migrate(stage.insurance.as_mut(), env, MigrateMsg {}).map_err(|error| error.to_string());
    refused(result, expect!["the stored contract is other, not aceso-insurance"]);
}

#[test]
fn only_fund_takes_coins() {
    let mut stage = Stage::insured();
    let info = message_info(&account("insurer"), &cosmwasm_std::coins(1, "uaceso"));
    refused(stage.send(info, ExecuteMsg::Withdraw { policy: 1 }), expect!["only fund takes coins"]);
}

/// A wire change shows up in review. `UPDATE_EXPECT=1 cargo test --release -p aceso-insurance` writes the file anew.
#[test]
fn the_committed_schema_is_this_one() {
    let schema = cosmwasm_schema::generate_api! {
        name: "aceso-insurance",
        instantiate: InstantiateMsg,
        execute: ExecuteMsg,
        query: QueryMsg,
        migrate: MigrateMsg,
    };
    expect_file!["../../schema/aceso-insurance.json"].assert_eq(&(schema.render().to_string().unwrap() + "\n"));
}
