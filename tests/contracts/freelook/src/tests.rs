//! What remains of a look that was not to be paid.

use aceso_contract::testing::{Host, Registration, Script, Stated};
use aceso_types::{
    guest::{Answer, PermitRequest},
    journal::Event,
};
use cosmwasm_std::{
    CosmosMsg, Reply, SubMsgResponse, SubMsgResult, WasmMsg,
    testing::{MockApi, message_info, mock_env},
};

use crate::{ExecuteMsg, execute, reply};

#[test]
fn use_fee_and_journal_remain() {
    let host = Host::new(Script);
    let model = host.model(&Script::manifest("m", 5), b"onnx", "author").unwrap();
    let stated = Stated { modality: "DX".into(), body_part: String::new() };
    let registration = Registration { owner: "patient".into(), guard: "guard".into(), origin: None, stated };
    let image = host.image(b"chest", registration);
    host.set_coins("freelook", 5);
    let physician = MockApi::default().addr_make("physician");
    host.transaction(&[physician.as_str()]);

    let look =
        ExecuteMsg::Look { guard: "guard".into(), image: image.into(), model: model.into(), purpose: "TREAT".into() };
    let mut deps = host.deps();
    let asked = execute(deps.as_mut(), mock_env(), message_info(&physician, &[]), look).unwrap();
    let sub = &asked.messages[0];
    assert!(matches!(&sub.msg, CosmosMsg::Wasm(WasmMsg::Execute { contract_addr, .. }) if contract_addr == "guard"));
    let request = PermitRequest {
        caller: "freelook".into(),
        actor: physician.into(),
        image,
        owner: String::new(),
        model,
        purpose: "TREAT".into(),
        grant: "1".into(),
        answer: Answer::Permit { max_uses: 1 },
    };
    host.call("guard", || aceso_contract::permit(&request)).unwrap().unwrap();
    #[allow(deprecated, reason = "the field must be given to build a reply")]
    let result = SubMsgResult::Ok(SubMsgResponse { events: vec![], data: None, msg_responses: vec![] });
    let message = Reply { id: sub.id, payload: sub.payload.clone(), gas_used: 0, result };
    let seen = host.call("freelook", || reply(deps.as_mut(), mock_env(), message)).unwrap().unwrap_err();

    assert_eq!(seen.to_string(), "saw finding: true and would rather not pay");
    assert_eq!((host.uses("guard", "1"), host.coins("freelook")), (1, 0));
    let journal = host.journal().into_iter().map(|entry| entry.event).collect::<Vec<_>>();
    assert!(matches!(journal.as_slice(), [Event::Permitted { .. }, Event::Read { fee: 5, .. }]));
}
