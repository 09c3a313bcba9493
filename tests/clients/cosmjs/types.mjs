// The message types of cosmjs-types. Its older releases name no entry points for `import`, so they are required.
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const from = (path) => require(`cosmjs-types/${path}`);

export const { GenericAuthorization } = from("cosmos/authz/v1beta1/authz");
export const { MsgExecResponse } = from("cosmos/authz/v1beta1/tx");
export const { SendAuthorization } = from("cosmos/bank/v1beta1/authz");
export const { MsgMultiSend, MsgSend } = from("cosmos/bank/v1beta1/tx");
export const { BasicAllowance } = from("cosmos/feegrant/v1beta1/feegrant");
export const { SignMode } = from("cosmos/tx/signing/v1beta1/signing");
export const { SimulateRequest, SimulateResponse } = from("cosmos/tx/v1beta1/service");
export const { AuthInfo, Fee, Tx, TxBody, TxRaw } = from("cosmos/tx/v1beta1/tx");
export const { AcceptedMessageKeysFilter, ContractExecutionAuthorization, MaxCallsLimit } = from("cosmwasm/wasm/v1/authz");
export const { MsgExecuteContract, MsgInstantiateContract, MsgInstantiateContractResponse, MsgMigrateContract, MsgStoreCode, MsgStoreCodeResponse } =
  from("cosmwasm/wasm/v1/tx");
export const { AccessType, ContractCodeHistoryOperationType } = from("cosmwasm/wasm/v1/types");
