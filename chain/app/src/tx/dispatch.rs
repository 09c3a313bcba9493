//! Which component does what a message asks for, and what the client hears of it.

use aceso_types::msg::Named;
use cosmos_sdk_proto::{
    Any,
    cosmos::{
        authz::v1beta1::{MsgGrantResponse, MsgRevokeResponse},
        bank::v1beta1::{MsgMultiSendResponse, MsgSendResponse},
        base::abci::v1beta1::TxMsgData,
        feegrant::v1beta1::{MsgGrantAllowanceResponse, MsgPruneAllowancesResponse, MsgRevokeAllowanceResponse},
    },
    cosmwasm::wasm::v1::{
        self as pb, MsgClearAdminResponse, MsgPinCodesResponse, MsgUnpinCodesResponse, MsgUpdateAdminResponse,
        MsgUpdateContractLabelResponse, MsgUpdateInstantiateConfigResponse,
    },
};

use crate::{
    components::{authz, bank, blobs, models, params, reads, sealed, sponsor, validators, wasm},
    error::Outcome,
    event::Event,
    run::Run,
    tx::{decode::any as sdk, msg::Msg},
    upgrade,
};

/// Runs a transaction's messages one after the other.
pub(crate) fn all(run: &mut Run<'_>, msgs: &[Msg]) -> Outcome<TxMsgData> {
    let mut data = TxMsgData::default();
    for (index, msg) in msgs.iter().enumerate() {
        let response = top(run, msg, index)
            .map_err(|stop| stop.within(format_args!("failed to execute message; message index: {index}")))?;
        data.msg_responses.push(response);
    }
    Ok(data)
}

/// One message of the transaction itself. Its events begin with the one that names it, and all carry its position.
fn top(run: &mut Run<'_>, msg: &Msg, index: usize) -> Outcome<Any> {
    let first = run.events.len();
    let response = one(run, msg)?;
    let mut head = Event::new("message").with("action", msg.url()).with("sender", msg.signer());
    if !run.events[first..].iter().any(|event| event.kind == "message" && event.has("module")) {
        head = head.with("module", msg.module());
    }
    run.events.insert(first, head);
    for event in &mut run.events[first..] {
        event.attributes.push(("msg_index".into(), index.to_string()));
    }
    Ok(response)
}

