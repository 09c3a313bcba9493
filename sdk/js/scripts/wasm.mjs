// Puts the verifier beside the compiled package. Where it is: $ACESO_VERIFY_WASM, else cargo's target folder.
import { copyFileSync, existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const here = fileURLToPath(new URL("..", import.meta.url));
const target = process.env.CARGO_TARGET_DIR ?? join(here, "../../target");
const built = join(target, "wasm32-unknown-unknown/contract/aceso_verify_wasm.wasm");
const wasm = process.env.ACESO_VERIFY_WASM ?? built;
if (!existsSync(wasm)) {
  console.error(`error: there is no ${wasm}; build it with
  cargo build --profile contract --target wasm32-unknown-unknown -p aceso-verify-wasm --lib`);
  process.exit(1);
}
copyFileSync(wasm, join(here, "dist/verify.wasm"));
