//! Every coin is accounted for, whatever the split, the price and the fee.

use aceso_interface::insurance::{Cover, Party, Share};
use cosmwasm_std::Uint128;
use proptest::prelude::*;

use super::stage::{Stage, account};
use crate::helpers::{Seen, cost, payments};
use aceso_contract::testing::Script;

fn parties() -> impl Strategy<Value = Party> {
    prop_oneof![
        Just(Party::Institution {}),
        Just(Party::Author {}),
        Just(Party::Subject {}),
        Just(Party::Treasury {}),
        Just(Party::Account { address: account("other").into() }),
    ]
}

/// Shares that are a whole.
fn splits() -> impl Strategy<Value = Vec<Share>> {
    (prop::collection::btree_set(1_u32..10_000, 0..15), prop::collection::vec(parties(), 16)).prop_map(
        |(cuts, parties)| {
            let ends = cuts.iter().copied().chain([10_000]);
            let starts = std::iter::once(0).chain(cuts.iter().copied());
            ends.zip(starts).zip(parties).map(|((end, start), to)| Share { to, bps: end - start }).collect()
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn escrow_pays_price_and_excess_to_the_last_coin(split in splits(), price in 1_u64..5_000, fee in 0_u64..5_000) {
        let mut stage = Stage::new();
        stage.grant(1);
        let model = stage.host.model(&Script::manifest("priced", fee), b"onnx", account("author").as_str()).unwrap();
        stage.model = model.into();
        let of_author: u64 = split.iter().filter(|share| share.to == Party::Author {})
            .map(|share| price * u64::from(share.bps) / 10_000).sum();
        let expected = u128::from(price + fee.saturating_sub(of_author));
        let policy = stage.policy(|terms| {
            terms.split = split.clone();
            terms.covers = vec![Cover { model: model.into(), price: Uint128::from(price) }];
        }).unwrap();
        stage.fund(policy, expected - 1).unwrap();
        prop_assert!(stage.request(policy, stage.image).is_err());
        stage.fund(policy, 1).unwrap();
        let claim = stage.request(policy, stage.image).unwrap();

        let paid: u128 = claim.paid.iter().map(|payment| payment.amount.u128()).sum();
        prop_assert_eq!(paid + u128::from(fee), expected);
        prop_assert!(claim.paid.iter().all(|payment| !payment.amount.is_zero()));
        prop_assert_eq!((stage.escrow(policy), stage.holds("insurance")), (0, 0));
        prop_assert_eq!(stage.holds("author"), i128::from(of_author.max(fee)));
        prop_assert_eq!(stage.ledger.values().sum::<i128>(), i128::try_from(expected).unwrap());
    }

    #[test]
    fn the_parts_are_the_cost(split in splits(), price in any::<u64>(), fee in any::<u64>()) {
        let config = crate::msg::Config {
            insurer: account("insurer").into(), treasury: account("treasury").into(), denom: "uaceso".into(),
        };
        let (price, fee) = (Uint128::from(price), Uint128::from(fee));
        let payments = payments(&config, &split, price, fee, &Seen::of(&read())).unwrap();
        let paid: u128 = payments.iter().map(|payment| payment.amount.u128()).sum();
        prop_assert_eq!(Uint128::new(paid) + fee, cost(&split, price, fee).unwrap());
    }
}

fn read() -> aceso_types::guest::ReadInfo {
    let pixels = Script::pixels(b"x");
    aceso_types::guest::ReadInfo {
        read: aceso_types::ReadId(1),
        image: aceso_types::BlobId::of_raw(b"x"),
        frame: aceso_types::Frame::FIRST,
        pixels,
        owner: account("patient").into(),
        origin: Some(super::stage::origin("hospital", pixels, "1")),
        model: Default::default(),
        author: account("author").into(),
        fee: "0".into(),
        scores: vec![],
        findings: vec![],
        readings: vec![],
    }
}
