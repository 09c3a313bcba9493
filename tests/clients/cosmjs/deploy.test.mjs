// The program of the documentation, run as it stands there.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { startNode } from "../node.mjs";

test("a contract is deployed on the chain that `aceso dev` starts", async () => {
  const node = await startNode({ fund: [] });
  const wasm = join(process.env.ACESO_CONTRACTS ?? "", "token.wasm");
  const program = fileURLToPath(new URL("deploy.mjs", import.meta.url));
  const args = [program, node.rpc, join(node.home, "keys/dev.mnemonic"), wasm];
  const run = spawnSync(process.execPath, args, { encoding: "utf8", timeout: 60_000 });
  await node.stop();
  assert.equal(run.status, 0, run.stderr);
  assert.match(run.stdout, /^aceso1[0-9a-z]{58} test\n$/);
});