/// Runs a message whose signer is known to want it.
pub(crate) fn one(run: &mut Run<'_>, msg: &Msg) -> Outcome<Any> {
    Ok(match msg {
        Msg::Send(msg) => {
            bank::send_msg(run, msg)?;
            sdk(&MsgSendResponse {})
        }
        Msg::MultiSend(msg) => {
            bank::multi_send_msg(run, msg)?;
            sdk(&MsgMultiSendResponse {})
        }
        Msg::StoreCode(msg) => sdk(&wasm::store_code(run, msg)?),
        Msg::Instantiate(msg) => sdk(&wasm::instantiate_msg(run, msg)?),
        Msg::Instantiate2(msg) => sdk(&wasm::instantiate2_msg(run, msg)?),
        Msg::Execute(msg) => sdk(&wasm::execute_msg(run, msg)?),
        Msg::Migrate(msg) => sdk(&wasm::migrate_msg(run, msg)?),
        Msg::UpdateAdmin(msg) => {
            wasm::update_admin(run, &msg.sender, &msg.contract, &msg.new_admin)?;
            sdk(&MsgUpdateAdminResponse {})
        }
        Msg::ClearAdmin(msg) => {
            wasm::update_admin(run, &msg.sender, &msg.contract, "")?;
            sdk(&MsgClearAdminResponse {})
        }
        Msg::UpdateLabel(msg) => {
            wasm::update_label(run, msg)?;
            sdk(&MsgUpdateContractLabelResponse {})
        }
        Msg::UpdatePermission(msg) => {
            wasm::update_permission(run, msg)?;
            sdk(&MsgUpdateInstantiateConfigResponse {})
        }
        Msg::StoreAndInstantiate(msg) => sdk(&wasm::store_and_instantiate_msg(run, msg)?),
        Msg::StoreAndMigrate(msg) => sdk(&wasm::store_and_migrate_msg(run, msg)?),
        Msg::Sudo(msg) => sdk(&wasm::sudo_msg(run, msg)?),
        Msg::UpdateWasmParams(msg) => {
            wasm::access::update_params(run, msg)?;
            sdk(&pb::MsgUpdateParamsResponse {})
        }
        Msg::AddUploaders(msg) => {
            wasm::access::add_uploaders(run, &msg.authority, &msg.addresses)?;
            sdk(&pb::MsgAddCodeUploadParamsAddressesResponse {})
        }
        Msg::RemoveUploaders(msg) => {
            wasm::access::remove_uploaders(run, &msg.authority, &msg.addresses)?;
            sdk(&pb::MsgRemoveCodeUploadParamsAddressesResponse {})
        }
        Msg::GrantAllowance(msg) => {
            sponsor::grant_msg(run, msg)?;
            sdk(&MsgGrantAllowanceResponse {})
        }
        Msg::RevokeAllowance(msg) => {
            sponsor::revoke_msg(run, msg)?;
            sdk(&MsgRevokeAllowanceResponse {})
        }
        Msg::PruneAllowances(msg) => {
            sponsor::prune_msg(run, msg)?;
            sdk(&MsgPruneAllowancesResponse {})
        }
        Msg::Authorize(msg) => {
            authz::grant_msg(run, msg)?;
            sdk(&MsgGrantResponse {})
        }
        Msg::Revoke(msg) => {
            authz::revoke_msg(run, msg)?;
            sdk(&MsgRevokeResponse {})
        }
        Msg::Exec(msg) => sdk(&authz::exec_msg(run, msg)?),
        Msg::RegisterBlob(msg) => ours(&blobs::register_msg(run, msg)?),
        Msg::RegisterModel(msg) => ours(&models::register_msg(run, msg)?),
        Msg::RegisterImage(msg) => ours(&reads::register_image(run, msg)?),
        Msg::RegisterReader(msg) => ours(&sealed::readers::register(run, msg)?),
        Msg::RegisterSealed(msg) => ours(&sealed::records::register(run, msg)?),
        Msg::RetireSealed(msg) => ours(&sealed::records::retire(run, msg)?),
        Msg::Grant(msg) => ours(&sealed::grants::grant(run, msg)?),
        Msg::RevokeGrant(msg) => ours(&sealed::grants::revoke(run, msg)?),
        Msg::BreakGlass(msg) => ours(&sealed::reviews::break_glass(run, msg)?),
        Msg::RequestRead(msg) => ours(&sealed::request::request(run, msg)?),
        Msg::SubmitShare(msg) => ours(&sealed::share::submit(run, msg)?),
        Msg::Dispute(msg) => ours(&sealed::dispute::dispute(run, msg)?),
        Msg::PinCodes(msg) => {
            wasm::pin(run, &msg.authority, &msg.code_ids, true)?;
            sdk(&MsgPinCodesResponse {})
        }
        Msg::UnpinCodes(msg) => {
            wasm::pin(run, &msg.authority, &msg.code_ids, false)?;
            sdk(&MsgUnpinCodesResponse {})
        }
        Msg::SetValidator(msg) => ours(&validators::set_msg(run, msg)?),
        Msg::RegisterAttester(msg) => ours(&validators::register_msg(run, msg)?),
        Msg::UpdateParams(msg) => ours(&params::update_msg(run, msg)?),
        Msg::ScheduleUpgrade(msg) => ours(&upgrade::schedule_msg(run, msg)?),
        Msg::CancelUpgrade(msg) => ours(&upgrade::cancel_msg(run, msg)?),
    })
}

fn ours<M: Named>(response: &M) -> Any {
    Any { type_url: M::TYPE_URL.into(), value: response.encode_to_vec() }
}
